"""`dream-if prepare`: what it writes is the set it was made from, and all or nothing."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dream_if.data import FusionDataModule
from dream_if.data.layouts import find_pairs
from dream_if.data.prepare import prepare_pairs
from dream_if.data.prepared import PreparedPairs
from dream_if.data.splits import SPLITS
from dream_if.errors import InputError
from tests.data.pictures import smooth, write, write_pair


def write_mixed(root: Path) -> Path:
    """Pairs of every kind in split folders: JPEG, 16 bit, grey visible, colour infrared, smaller than a crop."""
    for split, seed in (("train", 0), ("val", 20), ("test", 40)):
        vi, ir = root / split / "vi", root / split / "ir"
        write(vi / "a.jpg", smooth(64, 80, 3, seed), "JPEG", quality=80)
        write(ir / "a.jpg", smooth(64, 80, 3, seed + 1), "JPEG", quality=80)
        write(vi / "b.png", smooth(72, 56, 1, seed + 2))
        assert cv2.imwrite(str(ir / "b.png"), smooth(72, 56, 1, seed + 3).astype(np.uint16) * 250)
        write(vi / "c.bmp", smooth(24, 104, 3, seed + 4), "BMP")
        write(ir / "c.webp", smooth(24, 104, 1, seed + 5).repeat(3, axis=2), "WEBP", lossless=True)
    return root


def batches(root: Path, workers: int = 0) -> list[dict]:
    """Two epochs of training crops, then the validation and the test images."""
    module = FusionDataModule(
        "folder", str(root), crop=32, crops_per_pair=2, batch_size=4, val_crop=None, num_workers=workers
    )
    module.setup("fit")
    module.setup("test")
    found = []
    loader = module.train_dataloader()
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        found += list(loader)
    return found + list(module.val_dataloader()) + list(module.test_dataloader()[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_folder(tmp_path: Path, workers: int) -> None:
    root = write_mixed(tmp_path / "set")
    prepare_pairs(root, tmp_path / "packed")
    expected, found = batches(root), batches(tmp_path / "packed", workers)
    assert len(found) == len(expected) == 2 + 3 + 3
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["name"] == theirs["name"]
        for key in ("visible", "infrared", "index"):
            assert ours[key].dtype == theirs[key].dtype
            assert torch.equal(ours[key], theirs[key])


@pytest.mark.parametrize("layout", ["folder", "tno"])
def test_splits_by_name_and_their_order_stay(tmp_path: Path, layout: str) -> None:
    for index in range(12):
        write_pair(tmp_path / "set", f"{index:02d}", 24, 24, seed=2 * index)
    prepare_pairs(tmp_path / "set", tmp_path / "packed", layout)
    there = SPLITS if layout == "folder" else ("test",)
    for split in there:
        pairs = find_pairs(layout, tmp_path / "set", split)
        prepared = PreparedPairs(tmp_path / "packed", split)
        assert [prepared.read(place)[2] for place in range(len(prepared))] == [pair.name for pair in pairs]
    for split in set(SPLITS) - set(there):
        with pytest.raises(InputError, match=f"no split '{split}' .splits in it: test"):
            PreparedPairs(tmp_path / "packed", split)


class TestCommand:
    def test_training_and_test_on_a_prepared_set(self, workspace: Path, run) -> None:
        made = run("prepare", "pairs", "packed")
        assert made.status == 0, made.err
        assert "train: 4 pair(s)" in made.out
        assert "--data.root packed" in made.out
        values = []
        for root in ("pairs", "packed"):
            fitted = run("fit", "--config", "tiny.yaml", "--data.root", root, "--trainer.logger.save_dir", f"on_{root}")
            assert fitted.status == 0, fitted.err
            best = next((workspace / f"on_{root}").rglob("last.ckpt"))
            values.append(torch.load(best, weights_only=True)["state_dict"])
        assert all(torch.equal(value, values[1][name]) for name, value in values[0].items())

    def test_no_layout_is_needed(self, workspace: Path, run) -> None:
        run("prepare", "pairs", "packed")
        module = FusionDataModule(root="packed")
        module.setup("test")
        assert (module.test_sets, len(module.test_pairs[0])) == (["packed"], 3)
        with pytest.raises(InputError, match="scenes, which needs no folder"):
            FusionDataModule(root=["packed", "pairs"])

    def test_again(self, workspace: Path, run) -> None:
        run("prepare", "pairs", "packed")
        before = {path: path.stat().st_mtime_ns for path in Path("packed").iterdir()}
        again = run("prepare", "pairs", "packed")
        assert again.status == 0
        assert "already existed" in again.out
        assert before == {path: path.stat().st_mtime_ns for path in Path("packed").iterdir()}
        Path("pairs/train/vi/train_01.png").touch()  # a copy of the set has other dates
        assert run("prepare", "pairs", "packed").status == 0
        with Path("pairs/train/vi/train_01.png").open("ab") as file:
            file.write(b"other")
        message = run("prepare", "pairs", "packed").message
        assert "packed: was prepared from other files: those of the pair 'train_01' (train) had" in message
        assert before == {path: path.stat().st_mtime_ns for path in Path("packed").iterdir()}
        Path("pairs/train/vi/train_00.png").unlink()
        Path("pairs/train/ir/train_00.png").unlink()
        assert "holds a prepared set of other pairs" in run("prepare", "pairs", "packed").message

    def test_some_splits(self, workspace: Path, run, write_pairs) -> None:
        assert run("prepare", "pairs", "packed", "--splits", "[val, test]").status == 0
        assert {path.name for path in Path("packed").iterdir()} == {
            "manifest.json", "val_visible.raw", "val_infrared.raw", "test_visible.raw", "test_infrared.raw",
        }  # fmt: skip
        assert "no split 'train'" in run("fit", "--config", "tiny.yaml", "--data.root", "packed").message
        write_pairs(Path("trained_only"), {"train": 5})
        assert "no split 'test'" in run("prepare", "trained_only", "other", "--splits", "[test]").message
        assert run("prepare", "trained_only", "other").status == 0
        assert not Path("other/test_visible.raw").exists()

    def test_check_compares_checksums(self, workspace: Path, run) -> None:
        run("prepare", "pairs", "packed")
        sound = run("check", "packed")
        assert (sound.status, "All checksums match" in sound.out) == (0, True)
        path = Path("packed/test_infrared.raw")
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        changed = run("check", "packed")
        assert changed.status == 1
        assert "test_infrared.raw: its content was changed" in changed.out
        assert "test_visible.raw" not in changed.out


class TestRefusals:
    def test_nothing_is_left_of_a_set_that_cannot_be_read(self, workspace: Path, run) -> None:
        Path("pairs/test/ir/test_02.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        before = set(Path().iterdir())
        assert "test_02.png: not a picture of a known format" in run("prepare", "pairs", "packed").message
        assert set(Path().iterdir()) == before

    def test_nor_when_writing_fails(self, workspace: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        before = set(Path().iterdir())
        monkeypatch.setattr(os, "fsync", full)
        assert "packed: cannot be written (No space left on device)" in run("prepare", "pairs", "packed").message
        assert set(Path().iterdir()) == before

    def test_nor_when_it_is_stopped(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(done: int, total: int) -> None:
            assert total == 10
            if done == 5:
                raise KeyboardInterrupt

        before = set(Path().iterdir())
        with pytest.raises(KeyboardInterrupt):
            prepare_pairs(Path("pairs"), Path("packed"), progress=stop)
        assert set(Path().iterdir()) == before

    def test_folders_in_use(self, workspace: Path, run) -> None:
        Path("mine").mkdir()
        Path("mine/notes.txt").write_text("keep")
        assert "mine: expected a new or empty folder" in run("prepare", "pairs", "mine").message

    def test_what_a_killed_one_left_is_written_anew(self, workspace: Path, run) -> None:
        Path(".packed.dream-if").mkdir()
        Path(".packed.dream-if/train_visible.raw").write_bytes(b"half")
        assert run("prepare", "pairs", "packed").status == 0
        assert run("check", "packed").status == 0
        assert not Path(".packed.dream-if").exists()

    def test_an_empty_folder_is_taken(self, workspace: Path, run) -> None:
        Path("packed").mkdir()
        assert run("prepare", "pairs", "packed").status == 0
        assert PreparedPairs(Path("packed"), "val").read(0)[2] == "val_00"

    def test_sources(self, workspace: Path, run) -> None:
        assert "nowhere: no such folder" in run("prepare", "nowhere", "packed").message
        run("prepare", "pairs", "packed")
        assert "packed: is a prepared set already" in run("prepare", "packed", "twice").message
        Path("pairs/val/ir/val_01.png").unlink()
        assert "val_01.png" in run("prepare", "pairs", "other").message
