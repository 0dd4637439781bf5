"""The estimate for one pair: many coarse starts, refined in steps until one is clearly the best, or none is."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.registration.edges import Matrix, View
from dream_if.registration.motions import Motion
from dream_if.registration.refine import Fit, corners, refine
from dream_if.registration.search import search

__all__ = ["Alignment", "apart", "estimate"]

_STARTS = 10  # refined on a small picture
_RIVALS = 3  # likewise, of those that are far from the first
_FINALISTS = 4  # refined on a larger one, where the right place stands out, beside two of the rivals
_APART = 0.04  # of the longer side: corners nearer than this on average mean the same place
_LEAST_LEAD = 0.22  # of the best match before the next best place
_LEAST_MATCH = 0.2
_LARGEST_ERROR = 2.1  # pixels of a picture of 640


@dataclass(frozen=True)
class Alignment:
    """How the infrared picture lies on the visible one.

    Attributes:
        matrix: (3, 3); takes (x, y, 1) of the visible picture to the same thing in the infrared one.
        motion: what was free.
        visible_size: height and width.
        infrared_size: likewise.
        match: how well edges agree, at most 1; pictures of different scenes reach 0.2.
        lead: by how much of its match the place is better than the next best one, 0 to 1.
        error: expected error of the corners, in pixels of the visible picture, if this is the right place.
    """

    matrix: Matrix
    motion: Motion
    visible_size: tuple[int, int]
    infrared_size: tuple[int, int]
    match: float
    lead: float
    error: float

    @property
    def confident(self) -> bool:
        """Whether it can be relied on; the limits were set on training pairs (docs/align.md)."""
        return (
            self.lead >= _LEAST_LEAD
            and self.match >= _LEAST_MATCH
            and self.error <= _LARGEST_ERROR * max(1.0, max(self.visible_size) / 640)
        )

    def require(self) -> None:
        """Make sure that it can be relied on.

        Raises:
            InputError: It cannot.
        """
        if not self.confident:
            raise InputError(f"cannot be aligned with confidence ({self}); give the --rig of these cameras.")

    def __str__(self) -> str:
        """In figures."""
        error = f"about {self.error:.1f} px" if math.isfinite(self.error) else "unknown"
        return f"match {self.match:.2f}, lead {self.lead:.2f}, error {error}"


def apart(one: Matrix, other: Matrix, size: tuple[int, int]) -> float:
    """Mean distance of where two matrices take the corners of a picture of this size, in pixels of the target."""
    points = corners(size)[None]
    moved = cv2.perspectiveTransform(points, one) - cv2.perspectiveTransform(points, other)
    return float(np.linalg.norm(moved, axis=2).mean())


def estimate(visible: npt.NDArray[Any], infrared: npt.NDArray[Any], motion: Motion = "homography") -> Alignment:
    """Find how an infrared picture lies on a visible one, of any sizes.

    Args:
        visible: (H, W, C), any number type.
        infrared: (h, w, c), likewise; it shows about the same width, from 0.6 to 1.7 times that, turned by up to 6
            degrees and shifted by up to a quarter of the picture. With ``translation`` just that, at equal scale.
        motion: what may differ.

    Returns:
        The best estimate, which may be wrong: see `Alignment.confident`.

    Raises:
        InputError: A picture has no contrast.
    """
    views = View(visible), View(infrared)
    for view, name in zip(views, ("visible", "infrared"), strict=True):
        if view.blank:
            raise InputError(f"the {name} picture is blank: all its pixels are equal, so it cannot be aligned.")
    first: Motion = "translation" if motion == "translation" else "similarity"
    size = views[0].size
    limit = _APART * max(views[1].size)
    starts = search(*views, motion)
    far = [start for start in starts if apart(start.matrix, starts[0].matrix, size) > 2 * limit]
    near, distant = (
        sorted((refine(*views, start.matrix, first, 160, 1.0) for start in some), key=lambda fit: -fit.match)
        for some in (starts[:_STARTS], far[:_RIVALS])
    )
    finalists: list[Fit] = []
    for fit in near:
        if all(apart(fit.matrix, other.matrix, size) > limit / 4 for other in finalists):
            finalists.append(fit)
    finalists = [refine(*views, fit.matrix, first, 320, 1.5) for fit in (*finalists[:_FINALISTS], *distant[:2])]
    best = max(finalists, key=lambda fit: fit.match)
    rivals = [fit.match for fit in finalists if apart(fit.matrix, best.matrix, size) > limit]
    lead = 1 - max(max(rivals, default=0.0), 0.0) / max(best.match, 1e-6)
    fit = best
    for side, blur in ((160, 1.5), (320, 1.5), (640, 1.0)) if motion != first else ((640, 1.0),):
        fit = refine(*views, fit.matrix, motion, side, blur, best.matrix)
    return Alignment(fit.matrix, motion, size, views[1].size, best.match, lead, fit.error)
