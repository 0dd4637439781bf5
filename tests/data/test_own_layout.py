"""A function of the user's own that lists the pairs of a set."""

import sys
from pathlib import Path

import pytest

from dream_if.data.layouts import find_pairs
from dream_if.data.own_layout import own_splits, pairs_of
from dream_if.errors import InputError


def test_it_is_asked_for_folder_and_split(tmp_path: Path) -> None:
    asked = []

    def layout(root: Path, split: str) -> list[tuple[str, Path]]:
        asked.append((root, split))
        return [("a/first.png", root / "b/first_ir.png")]

    (pair,) = pairs_of(layout, tmp_path, "val")
    assert asked == [(tmp_path, "val")]
    assert (pair.name, pair.visible, pair.infrared) == ("first", Path("a/first.png"), tmp_path / "b/first_ir.png")


def test_ours_are_found_as_ever(tmp_path: Path, write_pairs) -> None:
    root = write_pairs(tmp_path / "set", {"train": 3, "val": 1})
    assert pairs_of("folder", root, "train") == find_pairs("folder", root, "train")


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([], "no pair was listed for the split test"),
        ([("a.png", "b.png"), ("x/a.png", "c.png")], "more than one visible file is called a"),
        (["a.png"], r"failed for the split test .* expected a list of \(visible file, infrared file\)"),
        (None, "failed for the split test"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(tmp_path: Path, listed: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pairs_of(lambda root, split: listed, tmp_path, "test")  # noqa: ARG005


def test_what_is_asked_for_must_be_there_and_else_what_is_there_is_taken(tmp_path: Path) -> None:
    def layout(_root: Path, split: str) -> list[tuple[str, str]]:
        return [] if split == "val" else [(f"{split}.png", "ir.png")]

    assert list(own_splits(layout, tmp_path)) == ["train", "test"]
    with pytest.raises(InputError, match="no pair was listed for the split val of"):
        own_splits(layout, tmp_path, ["train", "val"])


@pytest.mark.usefixtures("workspace")
def test_its_path_does_wherever_a_layout_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "own_layouts", raising=False)
    Path("own_layouts.py").write_text(
        "def flat(root, split):\n"
        "    return [(path, root / split / 'ir' / path.name) for path in sorted((root / split / 'vi').glob('*'))]\n"
    )
    layout = ("--layout", "own_layouts.flat")
    outcome = run("check", "pairs", *layout)
    assert (outcome.status, outcome.out) == (0, run("check", "pairs").out.replace("folder' (guessed)", f"{layout[1]}'"))
    assert run("prepare", "pairs", "own", *layout).status == 0
    assert run("prepare", "pairs", "ours").status == 0
    assert Path("own/test_visible.raw").read_bytes() == Path("ours/test_visible.raw").read_bytes()
    assert run("degrade", "pairs", "noisy", "gaussian", *layout).status == 0
    Path("plan.yaml").write_text(
        "methods: {average: average}\nmetrics: [AG]\nsets: {mine: {layout: own_layouts.flat, root: pairs}}\n"
    )
    outcome = run("tables", "1", "plan.yaml", "--out", "tables")
    assert outcome.status == 0, outcome.err
    assert run("check", "pairs", "--layout", "own_layouts.none").message.startswith("class_path 'own_layouts.none'")
