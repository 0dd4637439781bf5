"""The canvas on which objects are painted into both views with one stroke.

A stroke fills one polygon of a four-channel picture: three channels of colour and one of temperature. The views are
therefore aligned by construction, and an object that shows in only one of them does so because its contrast in the
other is small, as it is for real cameras.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.data.scenes.street import Camera, FloatArray

__all__ = [
    "EMISSION_SCALE",
    "NO_GLOW",
    "Canvas",
    "Colour",
    "Halo",
    "Paint",
    "Points",
    "decode_temperature",
    "disc",
    "encode_temperature",
]


Points = npt.NDArray[np.float64]

Colour = tuple[float, float, float]

EMISSION_SCALE = 12.0
"""Linear light, in units of daylight white, of a lamp painted with value 255; smaller values follow a square law."""

_COLDEST = -30.0
_STEPS_PER_KELVIN = 3.0
_SUBPIXEL_BITS = 4

NO_GLOW: Colour = (0.0, 0.0, 0.0)


def encode_temperature(celsius: FloatArray) -> npt.NDArray[np.uint8]:
    """Quantise temperatures, -30..55 degrees Celsius, to 8 bits in steps of a third of a kelvin."""
    code: npt.NDArray[np.uint8] = np.clip((celsius - _COLDEST) * _STEPS_PER_KELVIN + 0.5, 0, 255).astype(np.uint8)
    return code


def decode_temperature(code: npt.NDArray[np.uint8]) -> FloatArray:
    """Invert `encode_temperature`, in degrees Celsius."""
    return code.astype(np.float32) / np.float32(_STEPS_PER_KELVIN) + np.float32(_COLDEST)


class Paint(NamedTuple):
    """What a stroke leaves behind.

    Args:
        colour: Display RGB, 0..255.
        celsius: Apparent temperature.
        glow: Emitted light as display RGB, 0..255, on the square-law scale of `EMISSION_SCALE`.
    """

    colour: Colour
    celsius: float
    glow: Colour = NO_GLOW

    def shaded(self, factor: float, kelvin: float = 0.0) -> "Paint":
        """Return the same paint, its colour multiplied and its temperature shifted."""
        red, green, blue = (min(255.0, c * factor) for c in self.colour)
        return Paint((red, green, blue), self.celsius + kelvin, self.glow)


class Halo(NamedTuple):
    """Glare around a lamp: pixel position, radius in pixels, linear colour at the centre."""

    column: float
    row: float
    radius: float
    colour: Colour


@dataclass
class Canvas:
    """The picture while it is being painted, far objects first.

    Args:
        camera: Maps metres to pixels.
        surface: Display RGB and encoded temperature, uint8 (H, W, 4).
        emission: Emitted light, uint8 (H, W, 3), square-law scale.
        owner: Which object a pixel shows, 0 for the street, uint8 (H, W).
        current: The object that strokes belong to.
        halos: Glare to add around lamps that are not hidden.
    """

    camera: Camera
    surface: npt.NDArray[np.uint8]
    emission: npt.NDArray[np.uint8]
    owner: npt.NDArray[np.uint8]
    current: int = 0
    halos: list[Halo] = field(default_factory=list)

    def fill(self, pixels: Points, paint: Paint) -> None:
        """Fill the polygon with corners (N, 2) in pixels (column, row)."""
        size = max(self.camera.height, self.camera.width)
        corners = np.round((np.clip(pixels, -8 * size, 9 * size) - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        low, high = corners.min(axis=0) >> _SUBPIXEL_BITS, corners.max(axis=0) >> _SUBPIXEL_BITS
        if high[0] < 0 or high[1] < 0 or low[0] >= self.camera.width or low[1] >= self.camera.height:
            return
        code = min(255.0, max(0.0, (paint.celsius - _COLDEST) * _STEPS_PER_KELVIN))
        cv2.fillPoly(self.surface, [corners], (*paint.colour, code), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(self.emission, [corners], paint.glow, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(self.owner, [corners], self.current, cv2.LINE_8, _SUBPIXEL_BITS)

    def fill_world(self, points: Points, paint: Paint) -> None:
        """Fill the polygon with corners (N, 3) in metres."""
        self.fill(self.camera.project(points), paint)

    def blend(self, patch: FloatArray, cover: FloatArray, column: int, row: int) -> None:
        """Lay a patch (h, w, 4) over the surface with coverage (h, w), its corner at a pixel, clipped to the image."""
        top, left = max(row, 0), max(column, 0)
        bottom = min(row + cover.shape[0], self.camera.height)
        right = min(column + cover.shape[1], self.camera.width)
        if top >= bottom or left >= right:
            return
        inner = (slice(top - row, bottom - row), slice(left - column, right - column))
        outer = (slice(top, bottom), slice(left, right))
        alpha = cover[inner][..., None]
        below = self.surface[outer]
        self.surface[outer] = (below + alpha * (patch[inner] - below) + 0.5).astype(np.uint8)
        self.emission[outer] = (self.emission[outer] * (1.0 - alpha)).astype(np.uint8)
        self.owner[outer][cover[inner] > 0.5] = self.current


def disc(x: float, y: float, radius_x: float, radius_y: float, corners: int = 14) -> Points:
    """Outline (corners, 2) of an ellipse."""
    angle = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)
