"""Trees and street lamps of a generated scene."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from dream_if.data.scenes.canvas import Canvas, Colour, Paint, encode_temperature
from dream_if.data.scenes.street import FloatArray, Weather

__all__ = ["Lamp", "Tree"]


@dataclass(frozen=True)
class Tree:
    """A street tree.

    Args:
        x: Position across the street in metres.
        z: Distance in metres.
        height: Height in metres.
        variant: Which crown, 0..3.
        colour: Colour of the leaves, display RGB.
    """

    x: float
    z: float
    height: float
    variant: int
    colour: Colour

    def paint(self, canvas: Canvas, weather: Weather) -> None:
        """Paint trunk and crown; leaves are close to the air's temperature."""
        top = 0.45 * self.height
        bark = Paint((74.0, 60.0, 48.0), weather.air + 0.6)
        width = 0.026 * self.height
        for right, shade in ((1.0, 1.0), (0.0, 1.3)):
            sides = [(-width, 0), (-0.6 * width, top), (0.6 * right * width, top), (right * width, 0)]
            canvas.fill_world(np.array([(self.x + dx, y, self.z) for dx, y in sides]), bark.shaded(shade))
        half = 0.34 * self.height
        corners = canvas.camera.project(
            np.array([(self.x - half, self.height, self.z), (self.x + half, 0.26 * self.height, self.z)])
        )
        column, row = (int(v) for v in np.round(corners[0]))
        columns, rows = (int(v) for v in np.maximum(np.round(corners[1] - corners[0]), 1))
        size = max(canvas.camera.height, canvas.camera.width)
        if columns > 2 * size or column > canvas.camera.width or column + columns < 0:
            return
        crown = np.asarray(cv2.resize(_crown(self.variant), (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        cover, light = crown[..., 0], crown[..., 1] / np.maximum(crown[..., 0], 1e-3)
        warmth = weather.air - 0.6 + (0.0 if weather.night else 2.2 * (1.0 - weather.clouds)) * (light - 0.5)
        patch = np.empty((rows, columns, 4), np.float32)
        patch[..., :3] = np.clip(np.array(self.colour, np.float32) * (0.35 + 0.95 * light)[..., None], 0, 255)
        patch[..., 3] = encode_temperature(warmth)
        canvas.blend(patch, cover, column, row)


@cache
def _crown(variant: int) -> FloatArray:
    """A crown of leaves, (160, 160, 2): coverage, and coverage times brightness in [0, 1]."""
    rng = np.random.default_rng([7, variant])
    size = 160
    cover = np.zeros((size, size), np.uint8)
    light = np.zeros((size, size), np.uint8)
    clusters = rng.normal(0.0, 0.20, (26, 2))
    clusters *= np.minimum(1.0, 0.36 / np.maximum(np.hypot(*clusters.T), 1e-6))[:, None]
    clusters = clusters[np.argsort(clusters[:, 1])[::-1]]
    for cx, cy in clusters.tolist():
        reach = float(rng.uniform(0.06, 0.13))
        for dx, dy in (rng.normal(0.0, 0.55, (46, 2)) * reach).tolist():
            x, y = (0.5 + cx + dx) * size, (0.5 + cy + dy) * size
            centre = (round(x * 16), round(y * 16))
            radius = round(float(rng.uniform(1.4, 3.6)) * 16)
            bright = 0.55 - 0.45 * (cy + 0.8 * dy) - 0.5 * dy / reach * 0.35 + 0.25 * dx + float(rng.normal(0.0, 0.1))
            value = float(np.clip(bright, 0.08, 1.0)) * 255
            cv2.circle(cover, centre, radius, 255, -1, cv2.LINE_AA, 4)
            cv2.circle(light, centre, radius, value, -1, cv2.LINE_AA, 4)
    alpha = cover.astype(np.float32) / 255
    return np.stack([alpha, alpha * light.astype(np.float32) / 255], axis=-1)


@dataclass(frozen=True)
class Lamp:
    """A street lamp whose arm reaches over the road.

    Args:
        x: Position of the pole across the street in metres.
        z: Distance in metres.
        height: Height of the head in metres.
    """

    x: float
    z: float
    height: float

    @property
    def head(self) -> tuple[float, float, float]:
        """Position of the light in metres."""
        return (self.x - float(np.sign(self.x)) * 1.3, self.height, self.z)

    def paint(self, canvas: Canvas, weather: Weather) -> None:
        """Paint pole, arm and head; at night the head shines."""
        metal = Paint((66.0, 70.0, 74.0), weather.air + (0.3 if weather.night else 1.6))
        towards = -float(np.sign(self.x))
        x, y, z = self.head

        def box(x0: float, y0: float, x1: float, y1: float, paint: Paint) -> None:
            canvas.fill_world(np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]), paint)

        box(self.x - 0.07, 0.0, self.x + 0.07, y + 0.05, metal)
        box(self.x - 0.07, 0.0, self.x - 0.01, y + 0.05, metal.shaded(1.4))
        box(self.x - 0.13, 0.0, self.x + 0.13, 0.7, metal.shaded(0.9))
        canvas.fill_world(np.array([(self.x, y, z), (x, y + 0.18, z), (x, y + 0.26, z), (self.x, y + 0.1, z)]), metal)
        box(min(x, x + 0.5 * towards), y + 0.05, max(x, x + 0.5 * towards), y + 0.28, metal.shaded(1.0, 2.0))
        level = 235.0 * weather.lamp_level**0.5 if weather.night else 0.0
        red, green, blue = (level * c**0.5 for c in weather.lamp)
        lens = Paint((225.0, 225.0, 215.0), weather.air + (16.0 if weather.night else 2.0), (red, green, blue))
        box(min(x, x + 0.5 * towards), y - 0.06, max(x, x + 0.5 * towards), y + 0.07, lens)
