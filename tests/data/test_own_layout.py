"""A function of the user's own that lists the pairs of a set."""

from pathlib import Path

import pytest

from dream_if.data.layouts import find_pairs
from dream_if.data.own_layout import pairs_of
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
