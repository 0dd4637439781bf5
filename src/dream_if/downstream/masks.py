"""Masks, the class of every pixel: from the files of public sets and from generated scenes, and their score.

They are looked for where boxes are, see `dream_if.downstream.labels`, in a folder called Segmentation_labels, masks,
mask or label. ``<stem>.png`` has one channel, grey or with a palette, whose values are the numbers of classes. Pixels
of the value `IGNORED` belong to no class and count nowhere.
"""

import hashlib
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from dream_if.data.scene_pairs import ScenePairs
from dream_if.data.scenes import LABELS, generate_scene
from dream_if.data.splits import Split
from dream_if.decoding import decode
from dream_if.downstream.labels import NAMES, class_names, label_files
from dream_if.downstream.training import Found
from dream_if.errors import InputError
from dream_if.pixels import image_png
from dream_if.storage import write_atomically

__all__ = [
    "IGNORED",
    "MIOU",
    "Mask",
    "mask_classes",
    "mask_files",
    "read_found_mask",
    "read_mask",
    "scene_mask",
    "score_masks",
    "write_found_masks",
]

IGNORED = 255
MIOU = "mIoU"
FOLDERS = frozenset({"segmentation_labels", "masks", "mask", "label"})
CLASSES: Mapping[str, tuple[str, ...]] = {
    "msrs": ("unlabelled", "car", "person", "bike", "curve", "car_stop", "guardrail", "color_cone", "bump"),
    "scenes": ("street", *LABELS),
}
"""Layout -> names of its classes in the order of their numbers."""


@dataclass(frozen=True)
class Mask:
    """The class of every pixel of an image, packed: the masks of a whole set would fill the memory.

    Attributes:
        png: a grey PNG file with the numbers.
    """

    png: bytes

    @classmethod
    def of(cls, classes: npt.NDArray[np.uint8]) -> "Mask":
        """A mask of numbers, (H, W)."""
        return cls(image_png(classes))

    def classes(self) -> Tensor:
        """The numbers, (H, W) uint8."""
        return torch.from_numpy(np.array(PillowImage.open(io.BytesIO(self.png))))

    def target(self, width: int, mirrored: bool) -> dict[str, Tensor]:
        """The numbers as ``classes``, (H, W) long, mirrored if the image is."""
        classes = self.classes().long()
        return {"classes": classes.flip(-1) if mirrored else classes}

    def numbers(self) -> set[int]:
        """The classes that are there."""
        return set(np.unique(self.classes()).tolist()) - {IGNORED}

    def told(self) -> str:
        """Hash of all of it."""
        return hashlib.sha256(self.png).hexdigest()


def mask_classes(layout: str, root: Path | None) -> tuple[str, ...] | None:
    """As `class_names`, of masks.

    Raises:
        InputError: As there, or there are fewer than two.
    """
    names = class_names(layout, root, CLASSES)
    if names is not None and len(names) < 2 and root is not None:
        raise InputError(f"{root / NAMES}: expected two classes or more, the background among them; got {names[0]}.")
    return names


def mask_files(root: Path, split: Split, names: Sequence[str]) -> dict[str, Path]:
    """As `label_files`, of masks."""
    return label_files(root, split, names, FOLDERS, (".png",))


def read_mask(path: Path, size: tuple[int, int], names: Collection[str] | None) -> Mask:
    """Read a mask.

    Args:
        path: PNG file.
        size: height and width of the image in pixels.
        names: of the classes, in the order of their numbers; None for any number up to 254.

    Raises:
        InputError: It cannot be read, has more than one channel or another size, or a number is that of no class.
    """
    image = decode(path).image
    if image.mode not in ("1", "L", "P"):
        raise InputError(
            f"{path}: expected one channel of 8 bit with the numbers of classes, got {image.mode}; save them so. A "
            "mask in colours is only to be looked at."
        )
    classes = np.array(image, np.uint8)
    if classes.shape != size:
        raise InputError(
            f"{path}: is {classes.shape[1]}x{classes.shape[0]}, but its pair is {size[1]}x{size[0]} (width x height)."
        )
    known = IGNORED if names is None else len(names)
    if wrong := [number for number in np.unique(classes).tolist() if known <= number != IGNORED]:
        of = "" if names is None else f" ({', '.join(names)})"
        raise InputError(
            f"{path}: has a pixel of class {wrong[0]}; expected 0 to {known - 1}{of}, or {IGNORED} for no class. For "
            f"other classes write {NAMES} into the set's folder, a name a line."
        )
    return Mask.of(classes)


def scene_mask(split: Split, position: int, seed: int, size: tuple[int, int]) -> Mask:
    """The mask of a generated scene: its street, people and vehicles.

    Args:
        split: as for `ScenePairs`.
        position: in the split.
        seed: of the series.
        size: height and width in pixels.
    """
    return Mask.of(generate_scene(seed, ScenePairs.FIRST[split] + position, size).classes)


def score_masks(found: Sequence[Found], there: Sequence[Mask], names: Sequence[str]) -> dict[str, float]:
    """Score a segmentation of a test set.

    IoU of a class: pixels that have it both in truth and prediction over those that have it in either, counted over
    all images at once. The mean is over all classes, number 0 included.

    Args:
        found: for each image, its ``classes``.
        there: for each image.
        names: of the classes.

    Returns:
        `MIOU`, and ``"mIoU, <class>"`` for each class; NaN for a class that is nowhere in truth and prediction, which
        the mean leaves out.
    """
    counts = torch.zeros(len(names), len(names), dtype=torch.long)
    for image, mask in zip(found, there, strict=True):
        counts += multiclass_confusion_matrix(
            image["classes"].long(), mask.classes().long(), len(names), ignore_index=IGNORED
        )
    right = counts.diagonal().double()
    overlaps = right / (counts.sum(0) + counts.sum(1) - right)
    values = {f"{MIOU}, {name}": float(value) for name, value in zip(names, overlaps, strict=True)}
    mean = float(overlaps.nanmean()) if overlaps.isfinite().any() else math.nan
    return {MIOU: mean, **values}


def write_found_masks(folder: Path, found: Mapping[str, Found]) -> None:
    """Write what was found, a grey PNG with the numbers of classes by image.

    Raises:
        InputError: The folder cannot be written to.
    """
    for name, image in found.items():
        write_atomically(folder / f"{name}.png", image_png(image["classes"].numpy()))


def read_found_mask(folder: Path, _position: int, name: str) -> Found:
    """What `write_found_masks` wrote of an image.

    Raises:
        InputError: The file cannot be read.
    """
    return {"classes": torch.from_numpy(np.array(decode(folder / f"{name}.png").image))}
