"""Data sets for detectors, read back by COCO's own code and as YOLO has them."""

from pathlib import Path

import pytest
import torch
import yaml

from dream_if.downstream.files import image_file, write_data_yaml, write_labels
from dream_if.downstream.labels import Boxes, read_labels

IMAGES = {
    "a": ((90, 120), Boxes.make([(10, 20, 30, 60), (0.5, 1.25, 120, 90)], [1, 0], (90, 120))),
    "b": ((60, 80), Boxes.make([], [], (60, 80))),
}
NAMES = ("person", "car")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_labels(tmp_path, "test", IMAGES, NAMES)
    return tmp_path


def test_coco(folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="needs the extra detection").COCO(
        folder / "annotations/test.json"
    )
    assert [(image["file_name"], image["height"], image["width"]) for image in coco.loadImgs(coco.getImgIds())] == [
        ("a.png", 90, 120),
        ("b.png", 60, 80),
    ]
    found = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [thing["bbox"] for thing in found] == [[10, 20, 20, 40], [0.5, 1.25, 119.5, 88.75]]
    assert [coco.loadCats(thing["category_id"])[0]["name"] for thing in found] == ["car", "person"]
    assert [thing["area"] for thing in found] == [800, 119.5 * 88.75]
    assert coco.getAnnIds(imgIds=[2]) == []


def test_yolo(folder: Path) -> None:
    assert (folder / "labels/test/a.txt").read_text().splitlines()[0] == "1 0.166667 0.444444 0.166667 0.444444"
    for name, (size, boxes) in IMAGES.items():
        read = read_labels(folder / "labels/test" / f"{name}.txt", size, NAMES)
        torch.testing.assert_close(read.corners, boxes.corners, atol=1e-3, rtol=0)
        assert torch.equal(read.classes, boxes.classes)
    content = yaml.safe_load(write_data_yaml(folder, NAMES).read_text())
    assert content["names"] == {0: "person", 1: "car"}
    assert image_file(folder, "test", "a").parent == Path(content["path"]) / content["test"]


def test_no_checkpoint_is_chosen_by_the_test_images(folder: Path) -> None:
    content = yaml.safe_load(write_data_yaml(folder, NAMES).read_text())
    assert content["val"] == content["train"] != content["test"]
