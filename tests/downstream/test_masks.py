"""Masks from files and from generated scenes, and the score, against counting by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.data.scenes import LABELS, generate_scene
from dream_if.downstream.masks import (
    IGNORED,
    MIOU,
    Mask,
    mask_classes,
    mask_files,
    read_found_mask,
    read_mask,
    scene_mask,
    score_masks,
    write_found_masks,
)
from dream_if.errors import InputError

NAMES = ("street", "person", "vehicle", "nowhere")


def by_hand(found: list[np.ndarray], there: list[np.ndarray], number: int) -> float | None:
    """The pixels in both over those in either, as sets of (image, row, column)."""
    first, second = (
        {
            (n, *place)
            for n, (mine, truth) in enumerate(zip(found, there, strict=True))
            for place in np.argwhere(((mine, truth)[which] == number) & (truth != IGNORED)).tolist()
        }
        for which in (0, 1)
    )
    return len(first & second) / len(first | second) if first | second else None


def scored(found: list[np.ndarray], there: list[np.ndarray]) -> dict[str, float]:
    masks = [Mask.of(truth) for truth in there]
    return score_masks([{"classes": torch.from_numpy(mine)} for mine in found], masks, NAMES)


def test_the_score_is_that_counted_by_hand() -> None:
    rng = np.random.default_rng(0)
    sizes = ((5, 7), (4, 3), (6, 6))
    there = [rng.choice([0, 0, 1, 2, IGNORED], size).astype(np.uint8) for size in sizes]
    found = [rng.integers(0, 3, size).astype(np.uint8) for size in sizes]
    values = scored(found, there)
    expected = [by_hand(found, there, number) for number in range(3)]
    assert [values[f"{MIOU}, {name}"] for name in NAMES[:3]] == pytest.approx(expected)
    assert np.isnan(values[f"{MIOU}, nowhere"])
    assert values[MIOU] == pytest.approx(np.mean(expected))
    assert scored(found[::-1], there[::-1]) == pytest.approx(values, nan_ok=True)


def test_a_class_that_is_found_but_not_there_counts_as_nothing() -> None:
    there, found = np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 3]], np.uint8)
    values = scored([found], [there])
    assert values[f"{MIOU}, street"] == pytest.approx(3 / 4)
    assert values[f"{MIOU}, nowhere"] == 0
    assert values[MIOU] == pytest.approx(3 / 8)


def test_what_is_found_as_it_is_has_one() -> None:
    there = np.array([[0, 1, IGNORED], [2, 2, 3]], np.uint8)
    found = np.where(there == IGNORED, 1, there).astype(np.uint8)
    assert set(scored([found], [there]).values()) == {1.0}
    nothing = np.full((2, 2), IGNORED, np.uint8)
    assert all(np.isnan(value) for value in scored([np.zeros_like(nothing)], [nothing]).values())


@pytest.mark.parametrize("mode", ["L", "P"])
def test_grey_files_and_palettes(tmp_path: Path, mode: str) -> None:
    classes = np.array([[0, 1, 8] * 6, [IGNORED, 2, 3] * 6] * 8, np.uint8)
    image = Image.fromarray(classes).convert("L")
    if mode == "P":
        image = Image.fromarray(classes, "L")
        image.putpalette([value for number in range(256) for value in (number, 7, 255 - number)])
    image.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == mode
    mask = read_mask(tmp_path / "a.png", classes.shape, mask_classes("msrs", tmp_path))
    assert torch.equal(mask.classes(), torch.from_numpy(classes))
    assert torch.equal(mask.target(18, True)["classes"], torch.from_numpy(classes[:, ::-1].astype(int)))
    assert mask.numbers() == {0, 1, 2, 3, 8}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((20, 30), np.uint8), "is 30x20, but its pair is 20x20"),
        (np.full((20, 20), 9, np.uint8), r"has a pixel of class 9; expected 0 to 8 \(unlabelled, car, .* or 255"),
        (np.zeros((20, 20, 3), np.uint8), "expected one channel of 8 bit with the numbers of classes, got RGB"),
        (np.zeros((20, 20), np.uint16), "expected one channel of 8 bit"),
        (b"no image", "a.png"),
    ],
    ids=str,
)
def test_files_that_are_no_masks(tmp_path: Path, made: np.ndarray | bytes, message: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(made) if isinstance(made, bytes) else Image.fromarray(made).save(file)
    with pytest.raises(InputError, match=message) as error:
        read_mask(file, (20, 20), mask_classes("msrs", tmp_path))
    assert str(file) in str(error.value)


@pytest.mark.parametrize("place", ["test/Segmentation_labels", "masks", "masks/test", "test/label"])
def test_where_masks_are_found(tmp_path: Path, place: str) -> None:
    for folder, name in ((place, "a.png"), ("labels", "a.txt"), ("test/labels", "a.txt")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text("")
    assert mask_files(tmp_path, "test", ["a", "b"]) == {"a": tmp_path / place / "a.png"}


def test_names_of_classes(tmp_path: Path) -> None:
    assert mask_classes("scenes", None) == NAMES[:3]
    assert mask_classes("folder", tmp_path) is None
    (tmp_path / "classes.txt").write_text("all\n")
    with pytest.raises(InputError, match=r"classes\.txt: expected two classes or more"):
        mask_classes("msrs", tmp_path)


def test_masks_of_scenes_fill_their_boxes() -> None:
    boxes = 0
    for position in range(6):
        classes = scene_mask("test", position, 0, (96, 128)).classes().numpy()
        for box in generate_scene(0, 2_000_000 + position, (96, 128)).boxes:
            inside = classes[box.y0 : box.y1, box.x0 : box.x1] == LABELS.index(box.label) + 1
            assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            boxes += 1
        assert (classes == 0).mean() > 0.5
    assert boxes > 6


def test_what_was_found_is_read_back(tmp_path: Path) -> None:
    found = {"classes": torch.randint(0, 9, (20, 30), dtype=torch.uint8)}
    write_found_masks(tmp_path / "found", {"a": found})
    assert torch.equal(read_found_mask(tmp_path / "found", 0, "a")["classes"], found["classes"])
