"""Boxes of people and things, from the label files of public sets and from generated scenes, in one form.

Where a pair's labels are looked for, below the folder of its set; the first folder that is there is taken:
``<split>/<folder>``, ``<folder>/<split>``, ``<folder>``, with a folder called labels, label, Annotations or Annotation,
in any case. In it ``<stem>.xml`` is Pascal VOC, as LLVIP and M3FD have it, and ``<stem>.txt`` is YOLO: class, centre x,
centre y, width and height by line, relative to the image. A file without boxes says that there is nothing to find. A
pair without a file has no labels.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from dream_if.data.scene_pairs import ScenePairs
from dream_if.data.scenes import LABELS, generate_scene
from dream_if.data.splits import Split
from dream_if.errors import InputError

__all__ = ["CLASSES", "Boxes", "class_names", "label_files", "read_labels", "scene_labels"]

CLASSES: Mapping[str, tuple[str, ...]] = {
    "llvip": ("person",),
    "m3fd": ("people", "car", "bus", "lamp", "motorcycle", "truck"),
    "scenes": LABELS,
}
"""Layout -> names of its classes in the order of their numbers in YOLO files."""

ALIASES = {"light": "lamp", "persons": "person"}
"""Other names of the same class, as some copies of the sets have them."""

FOLDERS = frozenset({"labels", "label", "annotations", "annotation"})
NAMES = "classes.txt"


@dataclass(frozen=True)
class Boxes:
    """What there is to find in an image.

    Attributes:
        corners: (N, 4) float32: left, top, right, bottom edge in pixels, within the image; N may be 0.
        classes: (N,) long, numbers from 0.
    """

    corners: Tensor
    classes: Tensor

    @classmethod
    def make(cls, corners: Sequence[Sequence[float]], classes: Sequence[int], size: tuple[int, int]) -> "Boxes":
        """Boxes from numbers, cut at the border of an image of this height and width; without those of no area."""
        found = clip_boxes_to_image(torch.tensor(corners, dtype=torch.float32).reshape(-1, 4), size)
        kept = (found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])
        return cls(found[kept], torch.tensor(classes, dtype=torch.long)[kept])

    def target(self, width: int, mirrored: bool) -> dict[str, Tensor]:
        """As torchvision's detectors take them: classes from 1, as 0 is the background.

        Args:
            width: of the image.
            mirrored: whether the image is, left to right.
        """
        left, top, right, bottom = self.corners.unbind(1)
        corners = torch.stack([width - right, top, width - left, bottom], dim=1) if mirrored else self.corners
        return {"boxes": corners, "labels": self.classes + 1}

    def numbers(self) -> set[int]:
        """The classes that are there."""
        return set(self.classes.tolist())

    def told(self) -> list[object]:
        """All of it, as JSON can hold it."""
        return [self.corners.tolist(), self.classes.tolist()]


def scene_labels(split: Split, position: int, seed: int, size: tuple[int, int]) -> Boxes:
    """The boxes of a generated scene.

    Args:
        split: as for `ScenePairs`.
        position: in the split.
        seed: of the series.
        size: height and width in pixels.
    """
    boxes = generate_scene(seed, ScenePairs.FIRST[split] + position, size).boxes
    return Boxes.make(
        [(box.x0, box.y0, box.x1, box.y1) for box in boxes], [LABELS.index(box.label) for box in boxes], size
    )


def class_names(
    layout: str, root: Path | None, known: Mapping[str, tuple[str, ...]] = CLASSES
) -> tuple[str, ...] | None:
    """The classes of a set in the order of their numbers: from ``<root>/classes.txt``, a name a line, or by layout.

    Args:
        layout: of the set.
        root: its folder; None for scenes.
        known: layout -> names.

    Returns:
        None where neither tells.

    Raises:
        InputError: The file is empty, names a class twice or cannot be read.
    """
    listed = None if root is None else root / NAMES
    if listed is None or not listed.is_file():
        return known.get(layout)
    try:
        names = tuple(line.strip() for line in listed.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{listed}: cannot be read as text with the name of a class by line ({error}).") from error
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"{listed}: expected the name of a class by line, each once; got {', '.join(names) or 'none'}."
        )
    return names


def label_files(
    root: Path,
    split: Split,
    names: Sequence[str],
    folders: Collection[str] = FOLDERS,
    endings: Sequence[str] = (".xml", ".txt"),
) -> dict[str, Path]:
    """Find the label files of pairs.

    Args:
        root: folder of the set.
        split: of the pairs.
        names: stems of the pairs.
        folders: what the folder of labels may be called, in small letters.
        endings: of label files.

    Returns:
        Stem -> file, for those that have one; empty where there is no folder of labels.

    Raises:
        InputError: A pair has two files, such as one of VOC and one of YOLO, or a folder cannot be listed.
    """
    folder = _folder(root, split, folders)
    if folder is None:
        return {}
    found = {}
    for name in names:
        files = [path for ending in endings if (path := folder / f"{name}{ending}").is_file()]
        if len(files) > 1:
            raise InputError(f"{files[0]}: {files[1].name} lies beside it; keep one label file for each pair.")
        if files:
            found[name] = files[0]
    return found


def _folder(root: Path, split: Split, called: Collection[str]) -> Path | None:
    places = _folders(root / split, called)
    for sub in _folders(root, called):
        places += [sub / split, sub]
    return next((place for place in places if place.is_dir()), None)


def _folders(place: Path, called: Collection[str]) -> list[Path]:
    if not place.is_dir():
        return []
    try:
        return sorted(sub for sub in place.iterdir() if sub.is_dir() and sub.name.lower() in called)
    except OSError as error:
        raise InputError(f"{place}: cannot be listed ({error.strerror}).") from error


def read_labels(path: Path, size: tuple[int, int], names: Sequence[str] | None) -> Boxes:
    """Read a label file.

    Args:
        path: ``.xml`` for Pascal VOC, else YOLO.
        size: height and width of the image in pixels.
        names: of the classes, in the order of their numbers; None for any number in YOLO files.

    Raises:
        InputError: The file is neither, is of an image of another size, or has an unknown class.
    """
    return _voc(path, size, names) if path.suffix == ".xml" else _yolo(path, size, names)


def _voc(path: Path, size: tuple[int, int], names: Sequence[str] | None) -> Boxes:
    """Pascal VOC, its corners as the box's edges, as LLVIP's own programs read them."""
    if names is None:
        raise InputError(f"{path}: which classes are there? Write {NAMES} into the set's folder, a name a line.")
    height, width = size
    try:
        tree = ElementTree.parse(path).getroot()  # noqa: S314  (the user's own label files)
        told = [int(side) for side in _finite(tree.findtext(f"size/{side}") or "0" for side in ("height", "width"))]
        things = [
            (
                (thing.findtext("name") or "").strip(),
                _finite(thing.findtext(f"bndbox/{edge}") or "" for edge in ("xmin", "ymin", "xmax", "ymax")),
            )
            for thing in tree.iter("object")
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as Pascal VOC with xmin, ymin, xmax and ymax by object ({error})."
        ) from error
    if any(told) and told != [height, width]:
        raise InputError(
            f"{path}: is of an image of {told[1]}x{told[0]}, but its pair is {width}x{height} (width x height)."
        )
    return Boxes.make([corners for _, corners in things], [_number(path, name, names) for name, _ in things], size)


def _finite(words: Iterable[str]) -> list[float]:
    """Numbers, of which none is infinite or undefined; ValueError else."""
    numbers = [float(word) for word in words]
    wrong = [number for number in numbers if not math.isfinite(number)]
    if wrong:
        raise ValueError(f"{wrong[0]} is no number to count with")
    return numbers


def _number(path: Path, name: str, names: Sequence[str]) -> int:
    known = {known.lower(): number for number, known in enumerate(names)}
    found = known.get(name.lower(), known.get(ALIASES.get(name.lower(), "")))
    if found is None:
        raise InputError(f"{path}: has an object {name!r}; the classes of this set are {', '.join(names)}.")
    return found


def _yolo(path: Path, size: tuple[int, int], names: Sequence[str] | None) -> Boxes:
    height, width = size
    corners, classes = [], []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}).") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            kind, x, y, w, h = _finite(line.split())
        except ValueError:
            raise InputError(
                f"{path}, line {number}: expected class, centre x, centre y, width and height, got {line!r}."
            ) from None
        if kind != int(kind) or kind < 0 or (names is not None and kind >= len(names)):
            there = f"0 to {len(names) - 1} ({', '.join(names)})" if names is not None else "a whole number from 0"
            raise InputError(f"{path}, line {number}: expected as class {there}, got {line.split()[0]}.")
        if not (-0.01 <= x <= 1.01 and -0.01 <= y <= 1.01 and 0 <= w <= 1.01 and 0 <= h <= 1.01):
            raise InputError(f"{path}, line {number}: expected shares of the image from 0 to 1, got {line!r}.")
        corners.append(((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height))
        classes.append(int(kind))
    return Boxes.make(corners, classes, size)
