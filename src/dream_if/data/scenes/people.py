"""People of a generated scene."""

from dataclasses import dataclass

import numpy as np

from dream_if.data.scenes.canvas import Canvas, Colour, Paint, Points, disc
from dream_if.data.scenes.street import Weather

__all__ = ["Person"]


@dataclass(frozen=True)
class Person:
    """A walking or standing person, seen upright.

    Args:
        x: Position across the street in metres.
        z: Distance in metres.
        height: Body height in metres.
        sideways: Whether seen from the side; else from the front or back.
        heading: +1 walks to the right or towards the camera, -1 otherwise.
        stride: Phase of the step in [-1, 1]; 0 stands.
        top: Colour of the upper clothing, display RGB.
        trousers: Colour of the lower clothing.
        skin: Colour of the skin.
        hair: Colour of the hair.
        coat: How far the upper clothing reaches below the hip, in metres.
        bag: Whether a backpack is carried.
        insulation: How much of the body's warmth clothing keeps from the camera, in [0, 1].
    """

    x: float
    z: float
    height: float
    sideways: bool
    heading: int
    stride: float
    top: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    coat: float
    bag: bool
    insulation: float

    @staticmethod
    def draw(rng: np.random.Generator, x: float, z: float, *, crossing: bool) -> "Person":
        """Draw a person at a place; `crossing` makes them walk across the street."""
        clothes = rng.integers(18, 190, (2, 3)).astype(float) * rng.uniform(0.35, 1.0, (2, 1))
        grey = clothes.mean(axis=1, keepdims=True)
        vivid = rng.uniform(0.1, 1.3, (2, 1))
        clothes = np.clip(grey + vivid * (clothes - grey), 8, 235)
        tone = float(rng.uniform(0.45, 1.0))
        dark = float(rng.uniform(0.15, 0.9))
        return Person(
            x=x,
            z=z,
            height=float(rng.uniform(1.55, 1.9)),
            sideways=bool(crossing or rng.random() < 0.3),
            heading=int(rng.choice([-1, 1])),
            stride=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 1.0)),
            top=(clothes[0, 0], clothes[0, 1], clothes[0, 2]),
            trousers=(clothes[1, 0] * 0.7, clothes[1, 1] * 0.7, clothes[1, 2] * 0.75),
            skin=(232 * tone, 188 * tone, 160 * tone),
            hair=(110 * dark, 80 * dark, 56 * dark),
            coat=float(rng.choice([0.0, 0.05, 0.35])),
            bag=bool(rng.random() < 0.3),
            insulation=float(rng.uniform(0.25, 0.5)),
        )

    def paint(self, canvas: Canvas, weather: Weather) -> None:
        """Paint the person: head and hands at skin temperature, clothing and legs cooler, shoes coldest."""
        camera = canvas.camera
        scale = camera.focal / self.z * self.height / 1.75
        foot = camera.project(np.array([[self.x, 0.0, self.z]]))[0]

        def stroke(outline: Points, paint: Paint) -> None:
            flipped = outline * (self.heading, 1.0)
            canvas.fill(foot + flipped * (scale, -scale), paint)

        loss = 34.0 - weather.air
        warm = weather.air + (1.0 - self.insulation) * loss
        top = Paint(self.top, warm)
        legs = Paint(self.trousers, warm - 0.12 * loss)
        shoes = Paint((34.0, 30.0, 30.0), weather.air + 0.25 * loss)
        skin = Paint(self.skin, weather.air + 0.94 * loss)
        hair = Paint(self.hair, weather.air + 0.72 * loss)

        swing = self.stride
        if self.sideways:
            shoulder, hip, spread, reach = 0.15, 0.135, 0.04, 0.30
        else:
            shoulder, hip, spread, reach = 0.205, 0.16, 0.095, 0.05
        lift = 0.0 if self.sideways else 0.07
        joints = []
        for sign in (-1.0, 1.0):
            step = sign * swing
            knee = (sign * spread + 0.55 * step * reach + (0.05 if self.sideways else 0.0), 0.50)
            ankle = (sign * spread + step * reach - (0.06 if step < 0 and self.sideways else 0.0), 0.08)
            raised = lift * max(0.0, step) + (0.06 if step < 0 and self.sideways else 0.0)
            joints.append((sign, knee, (ankle[0], ankle[1] + raised)))
        for sign, knee, ankle in joints:
            far = 0.8 if sign < 0 else 1.0
            toe = (ankle[0] + (0.14 if self.sideways else 0.02 * sign), ankle[1] - 0.045)
            stroke(_limb((ankle[0] - 0.02, ankle[1] - 0.035), toe, 0.05, 0.04), shoes)
            stroke(_limb(knee, ankle, 0.07, 0.05), legs.shaded(far * 0.92, -0.06 * loss))
            stroke(_limb((sign * 0.55 * spread, 0.90), knee, 0.105, 0.075), legs.shaded(far, 0.04 * loss))
        if self.bag and self.sideways:
            stroke(_limb((-0.2, 1.32), (-0.21, 1.05), 0.1, 0.12), Paint((60.0, 52.0, 44.0), weather.air + 0.22 * loss))

        def arm(sign: float, factor: float) -> None:
            step = -sign * swing
            side = 0.0 if self.sideways else sign
            elbow = (side * (shoulder + 0.035) + 0.45 * step * reach, 1.14)
            hand = (side * (shoulder + 0.02) + 0.9 * step * reach + (0.07 if self.sideways else 0.0), 0.88)
            start = (side * (shoulder - 0.02), 1.39)
            stroke(_limb(start, elbow, 0.062, 0.052), top.shaded(factor, -0.02 * loss))
            stroke(_limb(elbow, hand, 0.052, 0.04), top.shaded(factor * 0.95, -0.04 * loss))
            stroke(disc(hand[0], hand[1] - 0.03, 0.042, 0.055, 8), skin.shaded(0.95, -0.08 * loss))

        arm(-1.0, 0.8)
        if not self.sideways:
            arm(1.0, 0.85)
        low = 0.9 - self.coat
        flare = 0.25 * self.coat
        torso = np.array(
            [
                (-shoulder + 0.03, 1.45),
                (shoulder - 0.03, 1.45),
                (shoulder, 1.36),
                (hip - 0.01, 1.08),
                (hip + flare, low),
                (-hip - flare, low),
                (-hip + 0.01, 1.08),
                (-shoulder, 1.36),
            ]
        )
        stroke(torso, top)
        chest = torso * (0.55, 0.86) + (0.25 * shoulder, 0.18)
        stroke(chest, top.shaded(1.22, 0.07 * loss))
        if self.sideways:
            arm(1.0, 0.9)
        elif self.bag and self.heading < 0:
            stroke(_limb((0.0, 1.32), (0.0, 1.08), 0.15, 0.16), Paint((60.0, 52.0, 44.0), weather.air + 0.22 * loss))
        stroke(_limb((0.0, 1.44), (0.01, 1.53), 0.055, 0.052), skin.shaded(0.9))
        face = 0.03 if self.sideways else 0.0
        stroke(disc(face * 0.5, 1.635, 0.098, 0.128), hair)
        if self.sideways or self.heading > 0:
            stroke(disc(face, 1.615, 0.078, 0.105), skin)


def _limb(start: tuple[float, float], end: tuple[float, float], width_start: float, width_end: float) -> Points:
    """Outline (N, 2) of a tapered limb with rounded ends between two joints; widths are half widths."""
    direction = np.arctan2(end[1] - start[1], end[0] - start[0])
    back = direction + np.pi / 2 + np.linspace(0, np.pi, 5)
    front = direction - np.pi / 2 + np.linspace(0, np.pi, 5)
    return np.concatenate(
        [
            np.stack([start[0] + width_start * np.cos(back), start[1] + width_start * np.sin(back)], axis=1),
            np.stack([end[0] + width_end * np.cos(front), end[1] + width_end * np.sin(front)], axis=1),
        ]
    )
