"""The two sensors that look at a painted scene: a colour camera and a long-wave infrared camera."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.data.scenes.background import Background
from dream_if.data.scenes.canvas import EMISSION_SCALE, Canvas, decode_temperature
from dream_if.data.scenes.street import FloatArray, Weather

__all__ = ["PointLight", "see_infrared", "see_visible"]


PointLight = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Position in metres and linear colour times intensity, in units of daylight white times square metres."""


def see_visible(
    canvas: Canvas,
    background: Background,
    depth: FloatArray,
    shadow: FloatArray,
    weather: Weather,
    lights: list[PointLight],
    own_headlights: bool,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Light the scene and photograph it.

    Args:
        canvas: The painted scene.
        background: The empty street it was painted on.
        depth: Distance of what each pixel shows in metres, (H, W).
        shadow: Share of light that objects keep from the ground, (H, W).
        weather: Time of day and air.
        lights: Street lamps and headlights that light their surroundings at night.
        own_headlights: Whether the camera's own vehicle lights the road.
        rng: Source of the sensor noise.

    Returns:
        RGB image, uint8 (H, W, 3).
    """
    street = canvas.owner == 0
    sky = background.sky * street
    reflectance = np.square(canvas.surface[..., :3].astype(np.float32) * np.float32(1 / 255))
    shade = 1.0 - shadow * street
    if weather.night:
        light = _lamp_light(canvas, depth, lights, own_headlights)
        light *= shade[..., None]
        light += sky[..., None] * (1.0 - light)
    else:
        direct = np.where(street, background.sunlight, 0.9) * shade
        warm = np.array([1.03, 1.0, 0.95], np.float32)
        cool = np.array([0.93, 0.98, 1.08], np.float32)
        light = (0.08 + 0.92 * direct)[..., None] * (cool + direct[..., None] * (warm - cool))
        light += sky[..., None] * (1.0 - light)
    emission = np.square(canvas.emission.astype(np.float32) * np.float32(1 / 255)) * np.float32(EMISSION_SCALE)
    linear = reflectance * light + emission
    if weather.fog > 0:
        passed = np.exp(-weather.fog * depth)[..., None]
        haze = np.array([0.05, 0.048, 0.05] if weather.night else [0.62, 0.65, 0.68], np.float32)
        linear = haze + passed * (linear - haze)
    if weather.night:
        linear += _glare(canvas, emission, weather, background.ground * street)
    exposed = 1.0 - np.exp(-(3.4 if weather.night else 2.1) * linear)
    # The square root stands in for display gamma; it also makes shot noise uniform (Anscombe, Biometrika 1948).
    display = np.sqrt(np.maximum(exposed, 0.0)) * 255.0
    noise = rng.standard_normal(display.shape, dtype=np.float32)
    display += noise * (4.5 if weather.night else 1.4)
    image: npt.NDArray[np.uint8] = np.clip(display + 0.5, 0, 255).astype(np.uint8)
    return image


def _lamp_light(canvas: Canvas, depth: FloatArray, lights: list[PointLight], own_headlights: bool) -> FloatArray:
    """Light that arrives at each pixel's surface at night, linear RGB (H, W, 3)."""
    camera = canvas.camera
    right, down = camera.slopes
    x = camera.x + right * depth
    y = camera.y - down[:, None] * depth
    light = np.empty((*depth.shape, 3), np.float32)
    light[:] = (0.012, 0.013, 0.019)
    for colour in dict.fromkeys(colour for _, colour in lights):
        strength = np.zeros_like(depth)
        for px, py, pz in (position for position, other in lights if other == colour):
            squared = np.square(x - px) + np.square(y - py) + np.square(depth - pz) + 1.2
            strength += py / (squared * np.sqrt(squared))
        light += strength[..., None] * np.array(colour, np.float32)
    if own_headlights:
        beam = np.exp(-np.square((x - camera.x) / (0.30 * depth + 1.4)) - depth / 16.0 - np.maximum(y - 0.9, 0.0))
        light += (0.55 * beam)[..., None] * np.array([1.0, 0.95, 0.84], np.float32)
    return light


def _glare(canvas: Canvas, emission: FloatArray, weather: Weather, ground: FloatArray) -> FloatArray:
    """Light scattered in lens and air, and its reflection on a wet road, linear RGB (H, W, 3)."""
    height, width = canvas.camera.height, canvas.camera.width
    small = (max(1, width // 4), max(1, height // 4))
    coarse = cv2.resize(emission, small, interpolation=cv2.INTER_AREA)
    haze = 1.0 + 14.0 * weather.fog
    bloom = 0.1 * haze * cv2.GaussianBlur(coarse, (0, 0), max(0.4, 0.012 * small[1]))
    bloom += 0.06 * haze * cv2.GaussianBlur(coarse, (0, 0), max(0.6, 0.06 * small[1]))
    total = np.asarray(cv2.resize(bloom, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    if weather.wet > 0:
        streak = cv2.GaussianBlur(coarse, (0, 0), max(0.4, 0.008 * small[0]), sigmaY=max(0.6, 0.16 * small[1]))
        full = np.asarray(cv2.resize(streak, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        total += (1.1 * weather.wet * ground)[..., None] * full
    for halo in canvas.halos:
        column, row = int(halo.column), int(halo.row)
        if not (0 <= column < width and 0 <= row < height) or canvas.emission[row, column].max() < 60:
            continue
        reach = max(2, round(halo.radius))
        sprite = np.asarray(cv2.resize(_halo_sprite(), (2 * reach + 1, 2 * reach + 1)), np.float32)
        top, left = max(row - reach, 0), max(column - reach, 0)
        bottom, right = min(row + reach + 1, height), min(column + reach + 1, width)
        part = sprite[top - row + reach : bottom - row + reach, left - column + reach : right - column + reach]
        total[top:bottom, left:right] += part[..., None] * np.array(halo.colour, np.float32)
    return total


@cache
def _halo_sprite() -> FloatArray:
    """Glare of one lamp, (129, 129): 1 at the centre, 0 at the rim, with the faint rays of an iris."""
    axis = np.linspace(-1, 1, 129, dtype=np.float32)
    radius = np.hypot(axis[None], axis[:, None])
    angle = np.arctan2(axis[:, None], axis[None])
    core = np.exp(-np.square(radius / 0.22)) + 0.16 / (1.0 + np.square(radius / 0.12))
    rays = 0.10 * np.exp(-radius / 0.35) * np.power(np.abs(np.cos(3.0 * angle + 0.4)), 24)
    return ((core + rays) * np.clip(1.0 - radius, 0, 1) ** 0.8 / 1.26).astype(np.float32)


def see_infrared(
    canvas: Canvas, depth: FloatArray, warmth: FloatArray, weather: Weather, span: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Photograph the scene's temperatures, white hot.

    Args:
        canvas: The painted scene.
        depth: Distance of what each pixel shows in metres, (H, W).
        warmth: Kelvin that objects add to the ground around them, (H, W).
        weather: Air temperature and fog; fog absorbs a quarter as much as in the visible.
        span: Degrees Celsius that are shown as white.
        rng: Source of the sensor noise.

    Returns:
        Grey image, uint8 (H, W).
    """
    temperature = decode_temperature(canvas.surface[..., 3]) + warmth * (canvas.owner == 0)
    passed = np.exp(-(0.25 * weather.fog + 0.002) * depth)
    temperature = weather.air + passed * (temperature - weather.air)
    height, width = temperature.shape
    # Long waves diffract more and detectors are coarser: the thermal view is softer than the visible one.
    softened = cv2.GaussianBlur(temperature, (0, 0), 0.55 + 0.0016 * height)
    low = weather.air - 9.0
    # Like a camera's automatic gain: mid tones are lifted, and detail is raised against its surroundings.
    level = np.clip((softened - low) / (span - low), 0.0, 1.1) ** 0.75
    surroundings = cv2.blur(level, (height // 12 * 2 + 1, height // 12 * 2 + 1))
    level += 0.2 * (level - surroundings)
    level += 0.004 * rng.standard_normal((height, width), dtype=np.float32)
    level += 0.002 * rng.standard_normal((1, width), dtype=np.float32)
    image: npt.NDArray[np.uint8] = np.clip(level * 250.0 + 3.0, 0, 255).astype(np.uint8)
    return image
