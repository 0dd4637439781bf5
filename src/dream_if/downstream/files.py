"""A data set for detectors, in the form of YOLO and in that of COCO at once.

Below one folder: ``images/<split>/<name>.png``, ``labels/<split>/<name>.txt`` and ``data.yaml`` for YOLO, and
``annotations/<split>.json`` for COCO. The images are written by whoever has them; see `image_file`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor
from torchvision.ops import box_convert

from dream_if.data.splits import Split
from dream_if.downstream.labels import Boxes
from dream_if.downstream.training import Found
from dream_if.errors import InputError
from dream_if.storage import write_atomically

__all__ = ["image_file", "read_found", "write_data_yaml", "write_found", "write_labels"]

Labelled = Mapping[str, tuple[tuple[int, int], Boxes]]
"""Name of an image -> its height and width in pixels, and its boxes."""


def image_file(folder: Path, split: Split, name: str) -> Path:
    """Where an image of the set belongs."""
    return folder / "images" / split / f"{name}.png"


def write_labels(folder: Path, split: Split, images: Labelled, names: Sequence[str]) -> None:
    """Write the boxes of a split, in both forms.

    Args:
        folder: of the data set.
        split: which.
        images: all of them, those without boxes too.
        names: of the classes.

    Raises:
        InputError: The folder cannot be written to.
    """
    for name, (size, boxes) in images.items():
        write_atomically(folder / "labels" / split / f"{name}.txt", _yolo_lines(size, boxes).encode())
    write_atomically(folder / "annotations" / f"{split}.json", json.dumps(_coco(images, names), indent=1).encode())


def write_data_yaml(folder: Path, names: Sequence[str]) -> Path:
    """Write ``data.yaml``, and return its path.

    YOLO's program chooses a checkpoint by what it calls ``val``. That is the training split here, so that no test image
    has a say.

    Raises:
        InputError: The folder cannot be written to.
    """
    content = {
        "path": str(folder.resolve()),
        "train": "images/train",
        "val": "images/train",
        "test": "images/test",
        "names": dict(enumerate(names)),
    }
    write_atomically(folder / "data.yaml", yaml.safe_dump(content, sort_keys=False).encode())
    return folder / "data.yaml"


def _yolo_lines(size: tuple[int, int], boxes: Boxes) -> str:
    """By box: class, centre x, centre y, width and height, relative to the image."""
    height, width = size
    centred = box_convert(boxes.corners.double(), "xyxy", "cxcywh") / torch.tensor([width, height, width, height])
    return "".join(
        f"{kind} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"
        for (x, y, w, h), kind in zip(centred.tolist(), boxes.classes.tolist(), strict=True)
    )


def _coco(images: Labelled, names: Sequence[str]) -> dict[str, object]:
    """Images, annotations and categories, each numbered from 1; a box is left, top, width, height in pixels."""
    annotations: list[dict[str, object]] = []
    for number, (_, boxes) in enumerate(images.values(), start=1):
        for box, kind in zip(_left_top_sides(boxes.corners), boxes.classes.tolist(), strict=True):
            place = {"id": len(annotations) + 1, "image_id": number, "category_id": kind + 1}
            annotations.append({**place, "bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    return {
        "images": [
            {"id": number, "file_name": f"{name}.png", "width": size[1], "height": size[0]}
            for number, (name, (size, _)) in enumerate(images.items(), start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }


def _left_top_sides(corners: Tensor) -> list[list[float]]:
    sides: list[list[float]] = box_convert(corners.double(), "xyxy", "xywh").tolist()
    return sides


def write_found(file: Path, found: Mapping[str, Found]) -> None:
    """Write what was found in images in COCO's form of results, for whoever wants to look or score anew.

    Raises:
        InputError: The folder cannot be written to.
    """
    lines = [
        {"image_id": number, "category_id": label, "bbox": box, "score": score}
        for number, image in enumerate(found.values(), start=1)
        for box, label, score in zip(
            _left_top_sides(image["boxes"]), image["labels"].tolist(), image["scores"].tolist(), strict=True
        )
    ]
    write_atomically(file, json.dumps(lines).encode())


def read_found(file: Path, position: int, _name: str) -> Found:
    """What `write_found` wrote of the image at a position, counted from 0.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        things = [thing for thing in json.loads(file.read_text()) if thing["image_id"] == position + 1]
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error}).") from error
    boxes = torch.tensor([thing["bbox"] for thing in things], dtype=torch.float32).reshape(-1, 4)
    return {
        "boxes": box_convert(boxes, "xywh", "xyxy"),
        "labels": torch.tensor([thing["category_id"] for thing in things], dtype=torch.long),
        "scores": torch.tensor([thing["score"] for thing in things], dtype=torch.float32),
    }
