import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from dream_if.data.check import check_pairs
from dream_if.data.check_report import Finding, format_report
from dream_if.data.layouts import find_pairs
from dream_if.data.pairs import PairFiles
from dream_if.data.shift_estimate import Offset, estimate_shift
from dream_if.errors import InputError

SHARED = Path(os.environ.get("DREAM_IF_SHARED", Path(__file__).resolve().parents[2] / "../shared"))


def scene(
    seed: int, right: int = 0, down: int = 0, height: int = 240, width: int = 320
) -> tuple[np.ndarray, np.ndarray]:
    """Patches of different brightness that both sources show, with opposite contrast and noise of their own.

    Returns visible (H, W, 3) and infrared (H, W, 1), whose content lies ``right`` and ``down`` of the visible one.
    """
    margin = 32
    rng = np.random.default_rng(seed)
    world = np.full((height + 2 * margin, width + 2 * margin), 90, np.uint8)
    heat = world.copy()
    for _ in range(60):
        centre = (int(rng.integers(world.shape[1])), int(rng.integers(world.shape[0])))
        axes, angle = (int(rng.integers(8, 40)), int(rng.integers(8, 40))), float(rng.integers(180))
        value = int(rng.integers(20, 236))
        cv2.ellipse(world, centre, axes, angle, 0, 360, value, -1)
        cv2.ellipse(heat, centre, axes, angle, 0, 360, 255 - value, -1)
    visible = world[margin : margin + height, margin : margin + width]
    infrared = heat[margin - down : margin - down + height, margin - right : margin - right + width]
    noisy = [np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8) for image in (visible, infrared)]
    return np.dstack([noisy[0]] * 3), noisy[1][:, :, None]


def save(root: Path, split: str, name: str, visible: np.ndarray, infrared: np.ndarray) -> None:
    for source, image in (("vi", visible), ("ir", infrared)):
        (root / split / source).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / split / source / f"{name}.png"), image)


def messages(findings: list[Finding], kind: str) -> list[str]:
    return [f"{finding.where}: {finding.message}" for finding in findings if finding.kind == kind]


class TestEstimateShift:
    @pytest.mark.parametrize(("right", "down"), [(0, 0), (5, 0), (0, -7), (-12, 9), (20, -20)])
    @pytest.mark.parametrize("seed", range(3))
    def test_finds_a_known_shift(self, seed: int, right: int, down: int) -> None:
        shift = estimate_shift(*scene(seed, right, down))
        assert shift is not None
        assert np.hypot(shift.right - right, shift.down - down) < 0.5

    def test_is_in_pixels_of_the_full_image(self) -> None:
        visible, infrared = (cv2.resize(image, None, fx=4, fy=4) for image in scene(0, 5, -3))
        shift = estimate_shift(visible, infrared[:, :, None])
        assert shift is not None
        assert np.hypot(shift.right - 20, shift.down + 12) < 2

    def test_bit_depth_does_not_matter(self) -> None:
        visible, infrared = scene(0, 4, 6)
        shift = estimate_shift(visible, infrared.astype(np.uint16) * 257)
        assert shift == pytest.approx(estimate_shift(visible, infrared), abs=1e-3)

    @pytest.mark.parametrize("seed", range(5))
    def test_says_nothing_of_unrelated_images(self, seed: int) -> None:
        assert estimate_shift(scene(seed)[0], scene(seed + 100)[1]) is None

    def test_says_nothing_of_flat_or_small_images(self) -> None:
        visible, infrared = scene(0)
        assert estimate_shift(visible, np.full_like(infrared, 7)) is None
        assert estimate_shift(visible[:64], infrared[:64]) is None

    def test_in_words(self) -> None:
        assert str(Offset(-3.26, 7.04, 5)) == "3.3 px left and 7.0 px down"
        assert str(Offset(2.0, -0.2, 5)) == "2.0 px right"
        assert str(Offset(0.1, -0.2, 5)) == "less than half a pixel"


