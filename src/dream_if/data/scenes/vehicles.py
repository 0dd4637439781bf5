"""Vehicles of a generated scene: closed boxes with a cabin, lit lamps and warm engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from dream_if.data.scenes.canvas import NO_GLOW, Canvas, Colour, Paint, Points, disc
from dream_if.data.scenes.street import Weather

__all__ = ["Vehicle"]

Corner = tuple[float, float, float]

_COLOURS: tuple[Colour, ...] = (
    (226, 226, 224),
    (178, 182, 186),
    (96, 100, 106),
    (40, 42, 46),
    (168, 36, 32),
    (40, 72, 140),
    (36, 84, 66),
    (222, 176, 44),
)
_PLATE = (228.0, 228.0, 216.0)
_SILL = 0.24  # metres between road and body
_AXLES = (-0.62, 0.62)  # share of the half length


class _Body(NamedTuple):
    """Proportions: half width, half length and height in metres, then where the cabin begins and ends.

    The cabin's marks are shares of the half length, from the rear (-1) to the front (+1): its rear edge at the belt
    line and at the roof, its front edge at the roof and at the belt line. `roof` is the roof's share of the width.
    """

    half: float
    length: float
    height: float
    rear_low: float
    rear_high: float
    front_high: float
    front_low: float
    roof: float

    @property
    def belt(self) -> float:
        """Height of the lower edge of the windows in metres."""
        return 0.57 * self.height

    @property
    def nose(self) -> float:
        """Height of the bonnet's front edge in metres."""
        return 0.5 * self.height


_BODIES = (
    _Body(0.90, 2.25, 1.45, -0.74, -0.42, 0.08, 0.42, 0.72),  # saloon
    _Body(0.88, 2.00, 1.50, -0.96, -0.72, 0.12, 0.46, 0.74),  # hatchback
    _Body(0.96, 2.30, 1.75, -0.97, -0.85, 0.12, 0.44, 0.84),  # off-roader
    _Body(0.98, 2.50, 2.10, -0.98, -0.96, 0.40, 0.66, 0.88),  # van
)


@dataclass(frozen=True)
class Vehicle:
    """A saloon, hatchback, off-roader or van.

    Args:
        x: Position of the centre across the street in metres.
        z: Distance of the centre in metres.
        yaw: Heading in radians; 0 drives away from the camera, pi comes towards it, pi/2 drives to the right.
        kind: 0 saloon, 1 hatchback, 2 off-roader, 3 van.
        colour: Body colour, display RGB.
        running: Whether the engine is warm and the lights are on.
        braking: Whether the brake lights are on.
    """

    x: float
    z: float
    yaw: float
    kind: int
    colour: Colour
    running: bool
    braking: bool

    @staticmethod
    def draw(rng: np.random.Generator, x: float, z: float, yaw: float, *, running: bool) -> "Vehicle":
        """Draw a vehicle at a place."""
        return Vehicle(
            x=x,
            z=z,
            yaw=yaw,
            kind=int(rng.choice(4, p=[0.35, 0.25, 0.25, 0.15])),
            colour=_COLOURS[int(rng.integers(len(_COLOURS)))],
            running=running,
            braking=bool(rng.random() < 0.5),
        )

    @property
    def size(self) -> tuple[float, float, float]:
        """Half width, half length and height in metres."""
        body = _BODIES[self.kind]
        return (body.half, body.length, body.height)

    def to_world(self, points: Points) -> Points:
        """Map the vehicle's own (right, up, forward) metres to the world's, both (N, 3)."""
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        turn = np.array([(cosine, 0.0, -sine), (0.0, 1.0, 0.0), (sine, 0.0, cosine)])
        placed: Points = points @ turn + np.array([self.x, 0.0, self.z])
        return placed

    def headlights(self) -> Points:
        """Where the two headlights are, (2, 3) in metres."""
        body = _BODIES[self.kind]
        return self.to_world(np.array([(side * 0.74 * body.half, 0.8 * body.nose, body.length) for side in (-1, 1)]))

    def paint(self, canvas: Canvas, weather: Weather) -> None:
        """Paint the vehicle: faces turned away are skipped, details follow the face they lie on."""
        _Painter(self, canvas, weather).paint()


