import io
import itertools
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from torch.utils.data import DataLoader

from dream_if.data.layouts import Pair
from dream_if.data.pairs import PairedImages, PairFiles, collate, decode_image, read_image, to_tensor
from dream_if.errors import InputError


def smooth(height: int = 96, width: int = 120, channels: int = 3, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, channels), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)).reshape(height, width, -1)


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PILImage.fromarray(image.squeeze()).save(buffer, kind, **options)
    return buffer.getvalue()


def write(path: Path, image: np.ndarray, kind: str = "PNG", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image, kind, **options))
    return path


def write_pair(folder: Path, name: str, height: int = 96, width: int = 120, seed: int = 0) -> Pair:
    return Pair(
        name,
        write(folder / "vi" / f"{name}.png", smooth(height, width, 3, seed)),
        write(folder / "ir" / f"{name}.png", smooth(height, width, 1, seed + 1)),
    )


class Coordinates:
    """A pair source whose values say where they come from: both sources hold the row and column of each pixel."""

    def __init__(self, height: int, width: int, count: int = 4) -> None:
        self.height, self.width, self.count, self.reads = height, width, count, 0

    def __len__(self) -> int:
        return self.count

    def read(self, position: int) -> tuple[np.ndarray, np.ndarray, str]:
        self.reads += 1
        number = np.arange(self.height * self.width, dtype=np.uint16).reshape(self.height, self.width, 1)
        return np.repeat(number, 3, axis=2), number.copy(), f"generated{position}"