class TestCheckPairs:
    def test_a_good_set_has_no_findings(self, tmp_path: Path) -> None:
        for seed in range(6):
            save(tmp_path, "train" if seed < 4 else "test", f"{seed}", *scene(seed))
        report = check_pairs("folder", tmp_path)
        assert report.findings == ()
        assert not report.problems
        assert {split: summary.pairs for split, summary in report.splits.items()} == {"train": 3, "val": 1, "test": 2}
        assert all(summary.sizes == {(320, 240): summary.pairs} for summary in report.splits.values())
        assert format_report(report).endswith("0 error(s), 0 warning(s)")

    def test_lists_every_problem_at_once(self, tmp_path: Path) -> None:
        for seed in range(4):
            save(tmp_path, "test", f"good{seed}", *scene(seed))
        visible, infrared = scene(10)
        save(tmp_path, "test", "unequal", visible, infrared[:200])
        save(tmp_path, "test", "tiny", visible[:1, :1], infrared[:1, :1])
        save(tmp_path, "test", "lone", visible, infrared)
        (tmp_path / "test/ir/lone.png").unlink()
        save(tmp_path, "test", "cold", visible, infrared)
        (tmp_path / "test/vi/cold.png").unlink()
        save(tmp_path, "test", "twice", visible, infrared)
        (tmp_path / "test/vi/twice.jpg").write_bytes(b"")
        for name, content in (("empty", b""), ("text", b"not an image")):
            save(tmp_path, "test", name, visible, infrared)
            (tmp_path / f"test/ir/{name}.png").write_bytes(content)
        save(tmp_path, "test", "cut", visible, infrared)
        whole = (tmp_path / "test/vi/cut.png").read_bytes()
        (tmp_path / "test/vi/cut.png").write_bytes(whole[: len(whole) // 2])

        report = check_pairs("folder", tmp_path)
        assert report.problems
        assert len(messages(report.errors, "unequal_size")) == 1
        assert "visible is 320x240 but infrared 320x200" in messages(report.errors, "unequal_size")[0]
        unreadable = "\n".join(messages(report.errors, "unreadable"))
        for part in (
            "ir/empty.png: the file is empty",
            "ir/text.png: not a picture of a known format",
            "vi/cut.png: the picture is damaged",
        ):
            assert part in unreadable
        assert unreadable.count("is 1x1 pixels") == 2
        missing = "\n".join(messages(report.errors, "missing_partner"))
        assert "test/lone: no infrared image for" in missing
        assert "test/cold: no visible image for" in missing
        assert len(messages(report.errors, "ambiguous")) == 1
        assert len(report.errors) == 9
        assert report.splits["test"].pairs == 9
        assert report.splits["test"].sizes == {(320, 240): 4}
        text = format_report(report)
        assert all(finding.message in text for finding in report.findings)

    def test_bit_depths_and_channels(self, tmp_path: Path) -> None:
        visible, infrared = scene(0)
        colour = visible.copy()
        colour[:, :, 0] //= 2
        save(tmp_path, "test", "a", colour, infrared.astype(np.uint16) * 257)
        save(tmp_path, "test", "b", visible[:, :, :1], np.dstack([infrared] * 3))
        save(tmp_path, "test", "c", visible, np.dstack([infrared, infrared // 2, infrared]))
        report = check_pairs("folder", tmp_path)
        summary = report.splits["test"]
        assert summary.visible == {"8 bit, RGB": 1, "8 bit, grey (1 channel)": 1, "8 bit, grey (3 equal channels)": 1}
        assert summary.infrared == {
            "16 bit, 1 channel": 1,
            "8 bit, 3 equal channels": 1,
            "8 bit, 3 unequal channels": 1,
        }
        assert [finding.kind for finding in report.findings] == ["channels"]
        assert not report.problems

    def test_flat_and_raw_files(self, tmp_path: Path) -> None:
        visible, infrared = scene(0)
        save(tmp_path, "test", "flat", visible, np.full_like(infrared, 9))
        save(tmp_path, "test", "raw", visible, infrared.astype(np.uint16) + 7000)
        found = messages(check_pairs("folder", tmp_path).warnings, "range")
        assert len(found) == 2
        assert found[0].startswith("test/flat (infrared): every pixel has the value 9")
        assert "rescale it first" in found[1]

    def test_one_shifted_pair(self, tmp_path: Path) -> None:
        for seed in range(5):
            save(tmp_path, "test", f"{seed}", *scene(seed, *((-3, 8) if seed == 2 else (0, 0))))
        report = check_pairs("folder", tmp_path)
        (found,) = messages(report.warnings, "misalignment")
        assert re.fullmatch(
            r"test/2: .* about (2\.[6-9]|3\.[0-4]) px left and (7\.[6-9]|8\.[0-4]) px down \(an estimate\)", found
        )
        assert not report.problems

    def test_shift_of_a_whole_split(self, tmp_path: Path) -> None:
        for seed in range(6):
            save(tmp_path, "test", f"{seed}", *scene(seed, 0, 3))
        report = check_pairs("folder", tmp_path)
        (found,) = messages(report.warnings, "misalignment")
        assert found.startswith("test: 6 of 6 confident estimates agree")
        assert report.splits["test"].median_shift == pytest.approx((0, 3), abs=0.3)

    def test_alignment_of_a_sample(self, tmp_path: Path) -> None:
        for seed in range(5):
            save(tmp_path, "test", f"{seed}", *scene(seed))
        assert len(check_pairs("folder", tmp_path, align_at_most=2).splits["test"].shifts) == 2
        assert check_pairs("folder", tmp_path, align_at_most=0).splits["test"].median_shift is None

    def test_same_file_in_two_splits(self, tmp_path: Path) -> None:
        save(tmp_path, "train", "a", *scene(0))
        save(tmp_path, "train", "b", *scene(1))
        save(tmp_path, "val", "c", *scene(2))
        save(tmp_path, "test", "d", *scene(1))
        found = messages(check_pairs("folder", tmp_path).warnings, "duplicate")
        assert len(found) == 2  # visible and infrared
        assert found[0] == f"test/d: {tmp_path / 'test/vi/d.png'} is the same file as {tmp_path / 'train/vi/b.png'}"

    def test_infrared_that_is_the_visible_file(self, tmp_path: Path) -> None:
        visible, _ = scene(0)
        save(tmp_path, "test", "a", visible, visible)
        found = messages(check_pairs("folder", tmp_path).warnings, "duplicate")
        assert found == ["test/a: visible and infrared are the same file"]

    def test_layout_is_guessed_and_can_be_given(self, tmp_path: Path) -> None:
        root = tmp_path / "TNO"
        for seed in range(2):
            save(root, ".", f"{seed}", *scene(seed))
        guessed = check_pairs(None, root)
        assert (guessed.layout, list(guessed.splits)) == ("tno", ["test"])
        assert "layout 'tno' (guessed)" in format_report(guessed)
        assert list(check_pairs("folder", root).splits) == ["train", "test"]

    def test_broken_split_does_not_hide_the_others(self, tmp_path: Path) -> None:
        save(tmp_path, "train", "a", *scene(0))
        (tmp_path / "test/vi").mkdir(parents=True)
        (tmp_path / "val/vi").mkdir(parents=True)
        (tmp_path / "val/ir").mkdir(parents=True)
        report = check_pairs("folder", tmp_path)
        assert report.splits["train"].pairs == 1
        found = messages(report.errors, "layout")
        assert len(found) == 2
        assert any("no infrared folder there" in message for message in found)
        assert any("no images in" in message for message in found)

    def test_bad_split_list(self, tmp_path: Path) -> None:
        save(tmp_path, ".", "a", *scene(0))
        (tmp_path / "test.txt").write_text("b\n")
        report = check_pairs("folder", tmp_path)
        assert report.problems
        assert "test.txt: 1 stem(s) with no pair: b" in format_report(report)
        assert report.splits["all"].pairs == 1

    def test_reports_progress(self, tmp_path: Path) -> None:
        for seed in range(3):
            save(tmp_path, "test", f"{seed}", *scene(seed))
        seen: list[tuple[int, int]] = []
        check_pairs("folder", tmp_path, progress=lambda done, total: seen.append((done, total)))
        assert seen == [(1, 3), (2, 3), (3, 3)]

    @pytest.mark.parametrize("layout", [None, "folder", "llvip"])
    def test_nothing_to_look_at(self, tmp_path: Path, layout: str | None) -> None:
        with pytest.raises(InputError, match="no such folder"):
            check_pairs(layout, tmp_path / "typo")
        with pytest.raises(InputError, match="no visible and no infrared folder"):
            check_pairs(layout, tmp_path)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="no real pairs: set DREAM_IF_SHARED to their folder")
class TestRealPairs:
    def test_finds_the_known_offsets_of_tno(self) -> None:
        report = check_pairs(None, SHARED / "data/tno")
        assert not report.problems
        found = {finding.where: finding.message for finding in report.warnings}
        assert "px up" in found["test/01"]  # about 8 px by eye
        assert len(found) <= 8

    def test_does_not_cry_wolf_on_msrs(self) -> None:
        report = check_pairs(None, SHARED / "data/msrs")
        assert not report.problems
        assert len(report.warnings) <= 3

    def test_finds_that_llvip_scene_01_is_low(self) -> None:
        pairs = PairFiles(find_pairs("llvip", SHARED / "data/llvip", "train")[:6])
        shifts = [estimate_shift(*pairs.read(position)[:2]) for position in range(6)]
        right, down = np.median([(shift.right, shift.down) for shift in shifts if shift], axis=0)
        assert abs(right) < 1.5
        assert 1.5 < down < 5.5  # 2 to 5 px by overlay and mutual information
