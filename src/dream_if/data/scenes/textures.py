"""Soft edges and noise: how surfaces are drawn at any distance without flicker or stairs."""

from functools import cache

import cv2
import numpy as np

from dream_if.data.scenes.street import FloatArray

__all__ = ["band", "sample_noise", "soften", "window", "wrap"]

_TILE = 512


def soften(pixels: FloatArray) -> FloatArray:
    """Coverage of a pixel whose centre lies the given signed distance, in pixels, inside an edge."""
    cover: FloatArray = np.clip(pixels + 0.5, 0.0, 1.0)
    return cover


def wrap(position: FloatArray, period: float) -> FloatArray:
    """Reduce to [0, period]; several times faster than the remainder operator on float32."""
    wrapped: FloatArray = position - period * np.floor(position * (1.0 / period))
    return wrapped


def band(distance: FloatArray, half: float, foot: FloatArray) -> FloatArray:
    """Coverage by a band |distance| < half, all in metres, where a pixel covers `foot` metres."""
    inside = np.clip((half - np.abs(distance)) / foot + 0.5, 0.0, 1.0)
    cover: FloatArray = inside * np.clip(2.0 * half / foot, 0.0, 1.0)  # a thin line far away is faint
    return cover


def window(
    across: FloatArray,
    up: FloatArray,
    half_width: float | FloatArray,
    half_height: float | FloatArray,
    foot: FloatArray,
    foot_up: FloatArray,
) -> FloatArray:
    """Coverage by a rectangle around the origin, sizes in metres."""
    horizontal = np.clip((half_width - np.abs(across)) / foot + 0.5, 0.0, 1.0)
    cover: FloatArray = horizontal * np.clip((half_height - np.abs(up)) / foot_up + 0.5, 0.0, 1.0)
    return cover


@cache
def _noise_texture() -> FloatArray:
    """Tileable noise (512, 512) with zero mean and unit deviation; the same for all scenes."""
    rng = np.random.default_rng(2024)
    total = np.zeros((_TILE, _TILE), np.float32)
    middle = slice(_TILE, 2 * _TILE)
    for cells, weight in ((512, 0.55), (256, 0.5), (128, 0.45), (64, 0.4), (16, 0.45)):
        coarse = np.tile(rng.standard_normal((cells, cells), dtype=np.float32), (3, 3))
        total += weight * cv2.resize(coarse, (3 * _TILE, 3 * _TILE), interpolation=cv2.INTER_CUBIC)[middle, middle]
    normalised: FloatArray = (total - total.mean()) / total.std()
    return normalised


def sample_noise(u: FloatArray, v: FloatArray, per_metre: float, origin: float) -> FloatArray:
    """Look the noise texture up at positions in metres, `per_metre` texels each; all arrays (h, W)."""
    scaled_u = np.ascontiguousarray(wrap((u + origin) * per_metre, _TILE), np.float32)
    scaled_v = np.ascontiguousarray(wrap((v + origin) * per_metre, _TILE), np.float32)
    noise = cv2.remap(_noise_texture(), scaled_u, scaled_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(noise, np.float32)