class TestReadImage:
    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
    def test_agrees_with_another_decoder(self, tmp_path: Path, kind: str) -> None:
        path = write(tmp_path / f"x.{kind.lower()}", smooth(), kind)
        expected = np.asarray(PILImage.open(path).convert("RGB")).astype(int)
        read = read_image(path, 3)
        assert read.dtype == np.uint8
        assert np.abs(read.astype(int) - expected).max() <= (0 if kind in ("PNG", "BMP", "TIFF") else 4)

    def test_grey_visible_becomes_three_equal_channels(self, tmp_path: Path) -> None:
        grey = smooth(channels=1)
        read = read_image(write(tmp_path / "grey.png", grey), 3)
        assert read.shape == (96, 120, 3)
        assert all(np.array_equal(read[:, :, [channel]], grey) for channel in range(3))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_equal_channels_of_infrared_keep_their_value(self, tmp_path: Path, dtype: type) -> None:
        values = np.linspace(0, np.iinfo(dtype).max, 256 * 256).round().astype(dtype).reshape(256, 256)
        path = tmp_path / "infrared.png"
        assert cv2.imwrite(str(path), np.dstack([values] * 3))
        read = read_image(path, 1)
        assert read.dtype == dtype
        assert np.array_equal(read[:, :, 0], values)

    def test_unequal_channels_of_infrared_become_luminance(self, tmp_path: Path) -> None:
        image = smooth()
        read = read_image(write(tmp_path / "colour.png", image), 1)[:, :, 0]
        assert np.abs(read - image @ np.array([0.299, 0.587, 0.114])).max() < 1

    def test_16_bit_is_kept_and_scaled_by_65535(self, tmp_path: Path) -> None:
        values = (smooth(channels=1).astype(np.uint16) * 257)[:, :, 0]
        path = tmp_path / "deep.png"
        assert cv2.imwrite(str(path), values)
        read = read_image(path, 1)
        assert read.dtype == np.uint16
        assert np.array_equal(read[:, :, 0], values)
        np.testing.assert_allclose(to_tensor(read)[0].numpy(), values / 65535, rtol=1e-6)

    @pytest.mark.parametrize("colours", [1, 3])
    def test_alpha_is_dropped(self, tmp_path: Path, colours: int) -> None:
        colour = smooth(channels=colours)
        path = write(tmp_path / "alpha.png", np.dstack([colour, smooth(channels=1, seed=5)]))
        expected = np.repeat(colour, 3, axis=2) if colours == 1 else colour
        assert np.array_equal(read_image(path, 3), expected)

    def test_exif_orientation_is_applied(self, tmp_path: Path) -> None:
        exif = PILImage.Exif()
        exif[0x0112] = 6  # the camera was held upright
        image = smooth()
        path = write(tmp_path / "turned.jpg", image, "JPEG", exif=exif, quality=95)
        assert np.abs(read_image(path, 3).astype(int) - np.rot90(image, -1)).mean() < 8
        assert read_image(path, 1).shape == (120, 96, 1)

    def test_reads_names_beyond_ascii(self, tmp_path: Path) -> None:
        path = write(tmp_path / "nächtlich 夜.png", smooth())
        assert read_image(path, 3).shape == (96, 120, 3)

    def test_content_and_not_the_ending_says_the_type(self, tmp_path: Path) -> None:
        assert read_image(write(tmp_path / "x.png", smooth(), "JPEG"), 3).shape == (96, 120, 3)

    def test_to_tensor_of_8_bit(self) -> None:
        image = smooth()
        tensor = to_tensor(image)
        assert (tensor.dtype, tensor.shape) == (torch.float32, (3, 96, 120))
        np.testing.assert_allclose(tensor.permute(1, 2, 0).numpy(), image / 255, rtol=1e-6)


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "0 bytes"),
            (b"this is a caption, not a picture\n", "not a readable image"),
            (b"\x89PNG\r\n\x1a\n", "cut short"),
            (b"\xff\xd8", "cut short"),
            (b"GIF89a", "not a readable image"),
        ],
    )
    def test_what_is_no_image(self, tmp_path: Path, content: bytes, says: str) -> None:
        path = tmp_path / "0001.png"
        path.write_bytes(content)
        with pytest.raises(InputError, match=says) as caught:
            read_image(path, 3)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("PNG", {}),
            ("BMP", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("WEBP", {}),
        ],
    )
    def test_truncated_file(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, options: dict[str, object], share: float
    ) -> None:
        content = encoded(smooth(), kind, **options)
        path = tmp_path / "0001.img"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match=r"0001\.img"):
            decode_image(path)
        assert capfd.readouterr().err == ""

    def test_thumbnail_does_not_hide_a_truncated_jpeg(self, tmp_path: Path) -> None:
        whole, thumbnail = encoded(smooth(), "JPEG"), encoded(smooth(16, 16), "JPEG")
        segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
        content = whole[:2] + segment + whole[2:]
        path = tmp_path / "thumbnail.jpg"
        path.write_bytes(content)
        assert decode_image(path).shape == (96, 120, 3)
        path.write_bytes(content[: -len(whole) // 3])
        with pytest.raises(InputError, match="cut short"):
            decode_image(path)

    def test_damaged_png(self, tmp_path: Path) -> None:
        content = bytearray(encoded(smooth(), "PNG"))
        content[len(content) // 2] ^= 0xFF
        path = tmp_path / "damaged.png"
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            decode_image(path)

    def test_floating_point_file(self, tmp_path: Path) -> None:
        path = tmp_path / "temperature.tif"
        assert cv2.imwrite(str(path), np.ones((32, 32), np.float32))
        with pytest.raises(InputError, match=r"temperature.tif: holds float32 .* 8 or 16 bit"):
            decode_image(path)

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 64), (64, 15)])
    def test_too_small(self, tmp_path: Path, height: int, width: int) -> None:
        path = tmp_path / "tiny.png"
        assert cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
        with pytest.raises(InputError, match=f"tiny.png: is {width}x{height} pixels; at least 16x16"):
            decode_image(path)

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"nowhere\.png: cannot be read"):
            decode_image(tmp_path / "nowhere.png")
        with pytest.raises(InputError, match="cannot be read"):
            decode_image(tmp_path)

    def test_log_level_of_opencv_survives_threads(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / f"{number}.png", smooth(seed=number)) for number in range(4)]
        before = cv2.utils.logging.getLogLevel()
        threads = [threading.Thread(target=lambda: [decode_image(path) for path in paths * 5]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert before != cv2.utils.logging.LOG_LEVEL_SILENT
        assert cv2.utils.logging.getLogLevel() == before

    def test_unequal_sizes_name_both_files_and_sizes(self, tmp_path: Path) -> None:
        visible = write(tmp_path / "vi" / "0001.png", smooth(96, 120))
        infrared = write(tmp_path / "ir" / "0001.png", smooth(64, 80, 1))
        with pytest.raises(InputError) as caught:
            PairFiles([Pair("0001", visible, infrared)]).read(0)
        for part in (str(visible), "120x96", str(infrared), "80x64"):
            assert part in str(caught.value)


class TestPairedImages:
    def test_whole_images_are_unchanged(self, tmp_path: Path) -> None:
        pairs = [write_pair(tmp_path, "a"), write_pair(tmp_path, "b", 80, 64, seed=3)]
        images = PairedImages(pairs)
        sample = images[1]
        assert len(images) == 2
        assert sample["visible"].shape == (1, 3, 80, 64)
        assert sample["infrared"].shape == (1, 1, 80, 64)
        assert sample["name"] == ["b"]
        assert sample["index"].tolist() == [1]
        assert sample["index"].dtype == torch.long
        np.testing.assert_allclose(sample["visible"][0].permute(1, 2, 0) * 255, smooth(80, 64, 3, 3), atol=1e-4)

    def test_crops_of_both_sources_show_the_same_place(self) -> None:
        source = Coordinates(100, 130)
        sample = PairedImages(source, crop=32, crops_per_pair=6, flip=True)[2]
        assert source.reads == 1  # one decoding for all crops
        assert sample["visible"].shape == (6, 3, 32, 32)
        assert sample["infrared"].shape == (6, 1, 32, 32)
        assert torch.equal(sample["visible"][:, :1], sample["infrared"])
        assert sample["index"].tolist() == [12, 13, 14, 15, 16, 17]
        assert sample["name"] == ["generated2"] * 6

    def test_crops_differ_in_place_and_flip(self) -> None:
        sample = PairedImages(Coordinates(100, 130), crop=32, crops_per_pair=64, flip=True)[0]
        number = (sample["infrared"][:, 0] * 65535).round().long()
        row, column = number // 130, number % 130
        assert torch.unique(torch.stack([row.amin((1, 2)), column.amin((1, 2))]), dim=1).shape[1] > 50
        # All four orientations, in which neighbours stay neighbours.
        steps = {(int(r[1, 0] - r[0, 0]), int(c[0, 1] - c[0, 0])) for r, c in zip(row, column, strict=True)}
        assert steps == set(itertools.product((1, -1), repeat=2))
        assert ((row.amax((1, 2)) - row.amin((1, 2))) == 31).all()
        assert ((column.amax((1, 2)) - column.amin((1, 2))) == 31).all()

    def test_without_flip_nothing_is_mirrored(self) -> None:
        number = PairedImages(Coordinates(100, 130), crop=32, crops_per_pair=32)[0]["infrared"][:, 0]
        assert (number.diff(dim=1) > 0).all()
        assert (number.diff(dim=2) > 0).all()

    def test_every_part_of_the_image_is_reached(self) -> None:
        images = PairedImages(Coordinates(48, 48), crop=32, crops_per_pair=400)
        number = (images[0]["infrared"][:, 0] * 65535).round().long()
        corners = {(int(n) // 48, int(n) % 48) for n in number[:, 0, 0]}
        assert {row for row, _ in corners} == set(range(17))
        assert {column for _, column in corners} == set(range(17))

    def test_a_crop_depends_on_seed_epoch_and_index_alone(self) -> None:
        def crop(seed: int = 0, epoch: int = 3, position: int = 1, before: int = 0) -> torch.Tensor:
            images = PairedImages(Coordinates(100, 130), crop=32, crops_per_pair=2, flip=True, seed=seed)
            for other in range(before):
                images[other]
            return images[epoch, position]["infrared"]

        assert torch.equal(crop(), crop(before=4))
        assert not torch.equal(crop(), crop(seed=1))
        assert not torch.equal(crop(), crop(epoch=4))
        assert not torch.equal(crop(), crop(position=2))
        assert not torch.equal(crop()[0], crop()[1])

    def test_crop_of_an_index_does_not_depend_on_crops_per_pair(self) -> None:
        four = PairedImages(Coordinates(100, 130), crop=32, crops_per_pair=4, seed=7)[0]
        two = PairedImages(Coordinates(100, 130), crop=32, crops_per_pair=2, seed=7)[1]
        assert torch.equal(four["infrared"][2:], two["infrared"])

    def test_a_bare_position_is_epoch_0(self) -> None:
        images = PairedImages(Coordinates(100, 130), crop=32)
        assert torch.equal(images[1]["visible"], images[0, 1]["visible"])

    def test_same_batches_from_worker_processes(self, tmp_path: Path) -> None:
        images = PairedImages([write_pair(tmp_path, str(n), seed=2 * n) for n in range(4)], 32, 2, flip=True)
        keys = [[(5, 3), (5, 0)], [(5, 2), (5, 1)]]

        def batches(workers: int) -> list[torch.Tensor]:
            loader = DataLoader(images, batch_sampler=keys, num_workers=workers, collate_fn=collate)
            return [batch["visible"] for batch in loader]

        for alone, shared in zip(batches(0), batches(2), strict=True):
            assert torch.equal(alone, shared)

    @pytest.mark.parametrize(("height", "width"), [(16, 16), (20, 100)])
    def test_small_images_are_continued_by_reflection(self, height: int, width: int) -> None:
        sample = PairedImages(Coordinates(height, width), crop=64, flip=True)[0]
        assert sample["visible"].shape == (1, 3, 64, 64)
        assert torch.equal(sample["visible"][:, :1], sample["infrared"])
        number = (sample["infrared"] * 65535).round().long()
        assert set((number // width).unique().tolist()) == set(range(height))

    def test_bit_depths_may_differ(self, tmp_path: Path) -> None:
        visible = write(tmp_path / "vi.png", smooth())
        infrared = tmp_path / "ir.png"
        assert cv2.imwrite(str(infrared), smooth(channels=1).astype(np.uint16) * 257)
        sample = PairedImages([Pair("x", visible, infrared)], crop=48)[0]
        for source in ("visible", "infrared"):
            assert 0.5 < sample[source].max() <= 1

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"crop": 8}, "crop: expected 16 to 8192"),
            ({"crop": 32, "crops_per_pair": 0}, "crops_per_pair: expected at least 1"),
            ({"crops_per_pair": 2}, "need a crop size"),
            ({"flip": True}, "need a crop size"),
            ({"crop": 32, "seed": -1}, "seed"),
        ],
    )
    def test_options_that_cannot_be(self, options: dict[str, int], says: str) -> None:
        with pytest.raises(InputError, match=says):
            PairedImages(Coordinates(64, 64), **options)

    def test_no_pairs(self) -> None:
        with pytest.raises(InputError, match="no pairs"):
            PairedImages([])

    @pytest.mark.parametrize("key", [4, -1, (0, 4), (-1, 0)])
    def test_outside(self, key: int | tuple[int, int]) -> None:
        with pytest.raises(IndexError, match="0 <= position < 4"):
            PairedImages(Coordinates(64, 64))[key]


class TestCollate:
    def test_joins_the_crops(self) -> None:
        images = PairedImages(Coordinates(64, 64), crop=32, crops_per_pair=3)
        batch = collate([images[2], images[0]])
        assert batch["visible"].shape == (6, 3, 32, 32)
        assert batch["infrared"].shape == (6, 1, 32, 32)
        assert batch["index"].tolist() == [6, 7, 8, 0, 1, 2]
        assert batch["name"] == ["generated2"] * 3 + ["generated0"] * 3
        assert torch.equal(batch["infrared"][3:], images[0]["infrared"])

    def test_different_sizes_ask_for_batch_size_1(self, tmp_path: Path) -> None:
        images = PairedImages([write_pair(tmp_path, "a"), write_pair(tmp_path, "b", 80, 64)])
        with pytest.raises(InputError, match=r"a 120x96, b 64x80.*batch_size 1"):
            collate([images[0], images[1]])
