"""Soft edges and noise: how surfaces are drawn at any distance without flicker or stairs."""

from functools import cache

import cv2
import numpy as np
from dream_if.data.scenes.street import FloatArray

__all__ = ["band", "sample_noise", "soften", "window"]


def soften(pixels: FloatArray) -> FloatArray:
    """Coverage of a pixel whose centre lies the given signed distance, in pixels, inside an edge."""
    return np.clip(pixels + 0.5, 0.0, 1.0)


def band(distance: FloatArray, half: float | FloatArray, foot: FloatArray) -> FloatArray:
    """Coverage by a band |distance| < half, all in metres, where a pixel covers `foot` metres."""
    return np.clip((half - np.abs(distance)) / foot + 0.5, 0.0, 1.0) * np.clip(2.0 * half / foot, 0.0, 1.0)


def window(
    across: FloatArray,
    up: FloatArray,
    half_width: FloatArray,
    half_height: FloatArray,
    foot: FloatArray,
    foot_up: FloatArray,
) -> FloatArray:
    """Coverage by a rectangle around the origin, sizes in metres."""
    return np.clip((half_width - np.abs(across)) / foot + 0.5, 0, 1) * np.clip(
        (half_height - np.abs(up)) / foot_up + 0.5, 0, 1
    )


@cache
def _noise_texture() -> FloatArray:
    """Tileable noise (512, 512) with zero mean and about unit deviation; the same for all scenes."""
    rng = np.random.default_rng(20_24)
    total = np.zeros((512, 512), np.float32)
    for cells, weight in ((512, 0.55), (256, 0.5), (128, 0.45), (64, 0.4), (16, 0.45)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        tiled = cv2.resize(np.tile(coarse, (3, 3)), (1536, 1536), interpolation=cv2.INTER_CUBIC)[512:1024, 512:1024]
        total += weight * tiled
    return total / total.std()


def sample_noise(u: FloatArray, v: FloatArray, per_metre: float, origin: float) -> FloatArray:
    """Look the noise texture up at positions in metres; both arrays (h, W)."""
    scaled_u = np.ascontiguousarray((u + origin) * per_metre % 511.0, np.float32)
    scaled_v = np.ascontiguousarray((v + origin) * per_metre % 511.0, np.float32)
    return cv2.remap(_noise_texture(), scaled_u, scaled_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
