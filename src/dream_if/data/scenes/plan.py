"""What happens in a generated scene: the draw of weather, camera, traffic and people, before any size is known."""

from dataclasses import dataclass

import numpy as np

from dream_if.data.scenes.furniture import Lamp, Tree
from dream_if.data.scenes.people import Person
from dream_if.data.scenes.street import Street, Weather, draw_street
from dream_if.data.scenes.vehicles import Vehicle

__all__ = ["Plan", "draw_plan"]


@dataclass(frozen=True)
class Plan:
    """Everything drawn for a scene before its size matters."""

    weather: Weather
    street: Street
    focal: float  # in units of the geometric mean of height and width
    column: float  # vanishing point, share of the width
    row: float  # horizon, share of the height
    camera_x: float
    camera_y: float
    own_headlights: bool
    white: float  # degrees Celsius shown as white
    people: tuple[Person, ...]
    vehicles: tuple[Vehicle, ...]
    trees: tuple[Tree, ...]
    lamps: tuple[Lamp, ...]


def draw_plan(rng: np.random.Generator) -> Plan:
    """Draw a scene's content."""
    weather = _draw_weather(rng)
    street = draw_street(rng, weather)
    raised = bool(rng.random() < 0.3)  # a camera on a pole rather than in a car
    camera_y = float(rng.uniform(3.2, 4.8) if raised else rng.uniform(1.35, 2.1))
    camera_x = float(rng.uniform(-1.0, 1.0) * 0.8 * street.road)
    plan = Plan(
        weather=weather,
        street=street,
        focal=float(rng.uniform(0.9, 1.25)),
        column=float(np.clip(0.5 - 0.035 * camera_x + rng.normal(0.0, 0.06), 0.3, 0.7)),
        row=float(rng.uniform(0.24, 0.32) if raised else rng.uniform(0.36, 0.46)),
        camera_x=camera_x,
        camera_y=camera_y,
        own_headlights=bool(weather.night and not raised and rng.random() < 0.6),
        white=float(rng.uniform(37.0, 41.0)),
        people=(),
        vehicles=(),
        trees=(),
        lamps=(),
    )
    lamps, trees = _draw_furniture(rng, plan)
    vehicles = _draw_vehicles(rng, plan)
    people = _draw_people(rng, plan, vehicles)
    return Plan(**{**vars(plan), "people": people, "vehicles": vehicles, "trees": trees, "lamps": lamps})


def _draw_weather(rng: np.random.Generator) -> Weather:
    """Draw the time of day and the air."""
    night = bool(rng.random() < 0.6)
    side = float(rng.choice([-1.0, 1.0]))
    foggy = rng.random() < 0.2
    fog = float(rng.uniform(0.012, 0.04))
    wet = float(rng.uniform(0.3, 1.0))
    lamps = ((1.0, 0.62, 0.26), (1.0, 0.86, 0.62), (0.86, 0.95, 1.0))
    return Weather(
        night=night,
        air=float(rng.uniform(2.0, 16.0)),
        fog=fog if foggy else (0.0 if night else 0.0025),
        clouds=float(rng.beta(0.6, 0.7)),
        shadow=(side * float(rng.uniform(0.3, 1.0)), float(rng.uniform(-0.8, 0.8))),
        lamp=lamps[int(rng.integers(len(lamps)))],
        lamp_level=float(rng.choice([1.0, 0.45, 0.12], p=[0.45, 0.3, 0.25])),
        wet=wet if night and rng.random() < 0.4 else 0.0,
    )


def _draw_furniture(rng: np.random.Generator, plan: Plan) -> tuple[tuple[Lamp, ...], tuple[Tree, ...]]:
    """Draw lamps on one or both sides and trees between them."""
    street = plan.street
    spacing = float(rng.uniform(16.0, 26.0))
    start = float(rng.uniform(5.0, 5.0 + spacing))
    height = float(rng.uniform(5.0, 7.0))
    both = bool(rng.random() < 0.5)
    first = float(rng.choice([-1.0, 1.0]))
    lamps = []
    for k in range(4):
        side = first if not both or k % 2 == 0 else -first
        lamps.append(Lamp(side * (street.road + 0.45), start + k * spacing * (0.6 if both else 1.0), height))
    leaf = rng.uniform([52, 82, 30], [112, 126, 62])
    trees = []
    for side in (-1.0, 1.0):
        wanted = int(rng.integers(0, 5)) if street.grass else int(rng.integers(0, 3))
        for z in np.sort(rng.uniform(9.0, 60.0, 5))[:wanted]:
            tint = leaf * rng.uniform(0.8, 1.2)
            offset = street.walk * 0.2 if not street.grass else street.walk + rng.uniform(0.3, 3.0)
            trees.append(
                Tree(
                    x=side * (street.road + 0.5 + float(offset)),
                    z=float(z),
                    height=float(rng.uniform(4.5, 9.0)),
                    variant=int(rng.integers(4)),
                    colour=(float(tint[0]), float(tint[1]), float(tint[2])),
                )
            )
    return tuple(lamps), tuple(trees)