class _Painter:
    """Paints one vehicle; corners are (right, up, forward) with up in metres and the others as shares of the size."""

    def __init__(self, vehicle: Vehicle, canvas: Canvas, weather: Weather) -> None:
        self.vehicle = vehicle
        self.canvas = canvas
        self.body = _BODIES[vehicle.kind]
        self.air = weather.air
        self.night = weather.night
        self.hot = 1.0 if vehicle.running else 0.0
        sun = 0.0 if weather.night else 3.5 * (1.0 - weather.clouds)
        self.metal = Paint(vehicle.colour, self.air + 0.6 + sun)
        self.glass = Paint((34.0, 42.0, 50.0), self.air - 1.5 + 2.0 * self.hot)
        self.plastic = Paint((30.0, 30.0, 32.0), self.air + 2.0 + sun + 4.0 * self.hot)
        self.tyre = Paint((24.0, 24.0, 25.0), self.air + 1.5 + 9.0 * self.hot)
        self.hub = Paint((138.0, 140.0, 144.0), self.air + 1.5 + 13.0 * self.hot)

    def paint(self) -> None:
        """Paint tyres, lower body and cabin in an order that is right from any side above the bonnet."""
        for end in _AXLES:
            for side in (-0.8, 0.8):
                self._detail(
                    [(side + dx, y, end) for dx, y in ((-0.14, 0), (0.14, 0), (0.14, 0.4), (-0.14, 0.4))], self.tyre
                )
        self._paint_flanks()
        self._paint_front()
        self._paint_rear()
        self._paint_top()
        self._paint_cabin()

    def _project(self, corners: Sequence[Corner]) -> Points:
        scale = np.array([self.body.half, 1.0, self.body.length])
        return self.canvas.camera.project(self.vehicle.to_world(np.array(corners) * scale))

    def _detail(self, corners: Sequence[Corner], paint: Paint) -> None:
        self.canvas.fill(self._project(corners), paint)

    def _face(self, corners: Sequence[Corner], paint: Paint) -> bool:
        """Fill a face given clockwise on screen when seen from outside; report whether it faces the camera."""
        pixels = self._project(corners)
        if cv2.contourArea(pixels.astype(np.float32), oriented=True) >= 0:
            return False
        self.canvas.fill(pixels, paint)
        return True

    def _panel(self, end: float, across: tuple[float, float], up: tuple[float, float], paint: Paint) -> None:
        """Paint a detail on the front (+1) or rear (-1)."""
        self._detail(
            [(across[0], up[0], end), (across[1], up[0], end), (across[1], up[1], end), (across[0], up[1], end)], paint
        )

    def _paint_flanks(self) -> None:
        body, metal = self.body, self.metal.shaded(0.86)
        for side in (-1.0, 1.0):

            def strip(low: float, high: float, back: float, ahead: float, paint: Paint, at: float = side) -> None:
                self._detail([(at, low, back), (at, high, back), (at, high, ahead), (at, low, ahead)], paint)

            outline = [
                (side, _SILL, -1.0),
                (side, body.belt, -1.0),
                (side, body.belt, body.front_low),
                (side, body.nose, 1.0),
                (side, _SILL, 1.0),
            ]
            if not self._face(outline if side > 0 else outline[::-1], metal):
                continue
            strip(_SILL, _SILL + 0.1, -1.0, 1.0, self.plastic)
            strip(body.belt - 0.04, body.belt, -0.98, body.front_low, metal.shaded(1.35, 0.2))
            strip(0.36, body.nose - 0.06, 0.62, 0.98, metal.shaded(1.0, 4.0 * self.hot))
            for seam in (0.9 * body.front_low, 0.5 * (body.rear_low + body.front_low) - 0.08):
                strip(_SILL + 0.1, body.belt, seam, seam + 0.012, metal.shaded(0.55))
            for axle in _AXLES:
                for radius, paint in ((0.36, self.plastic), (0.32, self.tyre), (0.19, self.hub), (0.07, self.tyre)):
                    ring = disc(axle, 0.32, radius / body.length, radius)
                    self._detail([(side, y, z) for z, y in ring.tolist()], paint)

    def _paint_front(self) -> None:
        hot, nose = self.hot, self.body.nose
        front = [(-1.0, _SILL, 1.0), (-1.0, nose, 1.0), (1.0, nose, 1.0), (1.0, _SILL, 1.0)]
        if not self._face(front, self.metal.shaded(0.95, 5.0 * hot)):
            return
        self._panel(1.0, (-1.0, 1.0), (_SILL, _SILL + 0.12), self.plastic.shaded(1.0, 5.0 * hot))
        self._panel(1.0, (-0.5, 0.5), (0.6 * nose, 0.9 * nose), Paint((26.0, 26.0, 28.0), self.air + 1.0 + 17.0 * hot))
        self._panel(1.0, (-0.3, 0.3), (0.44 * nose, 0.6 * nose), Paint(_PLATE, self.air + 0.8 + 6.0 * hot))
        glow = (255.0, 246.0, 224.0) if self.vehicle.running and self.night else NO_GLOW
        lens = Paint((232.0, 236.0, 240.0), self.air + 1.0 + 12.0 * hot, glow)
        for side in (-0.76, 0.76):
            self._panel(1.0, (side - 0.19, side + 0.19), (0.7 * nose, 0.9 * nose), lens)

    def _paint_rear(self) -> None:
        hot, belt = self.hot, self.body.belt
        rear = [(1.0, _SILL, -1.0), (1.0, belt, -1.0), (-1.0, belt, -1.0), (-1.0, _SILL, -1.0)]
        if not self._face(rear, self.metal.shaded(0.9, 0.8 * hot)):
            return
        self._panel(-1.0, (-1.0, 1.0), (_SILL, _SILL + 0.16), self.plastic.shaded(1.0, 2.0 * hot))
        self._panel(-1.0, (-0.3, 0.3), (0.5 * belt, 0.66 * belt), Paint(_PLATE, self.air + 0.6))
        level = 120.0 if self.vehicle.braking else 62.0
        lit = self.vehicle.running and (self.night or self.vehicle.braking)
        lens = Paint((150.0, 22.0, 20.0), self.air + 2.0, (level, 0.14 * level, 0.1 * level) if lit else NO_GLOW)
        for side in (-0.84, 0.84):
            self._panel(-1.0, (side - 0.14, side + 0.14), (0.6 * belt, 0.92 * belt), lens)
        self._panel(
            -1.0, (-0.66, -0.48), (_SILL - 0.08, _SILL + 0.03), Paint((70.0, 70.0, 70.0), self.air + 2.0 + 34.0 * hot)
        )
        self._panel(-1.0, (-0.8, -0.3), (0.06, _SILL - 0.06), Paint((18.0, 18.0, 18.0), self.air + 2.0 + 9.0 * hot))

    def _paint_top(self) -> None:
        """Paint bonnet and boot lid, which a camera above them sees."""
        body, metal = self.body, self.metal
        bonnet = [(-1.0, body.nose, 1.0), (-1.0, body.belt, body.front_low), (1.0, body.belt, body.front_low)]
        if self._face([*bonnet, (1.0, body.nose, 1.0)], metal.shaded(1.14, 9.0 * self.hot)):
            back = body.front_low + 0.25 * (1.0 - body.front_low)
            up = body.nose + 0.75 * (body.belt - body.nose)
            bulge = [(-0.6, body.nose, 0.96), (-0.6, up, back), (0.6, up, back), (0.6, body.nose, 0.96)]
            self._detail(bulge, metal.shaded(1.22, 13.0 * self.hot))
        lid = [
            (-1.0, body.belt, body.rear_low),
            (-1.0, body.belt, -1.0),
            (1.0, body.belt, -1.0),
            (1.0, body.belt, body.rear_low),
        ]
        self._face(lid, metal.shaded(1.1))

    def _paint_cabin(self) -> None:
        body = self.body
        low, roof = 0.96, body.roof
        belt, top = body.belt, body.height
        self._pane(
            (
                (low, belt, body.rear_low),
                (roof, top, body.rear_high),
                (-roof, top, body.rear_high),
                (-low, belt, body.rear_low),
            ),
            0.86,
        )
        self._pane(
            (
                (-low, belt, body.front_low),
                (-roof, top, body.front_high),
                (roof, top, body.front_high),
                (low, belt, body.front_low),
            ),
            0.9,
        )
        pillar = 0.5 * (body.rear_high + body.front_high)
        doors = ((body.rear_low, body.rear_high, pillar, pillar), (pillar, pillar, body.front_low, body.front_high))
        for back, back_top, ahead, ahead_top in doors:
            right = ((low, belt, ahead), (roof, top, ahead_top), (roof, top, back_top), (low, belt, back))
            left = ((-low, belt, back), (-roof, top, back_top), (-roof, top, ahead_top), (-low, belt, ahead))
            self._pane(right, 0.76)
            self._pane(left, 0.76)
        # A roof faces the cold sky, so it is the coldest metal of a car.
        cover = [
            (-roof, top, body.front_high),
            (-roof, top, body.rear_high),
            (roof, top, body.rear_high),
            (roof, top, body.front_high),
        ]
        self._face(cover, self.metal.shaded(1.12, -2.0))

    def _pane(self, corners: Sequence[Corner], shade: float) -> None:
        """Paint one side of the cabin and its window; corners run bottom, top, top, bottom as seen from outside."""
        if not self._face(corners, self.metal.shaded(shade)):
            return
        frame = np.array(corners)
        middle = frame.mean(axis=0)
        pane = middle + 0.84 * (frame - middle)
        self._fill_array(pane, self.glass)
        gleam = [0.5 * (pane[0] + pane[1]), pane[1], 0.6 * pane[2] + 0.4 * pane[1], 0.75 * pane[0] + 0.25 * pane[3]]
        self._fill_array(np.array(gleam), self.glass.shaded(1.5, -0.8))

    def _fill_array(self, corners: Points, paint: Paint) -> None:
        self._detail([(x, y, z) for x, y, z in corners.tolist()], paint)
