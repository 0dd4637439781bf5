import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from dream_if.data.images import decode_image, read_image, to_tensor
from dream_if.errors import InputError
from tests.data.pictures import encoded, smooth, write


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

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 100}])
    def test_luminance_of_a_jpeg_is_what_it_stores(self, tmp_path: Path, options: dict[str, object]) -> None:
        path = write(tmp_path / "colour.jpg", smooth(), "JPEG", **options)
        stored = PILImage.open(path)
        stored.draft("YCbCr", stored.size)
        luminance = np.asarray(stored.convert("YCbCr"))[:, :, 0].astype(int)
        read = read_image(path, 1)[:, :, 0]
        assert np.abs(read - luminance).max() <= 1
        assert np.abs(read - decode_image(path) @ np.array([0.299, 0.587, 0.114])).mean() < 1

    def test_grey_in_a_colour_jpeg_keeps_its_value(self, tmp_path: Path) -> None:
        path = tmp_path / "infrared.jpg"
        assert cv2.imwrite(str(path), np.dstack([smooth(channels=1)[:, :, 0]] * 3))
        colours = decode_image(path)
        assert colours.shape == (96, 120, 3)
        assert all(np.array_equal(read_image(path, 1), colours[:, :, [channel]]) for channel in range(3))

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
            (b"this is a caption, not a picture\n", "not a picture of a known format"),
            (b"\x89PNG\r\n\x1a\n", "not a picture of a known format"),
            (b"\xff\xd8", "not a picture of a known format"),
            (b"GIF89a", "not a picture of a known format"),
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
        log = getattr(cv2.utils, "logging", cv2)  # which has them in OpenCV 4
        before = log.getLogLevel()
        threads = [threading.Thread(target=lambda: [decode_image(path) for path in paths * 5]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert before != getattr(log, "LOG_LEVEL_SILENT", 0)
        assert log.getLogLevel() == before
