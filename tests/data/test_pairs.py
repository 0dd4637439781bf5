import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dream_if.data.pairs import PairedImages, PairFiles, collate
from dream_if.errors import InputError
from dream_if.registration.rig import Rig
from dream_if.storage import Pair
from tests.data.pictures import smooth, write, write_pair


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


class TestPairFiles:
    def test_unequal_sizes_name_both_files_and_sizes(self, tmp_path: Path) -> None:
        visible = write(tmp_path / "vi" / "0001.png", smooth(96, 120))
        infrared = write(tmp_path / "ir" / "0001.png", smooth(64, 80, 1))
        with pytest.raises(InputError) as caught:
            PairFiles([Pair("0001", visible, infrared)]).read(0)
        for part in (str(visible), "120x96", str(infrared), "80x64"):
            assert part in str(caught.value)

    def test_a_rig_lays_the_infrared_image_on_the_visible_one_and_cuts_both(self, tmp_path: Path) -> None:
        shift = np.array([[1.0, 0, 6], [0, 1, -4], [0, 0, 1]])
        pair = Pair(
            "0001",
            write(tmp_path / "vi" / "0001.png", smooth(96, 120)),
            write(tmp_path / "ir" / "0001.png", smooth(96, 120, 1)),
        )
        visible, infrared, _ = PairFiles([pair], Rig(shift, "translation", (96, 120), (96, 120), 0.0, 3)).read(0)
        assert (visible == smooth(96, 120)[4:, :114]).all()
        assert (infrared == smooth(96, 120, 1)[:92, 6:]).all()
        with pytest.raises(InputError, match=r"0001.png, .*0001.png: the rig is for visible pictures of 64x48"):
            PairFiles([pair], Rig(shift, "translation", (48, 64), (96, 120), 0.0, 3)).read(0)


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
