"""Pictures as the page shows them: 8 bit, in colours, and no larger than a screen."""

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.inference.engine import quantised
from dream_if.inference.intensity import InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import Picture

__all__ = ["LONGEST", "Shown", "shown", "shown_infrared", "shown_map", "shown_visible"]

LONGEST = 1920
"""Pixels of the longer side from which on a picture is shown smaller: browsers are slow with larger ones."""

Shown = npt.NDArray[np.uint8]


def shown(values: npt.NDArray[Any]) -> Shown:
    """A picture for the page.

    Args:
        values: (H, W), (H, W, 1) or (H, W, 3), uint8 or float32 in [0, 1].

    Returns:
        (h, w, 3) of uint8, neither side longer than `LONGEST`.
    """
    height, width = values.shape[:2]
    scale = LONGEST / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    small = cast(Shown, values if values.dtype == np.uint8 else quantised(values, np.dtype(np.uint8)))
    small = small[:, :, None] if small.ndim == 2 else small
    return np.ascontiguousarray(np.broadcast_to(small, (*small.shape[:2], 3)))


def shown_visible(picture: Picture) -> Shown:
    """A visible source; see `shown` and `visible_values`."""
    return shown(picture.pixels if picture.pixels.dtype == np.uint8 else visible_values(picture))


def shown_infrared(picture: Picture, span: InfraredRange) -> Shown:
    """An infrared source in the range that the network sees; see `shown` and `infrared_values`."""
    return shown(infrared_values(picture, span)[0])


def shown_map(values: npt.NDArray[np.float32]) -> tuple[Shown, str]:
    """A dominance map in colours (viridis: dark to yellow) from its least to its largest value, and these two in words.

    A map that hardly varies is to be seen, and seen to hardly vary.

    Args:
        values: (H, W) in [0, 1].
    """
    low, high = float(values.min()), float(values.max())
    spread = (values - np.float32(low)) / np.float32(max(high - low, 1e-6))
    levels = cv2.cvtColor(shown(spread), cv2.COLOR_RGB2GRAY)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return cast(Shown, colours), f"{low:.3f} to {high:.3f}"
