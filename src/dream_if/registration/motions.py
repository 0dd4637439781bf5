"""Kinds of motion between two pictures, as small changes of a 3x3 matrix."""

from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["MOTIONS", "Motion", "change", "count", "directions", "parameters"]

Motion: TypeAlias = Literal["translation", "similarity", "affine", "homography"]

MOTIONS: tuple[Motion, ...] = get_args(Motion)
"""Each can all that those before it can."""

_COUNTS: dict[Motion, int] = {"translation": 2, "similarity": 4, "affine": 6, "homography": 8}
Floats = npt.NDArray[np.float64]


def count(motion: Motion) -> int:
    """How many parameters it has: two of shift, then zoom and turn, two of stretch, two of perspective."""
    return _COUNTS[motion]


def directions(motion: Motion, x: Floats, y: Floats) -> Floats:
    """How points move with each parameter.

    Args:
        motion: its kind.
        x: of the points, any shape, about from -1 to 1.
        y: likewise.

    Returns:
        (parameters, 2, ...): change of x and of y.
    """
    one, none = np.ones_like(x), np.zeros_like(x)
    every = [(one, none), (none, one), (x, y), (-y, x), (x, -y), (y, x), (x * x, x * y), (x * y, y * y)]
    return np.array(every[: count(motion)])


def change(values: Floats) -> Floats:
    """The 3x3 matrix with these parameters, in the coordinates of `directions`; the further ones are 0."""
    right, down, zoom, turn, stretch, skew, tilt_x, tilt_y = np.pad(values, (0, 8 - len(values)))
    return np.array(
        [[1 + zoom + stretch, skew - turn, right], [skew + turn, 1 + zoom - stretch, down], [-tilt_x, -tilt_y, 1]]
    )


def parameters(matrix: Floats) -> Floats:
    """The eight parameters of a matrix, of which `change` makes it again."""
    (a, b, right), (c, d, down), (e, f, _) = matrix / matrix[2, 2]
    return np.array([right, down, (a + d) / 2 - 1, (c - b) / 2, (a - d) / 2, (b + c) / 2, -e, -f])
