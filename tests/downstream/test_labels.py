"""Boxes from label files and from generated scenes."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from dream_if.data.images import read_image
from dream_if.data.scenes import generate_scene, save_scenes
from dream_if.downstream.labels import Boxes, class_names, label_files, read_labels, scene_labels
from dream_if.errors import InputError

SHARED = Path(os.environ.get("DREAM_IF_SHARED", "../shared"))
SIZE = (100, 200)


def voc(*things: tuple[str, int, int, int, int], size: tuple[int, int] = SIZE) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>"
        for name, x0, y0, x1, y1 in things
    )
    return (
        f"<annotation><size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
        f"{objects}</annotation>"
    )


def test_voc_of_both_sets(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(voc(("person", 10, 20, 30, 60)))
    boxes = read_labels(file, SIZE, class_names("llvip", tmp_path))
    assert boxes.corners.tolist() == [[10, 20, 30, 60]]
    assert boxes.classes.tolist() == [0]
    names = ("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck", "light")
    file.write_text(voc(*((name, 1, 2, 3, 4) for name in names)))
    assert read_labels(file, SIZE, class_names("m3fd", tmp_path)).classes.tolist() == [0, 1, 2, 3, 4, 5, 3]


def test_yolo_is_relative_to_the_image(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("3 0.5 0.5 0.1 0.2\n\n0 0.05 0.5 0.2 1\n")
    boxes = read_labels(file, SIZE, class_names("m3fd", tmp_path))
    torch.testing.assert_close(boxes.corners, torch.tensor([[90.0, 40, 110, 60], [0, 0, 30, 100]]))
    assert boxes.classes.tolist() == [3, 0]


def test_a_file_without_boxes_says_that_there_are_none(tmp_path: Path) -> None:
    for name, text in (("a.txt", "\n"), ("b.xml", voc())):
        (tmp_path / name).write_text(text)
        boxes = read_labels(tmp_path / name, SIZE, ("person",))
        assert tuple(boxes.corners.shape) == (0, 4)
        assert tuple(boxes.classes.shape) == (0,)


def test_boxes_end_at_the_border() -> None:
    boxes = Boxes.make([(-5, 90, 20, 130), (200, 0, 230, 10), (5, 5, 5, 9)], [1, 2, 0], SIZE)
    assert boxes.corners.tolist() == [[0, 90, 20, 100]]
    assert boxes.classes.tolist() == [1]


def test_scenes_in_memory_and_on_disk_have_the_same_boxes(tmp_path: Path) -> None:
    save_scenes(tmp_path / "set", {"train": 3}, seed=4, size=(96, 128))
    found = label_files(tmp_path / "set", "train", [f"{n:06d}" for n in range(3)])
    assert len(found) == 3
    total = 0
    for number, path in enumerate(found.values()):
        read, made = read_labels(path, (96, 128), None), scene_labels("train", number, 4, (96, 128))
        torch.testing.assert_close(read.corners, made.corners, atol=2e-3, rtol=0)
        assert torch.equal(read.classes, made.classes)
        scene = generate_scene(4, number, (96, 128))
        assert [(box.x0, box.y0, box.x1, box.y1) for box in scene.boxes] == [tuple(b) for b in made.corners.tolist()]
        assert [["person", "vehicle"][n] for n in made.classes.tolist()] == [box.label for box in scene.boxes]
        total += len(scene.boxes)
    assert total > 3


def test_test_scenes_are_others_than_training_scenes() -> None:
    assert (
        scene_labels("train", 0, 0, (96, 128)).corners.tolist()
        != scene_labels("test", 0, 0, (96, 128)).corners.tolist()
    )


@pytest.mark.parametrize(
    "place", ["Annotations", "labels", "test/labels", "labels/test", "Annotation", "test/Annotation"], ids=str
)
def test_where_labels_are_found(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    ending = ".xml" if "Anno" in place else ".txt"
    (tmp_path / place / f"a{ending}").write_text("")
    assert label_files(tmp_path, "test", ["a", "b"]) == {"a": tmp_path / place / f"a{ending}"}
    assert label_files(tmp_path / "nowhere", "test", ["a"]) == {}


def test_names_of_classes(tmp_path: Path) -> None:
    assert class_names("folder", tmp_path) is None
    assert class_names("scenes", None) == ("person", "vehicle")
    (tmp_path / "classes.txt").write_text("person\ncar\n\n")
    assert class_names("m3fd", tmp_path) == ("person", "car")
    (tmp_path / "classes.txt").write_text("person\nperson\n")
    with pytest.raises(InputError, match="each once"):
        class_names("folder", tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<annotation>", "cannot be read as Pascal VOC"),
        ("a.xml", voc(("person", 1, 2, 3, 4), size=(200, 100)), "is of an image of 100x200, but its pair is 200x100"),
        ("a.xml", voc(("cat", 1, 2, 3, 4)), "has an object 'cat'; the classes of this set are person, car"),
        ("a.xml", "<annotation><object><name>person</name></object></annotation>", "with xmin, ymin"),
        ("a.txt", "0 0.5 0.5 0.1", "line 1: expected class, centre x"),
        ("a.txt", "0 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1", r"line 2: expected as class 0 to 1 \(person, car\), got 2"),
        ("a.txt", "0 50 50 10 10", "expected shares of the image"),
        ("a.txt", "0 nan 0.5 0.1 0.1", "line 1: expected class, centre x"),
        ("a.txt", "nan 0.5 0.5 0.1 0.1", "line 1: expected class, centre x"),
        ("a.txt", "1e400 0.5 0.5 0.1 0.1", "line 1: expected class, centre x"),
        ("a.xml", voc(("person", 1, 2, "nan", 4)), "nan is no number to count with"),
        ("a.xml", voc(("person", 1, 2, 3, 4), size=("1e400", 100)), "inf is no number to count with"),
    ],
    ids=str,
)
def test_files_that_are_no_labels(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_labels(tmp_path / name, SIZE, ("person", "car"))
    assert str(tmp_path / name) in str(error.value)


def test_two_files_for_a_pair(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    for ending in (".txt", ".xml"):
        (tmp_path / "labels" / f"a{ending}").write_text("")
    with pytest.raises(InputError, match=r"a\.xml: a\.txt lies beside it"):
        label_files(tmp_path, "test", ["a"])


def test_people_of_real_pairs_are_warmer_than_what_is_beside_them() -> None:
    root = SHARED / "data" / "m3fd"
    if not root.is_dir():
        pytest.skip(f"no M3FD pairs in {root}; DREAM_IF_SHARED names the folder")
    names = [path.stem for path in sorted((root / "test" / "ir").iterdir())]
    found = label_files(root, "test", names)
    assert len(found) == 10
    warmer = []
    for name, path in found.items():
        infrared = read_image(root / "test" / "ir" / f"{name}.png", 1)[:, :, 0].astype(float)
        boxes = read_labels(path, infrared.shape, class_names("m3fd", root))  # type: ignore[arg-type]
        for (x0, y0, x1, y1), kind in zip(boxes.corners.int().tolist(), boxes.classes.tolist(), strict=True):
            beside = np.hstack([infrared[y0:y1, max(0, 2 * x0 - x1) : x0], infrared[y0:y1, x1 : 2 * x1 - x0]])
            if kind == 0 and (x1 - x0) * (y1 - y0) > 400 and beside.size:
                warmer.append(infrared[y0:y1, x0:x1].mean() > beside.mean())
    assert len(warmer) > 20
    assert np.mean(warmer) > 0.8
