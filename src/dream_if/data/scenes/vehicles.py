"""Vehicles of a generated scene."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from dream_if.data.scenes.canvas import NO_GLOW, Canvas, Colour, Paint, Points, disc
from dream_if.data.scenes.street import Weather

__all__ = ["Vehicle"]


_CAR_COLOURS: tuple[Colour, ...] = (
    (226, 226, 224),
    (178, 182, 186),
    (96, 100, 106),
    (40, 42, 46),
    (168, 36, 32),
    (40, 72, 140),
    (36, 84, 66),
    (222, 176, 44),
)


@dataclass(frozen=True)
class Vehicle:
    """A car, off-roader or van as a closed box model with a cabin.

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
            colour=_CAR_COLOURS[int(rng.integers(len(_CAR_COLOURS)))],
            running=running,
            braking=bool(rng.random() < 0.5),
        )

    @property
    def size(self) -> tuple[float, float, float]:
        """Half width, half length and height in metres."""
        return ((0.9, 2.25, 1.45), (0.88, 2.0, 1.5), (0.96, 2.3, 1.75), (0.98, 2.5, 2.1))[self.kind]

    def to_world(self, points: Points) -> Points:
        """Map the vehicle's own (right, up, forward) metres to the world's, both (N, 3)."""
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        turn = np.array([(cosine, 0.0, -sine), (0.0, 1.0, 0.0), (sine, 0.0, cosine)])
        return points @ turn + (self.x, 0.0, self.z)

    def headlights(self) -> Points:
        """Where the two headlights are, (2, 3) in metres."""
        half, length, height = self.size
        return self.to_world(np.array([(side * half * 0.74, 0.45 * height, length) for side in (-1.0, 1.0)]))

    def paint(self, canvas: Canvas, weather: Weather) -> None:
        """Paint the vehicle: faces turned away are skipped, details follow the face they lie on."""
        air, night = weather.air, weather.night
        half, length, height = self.size
        belt = 0.58 * height
        sill = 0.24
        sun = 0.0 if night else 3.5 * (1.0 - weather.clouds)
        hot = 1.0 if self.running else 0.0
        body = Paint(self.colour, air + 0.6 + sun)
        glass = Paint((34.0, 42.0, 50.0), air - 1.5 + 2.0 * hot)
        plastic = Paint((30.0, 30.0, 32.0), air + 2.0 + sun + 4.0 * hot)
        tyre = Paint((24.0, 24.0, 25.0), air + 1.5 + 9.0 * hot)
        hub = Paint((138.0, 140.0, 144.0), air + 1.5 + 13.0 * hot)

        # Where hood, cabin and roof begin along the length, from the rear (-1) to the front (+1).
        rear_low, rear_high, front_high, front_low = (
            (-0.74, -0.42, 0.08, 0.42),
            (-0.96, -0.72, 0.12, 0.46),
            (-0.97, -0.85, 0.12, 0.44),
            (-0.98, -0.96, 0.40, 0.66),
        )[self.kind]
        nose = belt * 0.9
        inset = 0.72 if self.kind < 2 else 0.84
        shoulder = 0.96

        def show(points: Sequence[tuple[float, float, float]], paint: Paint, *, closed: bool = True) -> bool:
            """Fill a face given anticlockwise as seen from outside; report whether it faces the camera."""
            pixels = canvas.camera.project(self.to_world(np.array(points) * (half, 1.0, length)))
            if closed and cv2.contourArea(pixels.astype(np.float32), oriented=True) >= 0:
                return False
            canvas.fill(pixels, paint)
            return True

        def panel(end: float, x0: float, x1: float, y0: float, y1: float, paint: Paint) -> None:
            """Paint a detail on the front (+1) or rear (-1) face."""
            show([(x0, y0, end), (x1, y0, end), (x1, y1, end), (x0, y1, end)], paint, closed=False)

        for end in (-0.62, 0.62):
            for side in (-0.78, 0.78):
                edge = [
                    (side - 0.12, 0.0, end),
                    (side + 0.12, 0.0, end),
                    (side + 0.12, 0.4, end),
                    (side - 0.12, 0.4, end),
                ]
                show(edge, tyre, closed=False)

        for side in (-1.0, 1.0):
            outline = [
                (side, sill, -1.0),
                (side, belt, -1.0),
                (side, belt, front_low),
                (side, nose, 1.0),
                (side, sill, 1.0),
            ]
            if not show(outline if side > 0 else outline[::-1], body.shaded(0.86)):
                continue
            skirt = [(side, sill, -1.0), (side, sill + 0.1, -1.0), (side, sill + 0.1, 1.0), (side, sill, 1.0)]
            show(skirt, plastic, closed=False)
            show(
                [
                    (side, belt - 0.04, -0.98),
                    (side, belt, -0.98),
                    (side, belt, front_low),
                    (side, belt - 0.04, front_low),
                ],
                body.shaded(1.2, 0.2),
                closed=False,
            )
            engine = [(side, 0.36, 0.62), (side, nose - 0.06, 0.62), (side, nose - 0.06, 0.98), (side, 0.36, 0.98)]
            show(engine, body.shaded(0.86, 4.0 * hot), closed=False)
            for door in (front_low * 0.9, 0.5 * (rear_low + front_low) - 0.08):
                seam = [
                    (side, sill + 0.1, door),
                    (side, belt, door),
                    (side, belt, door + 0.012),
                    (side, sill + 0.1, door + 0.012),
                ]
                show(seam, body.shaded(0.5), closed=False)
            for axle in (-0.62, 0.62):
                for radius, paint in ((0.36, plastic), (0.32, tyre), (0.19, hub), (0.07, tyre)):
                    ring = disc(axle, 0.32, radius / length, radius)
                    show([(side, y, z) for z, y in ring.tolist()], paint, closed=False)

        front = [(-1.0, sill, 1.0), (-1.0, nose, 1.0), (1.0, nose, 1.0), (1.0, sill, 1.0)]
        if show(front, body.shaded(0.95, 5.0 * hot)):
            panel(1.0, -1.0, 1.0, sill, sill + 0.14, plastic.shaded(1.0, 3.0 * hot))
            panel(1.0, -0.5, 0.5, 0.5 * nose, 0.86 * nose, Paint((26.0, 26.0, 28.0), air + 1.0 + 17.0 * hot))
            panel(1.0, -0.3, 0.3, 0.42 * nose, 0.56 * nose, Paint((228.0, 228.0, 216.0), air + 0.8 + 6.0 * hot))
            glow = (255.0, 246.0, 224.0) if self.running and night else NO_GLOW
            for side in (-0.76, 0.76):
                lens = Paint((232.0, 236.0, 240.0), air + 1.0 + 12.0 * hot, glow)
                panel(1.0, side - 0.18, side + 0.18, 0.66 * nose, 0.9 * nose, lens)
        rear = [(1.0, sill, -1.0), (1.0, belt, -1.0), (-1.0, belt, -1.0), (-1.0, sill, -1.0)]
        if show(rear, body.shaded(0.9, 0.8 * hot)):
            panel(-1.0, -1.0, 1.0, sill, sill + 0.16, plastic.shaded(1.0, 5.0 * hot))
            panel(-1.0, -0.3, 0.3, 0.5 * belt, 0.66 * belt, Paint((228.0, 228.0, 216.0), air + 0.6))
            level = 120.0 if self.braking else 62.0
            glow = (level, level * 0.14, level * 0.1) if self.running and (night or self.braking) else NO_GLOW
            for side in (-0.84, 0.84):
                panel(
                    -1.0, side - 0.14, side + 0.14, 0.6 * belt, 0.92 * belt, Paint((150.0, 22.0, 20.0), air + 2.0, glow)
                )
            panel(-1.0, -0.66, -0.48, sill - 0.08, sill + 0.03, Paint((70.0, 70.0, 70.0), air + 2.0 + 34.0 * hot))
            panel(-1.0, -0.8, -0.3, 0.06, sill - 0.06, Paint((18.0, 18.0, 18.0), air + 2.0 + 9.0 * hot))

        hood = [(-1.0, nose, 1.0), (-1.0, belt, front_low), (1.0, belt, front_low), (1.0, nose, 1.0)]
        if show(hood, body.shaded(1.14, 9.0 * hot)):
            show(
                [(-0.6, nose + 0.01, 0.94), (-0.6, belt, 0.6), (0.6, belt, 0.6), (0.6, nose + 0.01, 0.94)],
                body.shaded(1.2, 13.0 * hot),
                closed=False,
            )
        show([(-1.0, belt, rear_low), (-1.0, belt, -1.0), (1.0, belt, -1.0), (1.0, belt, rear_low)], body.shaded(1.1))

        roof_y = height
        cabin = body.shaded(0.9)

        def pane(
            a: tuple[float, float, float],
            b: tuple[float, float, float],
            c: tuple[float, float, float],
            d: tuple[float, float, float],
            shade: float,
        ) -> None:
            """Paint one side of the cabin with its window; corners run bottom, top, top, bottom from outside."""
            if not show([a, b, c, d], cabin.shaded(shade)):
                return
            corners = np.array([a, b, c, d])
            middle = corners.mean(axis=0)
            inner = middle + (corners - middle) * 0.84
            show([(p[0], p[1], p[2]) for p in inner.tolist()], glass, closed=False)
            upper = (
                0.5 * (inner[0] + inner[1]),
                inner[1],
                0.6 * inner[2] + 0.4 * inner[1],
                0.75 * inner[0] + 0.25 * inner[3],
            )
            show([(p[0], p[1], p[2]) for p in (q.tolist() for q in upper)], glass.shaded(1.5, -0.8), closed=False)

        lo, hi = shoulder, inset
        pane((lo, belt, rear_low), (hi, roof_y, rear_high), (-hi, roof_y, rear_high), (-lo, belt, rear_low), 0.95)
        pane((-lo, belt, front_low), (-hi, roof_y, front_high), (hi, roof_y, front_high), (lo, belt, front_low), 1.0)
        pillar = 0.5 * (rear_high + front_high)
        for back, back_top, ahead, ahead_top in (
            (rear_low, rear_high, pillar, pillar),
            (pillar, pillar, front_low, front_high),
        ):
            pane((lo, belt, ahead), (hi, roof_y, ahead_top), (hi, roof_y, back_top), (lo, belt, back), 0.85)
            pane((-lo, belt, back), (-hi, roof_y, back_top), (-hi, roof_y, ahead_top), (-lo, belt, ahead), 0.85)
        show(
            [(-hi, roof_y, front_high), (-hi, roof_y, rear_high), (hi, roof_y, rear_high), (hi, roof_y, front_high)],
            body.shaded(1.12, -2.0),
        )
