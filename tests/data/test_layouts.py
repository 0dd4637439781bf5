import csv
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from dream_if.data.layouts import LAYOUTS, Layout, detect_layout, find_pairs
from dream_if.data.splits import held_out
from dream_if.errors import InputError
from dream_if.storage import Pair

SHARED = Path(os.environ.get("DREAM_IF_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
STEMS = [f"{number:04d}" for number in range(60)]


def place(folder: Path, names: Iterable[str], ending: str = ".png") -> None:
    """Finding pairs looks at names only, so the files may be empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}{ending}").touch()


def place_pairs(root: Path, names: Iterable[str], visible: str = "vi", infrared: str = "ir") -> None:
    names = list(names)
    place(root / visible, names)
    place(root / infrared, names)


def names(layout: str, root: Path, split: str) -> list[str]:
    return [pair.name for pair in find_pairs(layout, root, split)]


def every_split(layout: str, root: Path) -> dict[str, list[str]]:
    return {split: names(layout, root, split) for split in ("train", "val", "test")}


def refused(layout: str, root: Path, split: str = "train") -> str:
    with pytest.raises(InputError) as caught:
        find_pairs(layout, root, split)
    return str(caught.value)


class TestOfficialLayouts:
    def test_llvip(self, tmp_path: Path) -> None:
        for source in ("visible", "infrared"):
            place(tmp_path / source / "train", STEMS[:30], ".jpg")
            place(tmp_path / source / "test", ["190001"], ".jpg")
        place(tmp_path / "Annotations", STEMS, ".xml")
        found = every_split("llvip", tmp_path)
        assert found["test"] == ["190001"]
        assert sorted(found["train"] + found["val"]) == STEMS[:30]
        pair = find_pairs("llvip", tmp_path, "test")[0]
        assert pair == Pair("190001", tmp_path / "visible/test/190001.jpg", tmp_path / "infrared/test/190001.jpg")

    def test_msrs(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", STEMS[:20])
        place_pairs(tmp_path / "test", ["00537D", "00001N"])
        place_pairs(tmp_path / "detection", ["00002D"])
        found = every_split("msrs", tmp_path)
        assert found["test"] == ["00001N", "00537D"]
        assert sorted(found["train"] + found["val"]) == STEMS[:20]

    def test_m3fd(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS, "Vis", "Ir")
        place(tmp_path / "Annotation", STEMS, ".xml")
        found = every_split("m3fd", tmp_path)
        assert sorted([name for pairs in found.values() for name in pairs]) == STEMS

    def test_roadscene_takes_the_aligned_pair(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS, "crop_LR_visible", "cropinfrared")
        place(tmp_path / "crop_LR_visible", ["Thumbs"], ".db")
        place(tmp_path / "crop_HR_visible", STEMS)
        place(tmp_path / "infrared", ["raw"])
        pairs = find_pairs("roadscene", tmp_path, "train")
        assert {pair.visible.parent.name for pair in pairs} == {"crop_LR_visible"}
        assert {pair.infrared.parent.name for pair in pairs} == {"cropinfrared"}

    @pytest.mark.parametrize(
        ("visible", "infrared"), [("crop_HR_visible", "cropinfrared"), ("crop_LR_visible", "infrared")]
    )
    def test_roadscene_never_takes_another_pair(self, tmp_path: Path, visible: str, infrared: str) -> None:
        place_pairs(tmp_path, STEMS, visible, infrared)
        assert "crop_LR_visible and cropinfrared" in refused("roadscene", tmp_path)

    def test_tno_is_all_test(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS[:21])
        assert names("tno", tmp_path, "test") == STEMS[:21]
        message = refused("tno", tmp_path, "train")
        assert "splits found: test" in message
        assert "'folder'" in message
        assert names("folder", tmp_path, "train")

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_split_folders_win_for_every_layout(self, tmp_path: Path, layout: str) -> None:
        place_pairs(tmp_path / "train", STEMS[:4])
        place_pairs(tmp_path / "val", STEMS[4:6])
        place_pairs(tmp_path / "test", STEMS[6:7])
        place_pairs(tmp_path, STEMS[10:])
        assert every_split(layout, tmp_path) == {"train": STEMS[:4], "val": STEMS[4:6], "test": STEMS[6:7]}

    def test_layouts_are_those_of_the_type_but_the_generated_one(self) -> None:
        assert {*LAYOUTS, "scenes"} == set(Layout.__args__)


class TestFolder:
    @pytest.mark.parametrize("visible", ["vi", "vis", "Vis", "visible", "Visible", "VIS"])
    @pytest.mark.parametrize("infrared", ["ir", "Ir", "infrared", "Infrared", "thermal"])
    def test_names_of_the_folders(self, tmp_path: Path, visible: str, infrared: str) -> None:
        place_pairs(tmp_path / "test", STEMS[:2], visible, infrared)
        assert names("folder", tmp_path, "test") == STEMS[:2]

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".JPG", ".Png"])
    def test_endings(self, tmp_path: Path, ending: str) -> None:
        place(tmp_path / "test/vi", ["a"], ending)
        place(tmp_path / "test/ir", ["a"], ".png")
        assert find_pairs("folder", tmp_path, "test")[0].visible.name == f"a{ending}"

    def test_passes_over_what_is_no_image(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "test", ["b", "a"])
        for stray in ("Thumbs.db", ".DS_Store", "._a.png", "notes.txt"):
            (tmp_path / "test/vi" / stray).touch()
        (tmp_path / "test/ir/old.png").mkdir()
        assert names("folder", tmp_path, "test") == ["a", "b"]

    def test_stems_with_dots(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "test", ["2024.05.01_1", "2024.05.01_2"])
        assert names("folder", tmp_path, "test") == ["2024.05.01_1", "2024.05.01_2"]


class TestSplitByName:
    def test_flat_folder_is_divided_without_remainder(self, tmp_path: Path) -> None:
        stems = [f"FLIR_{number:05d}" for number in range(1000)]
        place_pairs(tmp_path, stems)
        found = every_split("folder", tmp_path)
        assert sorted([name for pairs in found.values() for name in pairs]) == stems
        assert 70 <= len(found["test"]) <= 130  # three standard deviations around 100
        assert 62 <= len(found["val"]) <= 118  # and around 90

    def test_adding_files_moves_no_pair(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        before = every_split("m3fd", tmp_path)
        place_pairs(tmp_path, [f"new{number}" for number in range(60)])
        after = every_split("m3fd", tmp_path)
        for split, pairs in before.items():
            assert set(pairs) <= set(after[split])

    def test_does_not_depend_on_the_process(self) -> None:
        # Written down once: a change here would silently move pairs between the splits of every user.
        pairs = [Pair(stem, Path(stem), Path(stem)) for stem in STEMS]
        held = " ".join(pair.name for pair in held_out(pairs, 0.1)[1])
        assert held == "0005 0007 0009 0013 0015 0017 0028 0029 0043 0046 0048 0051 0059"

    def test_three_pairs_give_one_each(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, ["a", "b", "c"])
        assert sorted(map(len, every_split("folder", tmp_path).values())) == [1, 1, 1]

    def test_val_is_taken_from_train(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", STEMS)
        train, val = names("folder", tmp_path, "train"), names("folder", tmp_path, "val")
        assert val
        assert sorted(train + val) == STEMS

    @pytest.mark.parametrize("count", range(2, 12))
    @pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
    def test_held_out_leaves_one_on_both_sides(self, count: int, fraction: float) -> None:
        pairs = [Pair(stem, Path(stem), Path(stem)) for stem in STEMS[:count]]
        kept, held = held_out(pairs, fraction)
        assert kept
        assert held
        assert sorted(kept + held, key=lambda pair: pair.name) == pairs

    def test_one_pair_is_not_divided(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", ["only"])
        assert names("folder", tmp_path, "train") == ["only"]
        assert "One training pair cannot be divided" in refused("folder", tmp_path, "val")


class TestLists:
    def test_lists_win_over_the_name(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        wanted = {"train": STEMS[:5], "val": STEMS[5:8], "test": STEMS[20:22]}
        for split, stems in wanted.items():
            (tmp_path / f"{split}.txt").write_text("# mine\n\n" + "\n".join(stems) + "  # last\n")
        assert every_split("m3fd", tmp_path) == wanted

    def test_what_no_list_names_goes_to_train(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "test.txt").write_text("\n".join(STEMS[:10]))
        found = every_split("folder", tmp_path)
        assert found["test"] == STEMS[:10]
        assert found["val"]
        assert sorted(found["train"] + found["val"]) == STEMS[10:]

    def test_what_the_train_list_leaves_goes_to_test(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "train.txt").write_text("\n".join(STEMS[:40]))
        (tmp_path / "val.txt").write_text("\n".join(STEMS[40:45]))
        assert every_split("folder", tmp_path) == {"train": STEMS[:40], "val": STEMS[40:45], "test": STEMS[45:]}

    def test_val_list_beside_split_folders(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", STEMS)
        (tmp_path / "val.txt").write_text("0007.png\n0003\n")
        assert names("msrs", tmp_path, "val") == ["0003", "0007"]
        assert names("msrs", tmp_path, "train") == [stem for stem in STEMS if stem not in ("0003", "0007")]

    def test_unknown_stems_are_named(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "test.txt").write_text("0001\n9998\n9999\n")
        message = refused("folder", tmp_path, "test")
        assert str(tmp_path / "test.txt") in message
        assert "9998, 9999" in message
        assert "0001" not in message

    def test_a_stem_in_two_lists(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "train.txt").write_text("0001\n0002\n")
        (tmp_path / "test.txt").write_text("0002\n0003\n")
        assert "in more than one list: 0002" in refused("folder", tmp_path)

    def test_empty_list(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "test.txt").write_text("# nothing yet\n")
        assert "test.txt: names no pair" in refused("folder", tmp_path)

    def test_list_that_is_no_text(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        (tmp_path / "test.txt").write_bytes(b"\xff\xd8\xff\xe0")
        assert "test.txt: cannot be read as a text file" in refused("folder", tmp_path)


class TestMistakes:
    def test_missing_partners_are_all_named(self, tmp_path: Path) -> None:
        place(tmp_path / "train/vi", ["a", "b", "c"])
        place(tmp_path / "train/ir", ["b", "d"])
        message = refused("folder", tmp_path)
        for part in ("a.png, c.png", "d.png", str(tmp_path / "train/vi"), str(tmp_path / "train/ir")):
            assert part in message
        assert "b.png" not in message

    def test_long_lists_are_cut(self, tmp_path: Path) -> None:
        place(tmp_path / "vi", STEMS)
        place(tmp_path / "ir", [])
        message = refused("folder", tmp_path)
        assert "60 visible image(s)" in message
        assert "and 40 more" in message

    def test_files_that_differ_only_in_their_ending(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, ["a", "b"])
        place(tmp_path / "vi", ["a"], ".jpg")
        message = refused("folder", tmp_path)
        assert f"{tmp_path / 'vi/a.jpg'} and {tmp_path / 'vi/a.png'}" in message

    def test_empty_folders(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", [])
        message = refused("folder", tmp_path)
        assert "no images in" in message
        assert str(tmp_path / "train/ir") in message

    def test_empty_root(self, tmp_path: Path) -> None:
        message = refused("folder", tmp_path)
        assert f"{tmp_path}: no visible and no infrared folder" in message
        assert "--data.layout scenes" in message

    def test_missing_root(self, tmp_path: Path) -> None:
        assert f"{tmp_path / 'typo'}: no such folder" in refused("msrs", tmp_path / "typo")

    def test_root_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "archive.zip").touch()
        assert "archive.zip: is a file" in refused("msrs", tmp_path / "archive.zip")

    def test_one_source_is_missing(self, tmp_path: Path) -> None:
        place(tmp_path / "train/vi", STEMS)
        message = refused("folder", tmp_path)
        assert f"{tmp_path / 'train'}: no infrared folder there (its folders: vi)" in message

    def test_one_source_lacks_the_split(self, tmp_path: Path) -> None:
        place(tmp_path / "visible/train", STEMS)
        place(tmp_path / "infrared/test", STEMS)
        assert str(tmp_path / "infrared/train") in refused("llvip", tmp_path)

    def test_two_folders_for_one_source(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS)
        place(tmp_path / "thermal", STEMS)
        assert "more than one infrared folder (ir, thermal)" in refused("folder", tmp_path)

    def test_split_that_is_not_there(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "test", STEMS)
        for split in ("train", "val"):
            message = refused("folder", tmp_path, split)
            assert f"has no split '{split}' (splits found: test)" in message

    def test_a_hole_in_another_split_does_not_matter(self, tmp_path: Path) -> None:
        place_pairs(tmp_path / "train", STEMS)
        place(tmp_path / "test/vi", STEMS)
        assert names("folder", tmp_path, "train")
        assert "no infrared folder" in refused("folder", tmp_path, "test")

    @pytest.mark.parametrize("layout", ["flir", "LLVIP", ""])
    def test_unknown_layout(self, tmp_path: Path, layout: str) -> None:
        message = refused(layout, tmp_path)
        assert f"unknown layout '{layout}'" in message
        assert ", ".join(LAYOUTS) in message

    def test_generated_layout_has_no_folder(self, tmp_path: Path) -> None:
        assert "generated" in refused("scenes", tmp_path)

    def test_unknown_split(self, tmp_path: Path) -> None:
        assert "unknown split 'valid'" in refused("folder", tmp_path, "valid")

    @pytest.mark.parametrize("state", ["missing", "empty", "empty folders"])
    def test_llvip_not_downloaded_is_one_helpful_paragraph(self, tmp_path: Path, state: str) -> None:
        root = tmp_path / "LLVIP"
        if state != "missing":
            root.mkdir()
        if state == "empty folders":
            for source in ("visible", "infrared"):
                place(root / source / "train", [])
        message = refused("llvip", root)
        for part in ("bupt-ai-cz.github.io/LLVIP", str(root), "infrared/train", "--data.root", "--data.layout scenes"):
            assert part in message
        assert "\n" not in message


class TestDetect:
    @pytest.mark.parametrize(
        ("name", "layout"), [("LLVIP", "llvip"), ("MSRS-main", "msrs"), ("M3FD_Fusion", "m3fd"), ("holiday", "folder")]
    )
    def test_by_name(self, tmp_path: Path, name: str, layout: str) -> None:
        place_pairs(tmp_path / name, STEMS)
        assert detect_layout(tmp_path / name) == layout

    def test_by_its_folders(self, tmp_path: Path) -> None:
        place_pairs(tmp_path, STEMS, "crop_LR_visible", "cropinfrared")
        assert detect_layout(tmp_path) == "roadscene"

    def test_missing_root(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such folder"):
            detect_layout(tmp_path / "typo")


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="no real pairs: set DREAM_IF_SHARED to their folder")
@pytest.mark.parametrize("name", ["llvip", "roadscene", "msrs", "m3fd", "tno"])
def test_real_pairs_are_those_of_their_manifest(name: str) -> None:
    listed: dict[str, set[str]] = {"train": set(), "test": set()}
    with (SHARED / "data/MANIFEST.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            if row["dataset"] == name:
                listed[row["split"]].add(row["stem"])
    root = SHARED / "data" / name
    assert detect_layout(root) == name
    for layout in (name, "folder"):
        assert set(names(layout, root, "test")) == listed["test"]
        if listed["train"]:
            train, val = names(layout, root, "train"), names(layout, root, "val")
            assert sorted(train + val) == sorted(listed["train"])
            assert val
        else:
            assert "splits found: test" in refused(layout, root)
