"""What a generated scene is made of before it is drawn: camera, weather and an empty street.

Coordinates are metres: x to the right with 0 on the road's centre line, y up with 0 on the ground, z ahead of the
camera.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FAR", "SEGMENTS", "SIGN_NAMES", "Camera", "FloatArray", "IntArray", "Street", "Weather", "draw_street"]

FloatArray = npt.NDArray[np.floating[Any]]
"""Pixel buffers and coordinates; float32 throughout."""

IntArray = npt.NDArray[np.int64]

FAR = 400.0
"""Distance of the sky in metres: where haze ends what is left to see."""

SEGMENTS = 16  # buildings per row
_ROWS = 3  # left row, right row, end block

SIGN_NAMES = ("CAFE", "HOTEL", "BOOKS", "PIZZA", "BAR 24", "BANK", "SHOES", "MARKET", "TAXI", "GYM")

_FACADES = np.array(
    [(150, 84, 66), (128, 74, 60), (168, 112, 84), (176, 166, 148), (150, 150, 150), (190, 178, 150), (120, 128, 138)],
    np.float32,
)

_SIGNS = np.array(
    [(190, 40, 36), (36, 70, 160), (24, 110, 70), (210, 160, 40), (50, 50, 56), (130, 40, 110)], np.float32
)


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera looking along the street.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        focal: Focal length in pixels.
        column: Image column of the vanishing point in pixels.
        row: Image row of the horizon in pixels.
        x: Position across the street in metres.
        y: Height above the ground in metres.
    """

    height: int
    width: int
    focal: float
    column: float
    row: float
    x: float
    y: float

    def project(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map world points (N, 3) in metres to pixels (N, 2) as (column, row); z is kept at least 0.3 m ahead."""
        scale = self.focal / np.maximum(points[:, 2:], 0.3)
        return (points[:, :2] - (self.x, self.y)) * (scale * (1.0, -1.0)) + (self.column, self.row)

    @property
    def slopes(self) -> tuple[FloatArray, FloatArray]:
        """Metres to the right per metre ahead for each column (W,), and metres down for each row (H,)."""
        right = (np.arange(self.width, dtype=np.float32) + 0.5 - self.column) / self.focal
        down = (np.arange(self.height, dtype=np.float32) + 0.5 - self.row) / self.focal
        return right.astype(np.float32), down.astype(np.float32)


@dataclass(frozen=True)
class Weather:
    """Time of day and air.

    Args:
        night: Whether lamps, not the sun, light the scene.
        air: Air temperature in degrees Celsius.
        fog: Extinction in the visible, per metre.
        clouds: Cloud cover in [0, 1]; it takes the sun's shadows away.
        shadow: Displacement of a shadow per metre of height, (x, z) in metres.
        lamp: Colour of the street lamps, linear RGB.
        lamp_level: How bright the street lamps are, from 0.1 (a dark side street) to 1.
        wet: How much the road mirrors lights, in [0, 1].
    """

    night: bool
    air: float
    fog: float
    clouds: float
    shadow: tuple[float, float]
    lamp: tuple[float, float, float]
    lamp_level: float
    wet: float


@dataclass(frozen=True)
class Street:
    """What is built: widths in metres, and per-building tables of shape (3, 16) (left row, right row, end block).

    Args:
        road: Half the width of the road.
        walk: Width of each pavement.
        wall: Distance of both facade rows from the centre line.
        end: Distance of the block that closes the street.
        crossing: Distance of the zebra crossing's near edge.
        lengths: Building length of each row, (3,).
        offsets: Where each row's first building starts, (3,).
        heights: Building heights; 0 is a gap.
        colours: Facade colours, display RGB 0..255, (3, 16, 3).
        styles: 0 brick, 1 plaster, 2 concrete panels.
        floors: Height of a storey.
        bays: Distance between windows.
        glazing: Share of a bay that is window.
        signs: Index of the shop sign's name, -1 for none.
        sign_colours: Colours of the signs, display RGB, (3, 16, 3).
        warmth: How much warmer than the air each facade is, in kelvin.
        tones: Random numbers in [0, 1) that bricks and windows look themselves up in, (1024,).
        repairs: Patches of newer asphalt, rows of (x, z, half width, half length), (n, 4).
        origin: Random offset into the noise texture, in metres.
        grass: Whether the ground beyond the pavement is grass rather than paving.
    """

    road: float
    walk: float
    wall: float
    end: float
    crossing: float
    lengths: FloatArray
    offsets: FloatArray
    heights: FloatArray
    colours: FloatArray
    styles: IntArray
    floors: FloatArray
    bays: FloatArray
    glazing: FloatArray
    signs: IntArray
    sign_colours: FloatArray
    warmth: FloatArray
    tones: FloatArray
    repairs: FloatArray
    origin: float
    grass: bool


def draw_street(rng: np.random.Generator, weather: Weather) -> Street:
    """Draw a street.

    Args:
        rng: Source of randomness; a fixed number of values is taken.
        weather: Decides how warm facades are.

    Returns:
        The street, independent of any image size.
    """
    shape = (_ROWS, SEGMENTS)
    road = float(rng.choice([3.6, 4.4, 5.6]))
    walk = float(rng.uniform(2.0, 3.4))
    gaps = np.array([rng.choice([0.05, 0.25, 0.9], p=[0.5, 0.3, 0.2]) for _ in range(_ROWS)])[:, None]
    heights = rng.uniform(6.5, 20.0, shape)
    heights[rng.random(shape) < gaps] = 0.0
    grass = bool(gaps[:2].max() > 0.2)
    palette = rng.integers(0, len(_FACADES), shape)
    styles = np.where(palette < 3, 0, rng.integers(1, 3, shape))
    colours = _FACADES[palette] * rng.uniform(0.8, 1.15, (*shape, 1))
    signs = np.where(rng.random(shape) < 0.6, rng.integers(0, len(SIGN_NAMES), shape), -1)
    signs[2] = np.where(rng.random(SEGMENTS) < 0.3, signs[2], -1)
    return Street(
        road=road,
        walk=walk,
        wall=road + walk + (float(rng.uniform(1.0, 4.0)) if grass else 0.3),
        end=float(rng.uniform(45.0, 110.0)),
        crossing=float(rng.uniform(7.0, 20.0)),
        lengths=rng.uniform(9.0, 15.0, _ROWS).astype(np.float32),
        offsets=rng.uniform(-9.0, 0.0, _ROWS).astype(np.float32),
        heights=heights.astype(np.float32),
        colours=colours.astype(np.float32),
        styles=styles.astype(np.int64),
        floors=rng.uniform(2.9, 3.4, shape).astype(np.float32),
        bays=rng.uniform(1.9, 3.2, shape).astype(np.float32),
        glazing=rng.uniform(0.4, 0.62, shape).astype(np.float32),
        signs=signs.astype(np.int64),
        sign_colours=_SIGNS[rng.integers(0, len(_SIGNS), shape)],
        warmth=rng.normal(1.2 if weather.night else 3.0, 1.1, shape).astype(np.float32),
        tones=rng.random(1024).astype(np.float32),
        repairs=np.stack(
            [rng.uniform(-road, road, 4), rng.uniform(3, 22, 4), rng.uniform(0.3, 1.2, 4), rng.uniform(0.5, 2.5, 4)], 1
        ).astype(np.float32),
        origin=float(rng.uniform(0.0, 64.0)),
        grass=grass,
    )
