"""A rig: two cameras that do not move against each other, so that one transform fits all their pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from dream_if.errors import InputError
from dream_if.registration.edges import Matrix
from dream_if.registration.estimate import Alignment
from dream_if.registration.motions import MOTIONS, Motion
from dream_if.registration.refine import corners
from dream_if.registration.warp import check_matrix, common_box, warp
from dream_if.storage import write_atomically
from dream_if.yaml_files import read_yaml

__all__ = ["LEAST_PAIRS", "Rig", "calibrate", "read_rig"]

LEAST_PAIRS = 3
"""Confident estimates that a calibration needs, so that one may be wrong."""


@dataclass(frozen=True)
class Rig:
    """The transform of a pair of cameras.

    Attributes:
        matrix: (3, 3); takes (x, y, 1) of a visible picture to the infrared one.
        motion: its kind.
        visible_size: height and width of the visible pictures.
        infrared_size: likewise.
        spread: how far the corners of the pairs' own estimates lie from it: the median, in visible pixels.
        pairs: how many pairs it was found from.
    """

    matrix: Matrix
    motion: Motion
    visible_size: tuple[int, int]
    infrared_size: tuple[int, int]
    spread: float
    pairs: int

    def write(self, path: Path) -> None:
        """Write it as a YAML file.

        Raises:
            InputError: The folder cannot be written to.
        """
        values = {
            "matrix": [[float(f"{value:.9g}") for value in row] for row in self.matrix],
            "motion": self.motion,
            "visible_size": list(self.visible_size),
            "infrared_size": list(self.infrared_size),
            "spread": round(self.spread, 2),
            "pairs": self.pairs,
        }
        head = (
            "# Takes x, y, 1 of the visible picture to the infrared one; sizes are height, width; spread in pixels.\n"
        )
        write_atomically(path, (head + yaml.safe_dump(values, sort_keys=False, default_flow_style=None)).encode())

    def check_sizes(self, visible: npt.NDArray[Any], infrared: npt.NDArray[Any]) -> None:
        """Make sure that a pair is of the rig's sizes.

        Raises:
            InputError: A size differs.
        """
        for name, pixels, size in (
            ("visible", visible, self.visible_size),
            ("infrared", infrared, self.infrared_size),
        ):
            if pixels.shape[:2] != size:
                raise InputError(
                    f"the rig is for {name} pictures of {size[1]}x{size[0]} (width x height), got "
                    f"{pixels.shape[1]}x{pixels.shape[0]}; calibrate one for these cameras."
                )

    def laid(self, visible: npt.NDArray[Any], infrared: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The infrared picture on the visible one's grid, see `warp`.

        Raises:
            InputError: A size differs from the rig's.
        """
        self.check_sizes(visible, infrared)
        return warp(infrared, self.matrix, self.visible_size)[0]

    def cut_to_common(self, visible: npt.NDArray[Any], infrared: npt.NDArray[Any]) -> tuple[Any, Any]:
        """Both pictures, registered and cut to what both show.

        Raises:
            InputError: A size differs from the rig's.
        """
        return visible[self.box], self.laid(visible, infrared)[self.box]

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the visible picture that both show, found once and not for each image of a training."""
        return common_box(self.matrix, self.visible_size, self.infrared_size)


def read_rig(path: Path) -> Rig:
    """Read a rig that `Rig.write` wrote.

    Raises:
        InputError: It is no such file, or its transform is none that two cameras have.
    """
    values = read_yaml(path)
    keys = ("matrix", "motion", "visible_size", "infrared_size", "spread", "pairs")
    if not isinstance(values, dict) or set(values) != set(keys):
        found = ", ".join(map(str, values)) if isinstance(values, dict) else type(values).__name__
        raise InputError(
            f"{path}: expected a rig with {', '.join(keys)}, got {found[:200]}; dream-if align --calibrate makes one."
        )
    if values["motion"] not in MOTIONS:
        raise InputError(f"{path}: motion: expected {', '.join(MOTIONS)}, got {str(values['motion'])[:100]}.")
    sizes = [_numbers(path, values, key, (2,)).astype(int) for key in ("visible_size", "infrared_size")]
    if min(map(np.min, sizes)) < 1:
        raise InputError(f"{path}: visible_size and infrared_size: expected a height and a width above 0.")
    visible, infrared = ((int(height), int(width)) for height, width in sizes)
    matrix = _numbers(path, values, "matrix", (3, 3))
    try:
        check_matrix(matrix, visible, infrared)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    spread, pairs = (float(_numbers(path, values, key, ())) for key in ("spread", "pairs"))
    return Rig(matrix, values["motion"], visible, infrared, spread, int(pairs))


def _numbers(path: Path, values: dict[str, Any], key: str, shape: tuple[int, ...]) -> Matrix:
    try:
        numbers = np.array(values[key], float)
    except (TypeError, ValueError):
        numbers = np.array(["no numbers"], object)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        what = " x ".join(map(str, shape)) + " numbers" if shape else "a number"
        raise InputError(f"{path}: {key}: expected {what}, got {str(values[key])[:100]}.")
    return numbers


def calibrate(estimates: Sequence[Alignment], motion: Motion, what: str = "pairs") -> Rig:
    """Find the one transform of a rig from estimates for its pairs.

    It takes the infrared frame's corners to the median of where the confident estimates take them, so up to half of
    these may be wrong.

    Args:
        estimates: of pairs of equal sizes.
        motion: of the rig; that of the estimates.
        what: word for what the estimates are of, for messages.

    Raises:
        InputError: Sizes differ, or too few estimates are confident.
    """
    sure = [each for each in estimates if each.confident]
    if len(sure) < LEAST_PAIRS:
        raise InputError(
            f"{len(sure)} of {len(estimates)} {what} could be aligned with confidence; a calibration needs "
            f"{LEAST_PAIRS}: give {what} with more structure in both, or choose a --motion with less freedom."
        )
    visible, infrared = sure[0].visible_size, sure[0].infrared_size
    if any((each.visible_size, each.infrared_size) != (visible, infrared) for each in sure):
        raise InputError("the pairs are not of one size, so not of one rig; calibrate with those of one.")
    source = corners(visible)
    found = np.array([cv2.perspectiveTransform(source[None], each.matrix)[0] for each in sure])
    matrix = _through(source, np.median(found, axis=0), motion, visible, infrared)
    moved = cv2.perspectiveTransform(source[None], matrix)[0]
    pixel = cv2.arcLength(moved.astype(np.float32), True) / cv2.arcLength(source.astype(np.float32), True)
    spread = float(np.median(np.linalg.norm(found - moved, axis=2).mean(axis=1))) / pixel
    return Rig(matrix, motion, visible, infrared, spread, len(sure))


def _through(
    source: Matrix, target: Matrix, motion: Motion, visible: tuple[int, int], infrared: tuple[int, int]
) -> Matrix:
    """The transform of a kind that takes four points closest to four others."""
    if motion == "homography":
        matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
        return np.asarray(matrix, np.float64)
    if motion == "affine":
        rows = np.linalg.lstsq(np.column_stack([source, np.ones(4)]), target, rcond=None)[0].T
        return np.vstack([rows, [0, 0, 1]])
    ours, theirs = (points @ (1, 1j) for points in (source, target))  # complex, where a similarity is linear
    factor = infrared[1] / visible[1] + 0j
    if motion == "similarity":
        factor = np.vdot(ours - ours.mean(), theirs) / np.vdot(ours - ours.mean(), ours)
    offset = (theirs - factor * ours).mean()
    return np.array([[factor.real, -factor.imag, offset.real], [factor.imag, factor.real, offset.imag], [0, 0, 1]])
