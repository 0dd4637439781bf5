"""From (seed, index) to one pair of images with boxes and the class of every pixel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dream_if.data.scenes.background import render_street
from dream_if.data.scenes.cameras import PointLight, see_infrared, see_visible
from dream_if.data.scenes.canvas import EMISSION_SCALE, Canvas, Halo, encode_temperature
from dream_if.data.scenes.furniture import Lamp, Tree
from dream_if.data.scenes.people import Person
from dream_if.data.scenes.plan import Plan, draw_plan
from dream_if.data.scenes.shadows import mask_ground
from dream_if.data.scenes.street import Camera, FloatArray
from dream_if.data.scenes.vehicles import Vehicle
from dream_if.errors import InputError

__all__ = ["LABELS", "MIN_SIZE", "Label", "ObjectBox", "Scene", "generate_scene"]


Label = Literal["person", "vehicle"]

LABELS: tuple[Label, ...] = ("person", "vehicle")
"""Names of the classes in the order of their numbers in label files."""

MIN_SIZE = 32
"""Smallest height and width of a scene in pixels."""

_MIN_BOX = 3  # pixels; less is not recognisable


@dataclass(frozen=True)
class ObjectBox:
    """Bounding box of what is visible of one object, in pixels: columns x0 <= x < x1, rows y0 <= y < y1."""

    label: Label
    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Scene:
    """One generated scene.

    Args:
        visible: RGB, uint8 (H, W, 3).
        infrared: Grey, white hot, uint8 (H, W); aligned with `visible` to the pixel.
        boxes: People and vehicles, the nearest last.
        classes: What each pixel shows, uint8 (H, W): 0 for the street with its trees and lamps, else one more than the
            position in `LABELS`. Unlike `boxes` it has what is nearly hidden, too.
        night: Whether lamps rather than the sun light the scene.
    """

    visible: npt.NDArray[np.uint8]
    infrared: npt.NDArray[np.uint8]
    boxes: tuple[ObjectBox, ...]
    classes: npt.NDArray[np.uint8]
    night: bool


def generate_scene(seed: int, index: int, size: tuple[int, int] = (240, 320)) -> Scene:
    """Generate one scene.

    The content depends on (seed, index) alone; another size shows the same street with more or fewer pixels.

    Args:
        seed: Which endless series of scenes; not negative.
        index: Position in the series; not negative.
        size: Height and width in pixels, each at least 32.

    Returns:
        The scene; equal arguments give equal pixels on one machine.

    Raises:
        InputError: If seed or index is negative or the size is too small.
    """
    if seed < 0 or index < 0:
        raise InputError(f"Scenes are numbered from 0: expected seed >= 0 and index >= 0, got {seed} and {index}.")
    height, width = size
    if min(height, width) < MIN_SIZE:
        raise InputError(f"A generated scene needs at least {MIN_SIZE} x {MIN_SIZE} pixels, got {height} x {width}.")
    plan = draw_plan(np.random.default_rng([seed, index]))
    weather = plan.weather
    camera = Camera(
        height=height,
        width=width,
        focal=plan.focal * float(np.sqrt(height * width)),
        column=plan.column * width,
        row=plan.row * height,
        x=plan.camera_x,
        y=plan.camera_y,
    )
    background = render_street(camera, plan.street, weather)
    surface = np.empty((height, width, 4), np.uint8)
    surface[..., :3] = np.clip(background.colour, 0, 255)
    surface[..., 3] = encode_temperature(background.temperature)
    emission = np.clip(np.sqrt(background.emission / EMISSION_SCALE) * 255.0, 0, 255).astype(np.uint8)
    canvas = Canvas(camera, surface, emission, np.zeros((height, width), np.uint8))

    shadow, warmth = mask_ground(camera, plan)
    depth, classes, boxes = _paint_objects(canvas, plan, background.depth)
    shadow *= background.ground
    warmth *= background.ground
    lights = _collect_lights(canvas, plan)
    sensor = np.random.default_rng([seed, index, 1])
    visible = see_visible(canvas, background, depth, shadow, weather, lights, plan.own_headlights, sensor)
    infrared = see_infrared(canvas, depth, warmth, weather, plan.white, sensor)
    return Scene(visible, infrared, boxes, classes, weather.night)


def _paint_objects(
    canvas: Canvas, plan: Plan, street_depth: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.uint8], tuple[ObjectBox, ...]]:
    """Paint all objects, far ones first; return the distance and class of each pixel, (H, W), and the visible boxes."""
    objects: list[Person | Vehicle | Tree | Lamp] = [*plan.people, *plan.vehicles, *plan.trees, *plan.lamps]
    objects.sort(key=lambda thing: -thing.z)
    distances = [0.0]
    painted = [0]
    for number, thing in enumerate(objects, start=1):
        canvas.current = number
        thing.paint(canvas, plan.weather)
        distances.append(thing.z)
        painted.append(int(np.count_nonzero(canvas.owner == number)))
    depth = np.where(canvas.owner > 0, np.array(distances, np.float32)[canvas.owner], street_depth)
    boxes = []
    classes = np.zeros_like(canvas.owner)
    for number, thing in enumerate(objects, start=1):
        if not isinstance(thing, Person | Vehicle):
            continue
        label: Label = "person" if isinstance(thing, Person) else "vehicle"
        mask = canvas.owner == number
        classes[mask] = LABELS.index(label) + 1
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size < _MIN_BOX or columns.size < _MIN_BOX or np.count_nonzero(mask) < 0.25 * painted[number]:
            continue
        boxes.append(ObjectBox(label, int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    return depth, classes, tuple(boxes)


def _collect_lights(canvas: Canvas, plan: Plan) -> list[PointLight]:
    """List what lights the night, and leave the glare around each lamp on the canvas."""
    if not plan.weather.night:
        return []
    camera = canvas.camera
    red, green, blue = plan.weather.lamp
    lights: list[PointLight] = []
    haze = 1.0 + 10.0 * plan.weather.fog

    def add_halo(position: npt.NDArray[np.float64], reach: float, strength: float, colour: tuple[float, ...]) -> None:
        column, row = camera.project(position[None])[0]
        radius = reach * camera.focal / position[2] + 0.03 * camera.height
        tint = (strength * colour[0] * haze, strength * colour[1] * haze, strength * colour[2] * haze)
        canvas.halos.append(Halo(float(column), float(row), float(radius), tint))

    for lamp in plan.lamps:
        x, y, z = lamp.head
        level = 15.0 * plan.weather.lamp_level
        lights.append(((x, y, z), (level * red, level * green, level * blue)))
        shift = -float(np.sign(lamp.x)) * 0.25
        add_halo(np.array([x + shift, y, z]), 1.5, 0.9 * plan.weather.lamp_level**0.5, plan.weather.lamp)
    for vehicle in plan.vehicles:
        if not vehicle.running or np.cos(vehicle.yaw) > -0.5:
            continue
        for position in vehicle.headlights():
            add_halo(position, 2.2, 1.6, (1.0, 0.96, 0.88))
        ahead = vehicle.z - vehicle.size[1] - 3.0
        if ahead > 1.0:
            lights.append(((vehicle.x, 1.0, ahead), (3.0, 2.9, 2.6)))
    return lights
