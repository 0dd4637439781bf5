"""Warping an infrared picture onto the grid of the visible one."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.registration.edges import Matrix, scaling
from dream_if.registration.refine import corners

__all__ = ["check_matrix", "common_box", "warp"]

_LEAST_COVER = 0.05  # of the visible picture
_MAGNIFIED = 4.0  # from one corner of the frame to another, or altogether: more is no camera's


def check_matrix(
    matrix: Matrix, visible_size: tuple[int, int], infrared_size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Refuse a transform that no two cameras have.

    Returns:
        (H, W): where the infrared picture covers the visible one.

    Raises:
        InputError: It folds the frame, magnifies it wildly, or leaves next to nothing of the visible picture covered.
    """
    x, y = corners(visible_size).T
    depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    fit = infrared_size[1] / visible_size[1]
    area = np.linalg.det(matrix) / np.where(depth > 0, depth, 1e-9) ** 3 / fit**2
    if not (
        np.isfinite(matrix).all() and depth.min() > 0 and area.min() > _MAGNIFIED**-2 and area.max() < _MAGNIFIED**2
    ):
        raise InputError(
            "the transform folds or magnifies the picture as no camera does; leave it to --motion similarity, or "
            "calibrate the rig again."
        )
    covered = _covered(matrix, visible_size, infrared_size)
    if covered.mean() < _LEAST_COVER:
        raise InputError(
            f"the transform moves the infrared picture out of the frame: it covers {covered.mean():.0%} of the visible "
            "one; the two must show the same scene."
        )
    return covered


def warp(
    infrared: npt.NDArray[Any], matrix: Matrix, size: tuple[int, int]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Lay an infrared picture on the grid of the visible one.

    Args:
        infrared: (h, w, c), uint8, uint16 or float32; int32 becomes float32.
        matrix: takes points of the visible picture to the infrared one.
        size: of the visible picture, height and width.

    Returns:
        (H, W, c) of the same type, and (H, W) that says where the infrared picture covers it. Elsewhere its border is
        continued, so that no edge arises there.

    Raises:
        InputError: The transform is none that two cameras have, see `check_matrix`.
    """
    covered = check_matrix(matrix, size, (infrared.shape[0], infrared.shape[1]))
    pixels = infrared.astype(np.float32) if infrared.dtype == np.int32 else infrared
    factor = 1 / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if factor < 0.75:  # else fine detail would become false one
        small = round(infrared.shape[1] * factor), round(infrared.shape[0] * factor)
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
        matrix = scaling(factor) @ matrix
    warped = cv2.warpPerspective(
        pixels,
        matrix,
        size[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped.reshape(*size, infrared.shape[2]), covered


def _covered(matrix: Matrix, size: tuple[int, int], infrared_size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(H, W): where a point of the visible picture lies in the infrared one."""
    height, width = infrared_size
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        across, down = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    inside = (across >= -0.5) & (across <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)
    return np.asarray(inside & (points[..., 2] > 0))


def common_box(matrix: Matrix, visible_size: tuple[int, int], infrared_size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the visible picture that the infrared one covers without a gap."""
    covered = _covered(matrix, visible_size, infrared_size)
    top, bottom, left, right = 0, visible_size[0], 0, visible_size[1]
    while top < bottom and left < right:
        box = covered[top:bottom, left:right]
        gaps = [1 - float(side.mean()) for side in (box[0], box[-1], box[:, 0], box[:, -1])]
        worst = int(np.argmax(gaps))
        if gaps[worst] == 0:
            break
        top, bottom, left, right = top + (worst == 0), bottom - (worst == 1), left + (worst == 2), right - (worst == 3)
    return slice(top, bottom), slice(left, right)