def _draw_vehicles(rng: np.random.Generator, plan: Plan) -> tuple[Vehicle, ...]:
    """Draw traffic keeping to the right, parked cars on wide roads, and now and then a car that crosses."""
    street = plan.street
    vehicles: list[Vehicle] = []
    lane = street.road * (0.45 if street.road < 5 else 0.3)

    def place(x: float, z: float, yaw: float, *, running: bool) -> None:
        candidate = Vehicle.draw(rng, x, z, yaw, running=running)
        if all(abs(v.z - z) > 7.0 or abs(v.x - x) > 2.3 for v in vehicles):
            vehicles.append(candidate)

    for z in rng.uniform(9.0, 46.0, int(rng.integers(1, 3))):
        place(-lane + float(rng.normal(0, 0.15)), float(z), np.pi + float(rng.normal(0, 0.02)), running=True)
    for z in rng.uniform(10.0, 46.0, int(rng.integers(0, 3))):
        place(lane + float(rng.normal(0, 0.15)), float(z), float(rng.normal(0, 0.02)), running=True)
    if rng.random() < 0.3:
        z = street.crossing + float(rng.uniform(6.0, 14.0))
        place(float(rng.uniform(-2.5, 2.5)), z, float(rng.choice([-1, 1])) * np.pi / 2, running=True)
    parked = street.road > 5
    for side in (-1.0, 1.0):
        for z in rng.uniform(7.0, 50.0, 3):
            if parked:
                yaw = 0.0 if side > 0 else np.pi
                place(
                    side * (street.road - 1.05),
                    float(z),
                    yaw,
                    running=bool(rng.random() < 0.2) and not plan.weather.night,
                )
    return tuple(v for v in vehicles if abs(v.z - street.crossing - 1.6) > 4.2)


def _draw_people(rng: np.random.Generator, plan: Plan, vehicles: tuple[Vehicle, ...]) -> tuple[Person, ...]:
    """Draw walkers on the pavements, people on the crossing, and at night someone beside a headlight."""
    street = plan.street
    half_view = 0.5 / plan.focal  # slope of the narrower image's edge; inside it for every usual shape
    people: list[Person] = []

    def in_view(x: float, z: float) -> bool:
        slope = (x - plan.camera_x) / z
        return -plan.column * 2 * half_view < slope < (1 - plan.column) * 2 * half_view

    for k in range(int(rng.integers(2, 7))):
        near, far = (5.5, 11.0) if k == 0 else (7.0, 34.0)
        for _ in range(6):
            z = float(rng.uniform(near, far))
            x = float(rng.choice([-1.0, 1.0]) * (street.road + rng.uniform(0.5, street.walk - 0.2)))
            if in_view(x, z):
                break
        people.append(Person.draw(rng, x, z, crossing=False))
    for _ in range(int(rng.integers(0, 4))):
        x = float(rng.uniform(-street.road, street.road))
        people.append(Person.draw(rng, x, street.crossing + float(rng.uniform(0.4, 2.8)), crossing=True))
    if plan.weather.night:
        oncoming = [v for v in vehicles if v.running and abs(v.yaw - np.pi) < 0.2 and in_view(v.x, v.z)]
        if oncoming:
            nearest = min(oncoming, key=lambda v: v.z)
            side = float(rng.choice([-1.0, 1.0]))
            z = nearest.z - nearest.size[1] + float(rng.uniform(0.4, 1.6))
            people.append(Person.draw(rng, nearest.x + side * float(rng.uniform(1.15, 1.45)), z, crossing=False))
    return tuple(people)
