"""What objects do to the ground around them: the light they block and the heat they leave."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.data.scenes.canvas import Points, disc
from dream_if.data.scenes.plan import Plan
from dream_if.data.scenes.street import Camera, FloatArray

__all__ = ["mask_ground"]

_UNDER_ENGINE = 5.0  # kelvin
_SUN_MISSED = 1.8  # kelvin that ground in the shade is cooler


def mask_ground(camera: Camera, plan: Plan) -> tuple[FloatArray, FloatArray]:
    """Paint shadows and warm patches as seen on an endless ground plane.

    Args:
        camera: Where from.
        plan: What stands on the ground.

    Returns:
        Share of light kept from the ground in [0, 1], and kelvin added to it, both float32 (H, W).
    """
    weather = plan.weather
    sun = 0.0 if weather.night else 0.6 * (1.0 - weather.clouds)
    shadow, contact, heat = (np.zeros((camera.height, camera.width), np.uint8) for _ in range(3))
    if sun > 0:
        lean = np.array([weather.shadow[0], 0.0, weather.shadow[1]])
        for outline in _outlines(plan):
            _fill(shadow, camera, outline * (1.0, 0.0, 1.0) + outline[:, 1:2] * lean)
    for vehicle in plan.vehicles:
        half, length, _ = vehicle.size
        footprint = np.array([(-half, 0, -length), (half, 0, -length), (half, 0, length), (-half, 0, length)])
        _fill(contact, camera, vehicle.to_world(footprint * 1.03))
        if vehicle.running:
            _fill(heat, camera, vehicle.to_world(footprint * 1.05))
    for person in plan.people:
        sole = disc(person.x, person.z, 0.22, 0.16, 8)
        _fill(contact, camera, np.insert(sole, 1, 0.0, axis=1))
    soft = cv2.GaussianBlur(contact, (0, 0), 0.4 + 0.004 * camera.height).astype(np.float32) / 255
    warm = cv2.GaussianBlur(heat, (0, 0), 0.4 + 0.006 * camera.height).astype(np.float32) / 255
    shaded = sun * shadow.astype(np.float32) / 255
    return np.maximum(shaded, 0.85 * soft), _UNDER_ENGINE * warm - _SUN_MISSED * shaded


def _outlines(plan: Plan) -> Iterator[Points]:
    """Yield convex outlines (N, 3) in metres that throw shadows."""
    for vehicle in plan.vehicles:
        half, length, height = vehicle.size
        base = np.array([(-half, 0, -length), (half, 0, -length), (half, 0, length), (-half, 0, length)])
        roof = base * (0.75, 1.0, 0.5) + np.array([0.0, height, -0.1 * length])
        yield vehicle.to_world(np.concatenate([base, roof]))
    for person in plan.people:
        yield _upright(person.x, person.z, 0.2, person.height)
    for lamp in plan.lamps:
        yield _upright(lamp.x, lamp.z, 0.08, lamp.height)
    for tree in plan.trees:
        yield _upright(tree.x, tree.z, 0.15, 0.4 * tree.height)
        crown = disc(tree.x, 0.63 * tree.height, 0.3 * tree.height, 0.34 * tree.height, 10)
        yield np.insert(crown, 2, tree.z, axis=1)


def _upright(x: float, z: float, half: float, height: float) -> Points:
    return np.array([(x - half, 0.0, z), (x + half, 0.0, z), (x + half, height, z), (x - half, height, z)])


def _fill(mask: npt.NDArray[np.uint8], camera: Camera, points: Points) -> None:
    """Fill the convex hull of ground points (N, 3); what reaches behind the camera is left out."""
    if points[:, 2].min() < 0.5:
        return
    reach = 8 * max(mask.shape)
    pixels = np.clip(camera.project(points), -reach, reach)
    hull = cv2.convexHull(np.round((pixels - 0.5) * 16).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_AA, 4)
