"""The empty street as the camera sees it: facades, ground and sky in one set of buffers.

The street is a canyon (ground plane, two rows of facades, an end block), so every image column meets exactly one
facade: its distance is one number per column, and a texture is evaluated where the pixel's ray lands. Perspective,
foreshortening and the alignment of both views follow from that; nothing is warped afterwards.
"""

from dataclasses import dataclass

import numpy as np

from dream_if.data.scenes.facades import meet_facades, render_facades, render_side_walls
from dream_if.data.scenes.ground import render_ground
from dream_if.data.scenes.street import FAR, Camera, FloatArray, Street, Weather
from dream_if.data.scenes.textures import sample_noise, soften

__all__ = ["Background", "render_street"]


@dataclass(frozen=True)
class Background:
    """The rendered street.

    Args:
        colour: Reflectance (sky: radiance) in display RGB 0..255, (H, W, 3).
        temperature: Apparent temperature in degrees Celsius, (H, W).
        emission: Light of windows and signs, linear RGB where 1 is white in daylight, (H, W, 3).
        depth: Distance along the viewing axis in metres, (H, W).
        sunlight: Share of daylight that arrives, (H, W); for the sky 1.
        sky: Coverage by sky, (H, W).
        ground: Coverage by ground, (H, W).
    """

    colour: FloatArray
    temperature: FloatArray
    emission: FloatArray
    depth: FloatArray
    sunlight: FloatArray
    sky: FloatArray
    ground: FloatArray


def render_street(camera: Camera, street: Street, weather: Weather) -> Background:
    """Render the empty street.

    Args:
        camera: Where from.
        street: What is built.
        weather: Time of day and air.

    Returns:
        Buffers of shape (H, W) and (H, W, 3) in which objects are then painted.
    """
    right, down = camera.slopes
    columns = meet_facades(camera, street, right)
    row = down[:, None]
    base = camera.y / columns.distance
    height = street.heights.reshape(-1)[columns.building]
    ground_cover = soften((row - base) * camera.focal)
    wall_cover = soften((row - (camera.y - height) / columns.distance) * camera.focal) * (1.0 - ground_cover)
    wall_cover *= height > 0
    sky_cover = 1.0 - wall_cover - ground_cover

    first = int(np.clip(camera.row, 0, camera.height - 1))  # ground lies below the horizon only
    last = int(np.clip(np.ceil((base * camera.focal).max() + camera.row + 1), 1, camera.height))  # facades above this
    colour, temperature = _render_sky(camera, street, weather)
    emission = np.zeros_like(colour)
    sunlight = np.ones_like(temperature)
    depth = np.full_like(temperature, FAR)

    render_side_walls(camera, street, weather, columns, row[:last], wall_cover[:last], colour, temperature, depth)
    sky_cover *= depth == FAR

    facade, facade_temperature, emission[:last] = render_facades(camera, street, weather, columns, row[:last])
    cover = wall_cover[:last]
    colour[:last] += cover[..., None] * (facade - colour[:last])
    temperature[:last] += cover * (facade_temperature - temperature[:last])
    emission[:last] *= cover[..., None]
    lit_from_left = weather.shadow[0] > 0
    lit = np.where(columns.facing, 0.78, np.where(columns.right == lit_from_left, 1.0, 0.58))
    lit = lit + (0.8 - lit) * weather.clouds
    sunlight[:last] += cover * (lit.astype(np.float32) - 1.0)
    depth[:last] = np.where(cover > 0.5, columns.distance, depth[:last])

    ground, ground_temperature, ground_depth, shade = render_ground(camera, street, weather, right, down[first:])
    cover = ground_cover[first:]
    colour[first:] += cover[..., None] * (ground - colour[first:])
    temperature[first:] += cover * (ground_temperature - temperature[first:])
    sunlight[first:] += cover * (shade - sunlight[first:])
    depth[first:] = np.where(cover > 0.5, ground_depth, depth[first:])
    return Background(colour, temperature, emission, depth, sunlight, sky_cover, ground_cover)


def _render_sky(camera: Camera, street: Street, weather: Weather) -> tuple[FloatArray, FloatArray]:
    """Sky with clouds above a distant line of trees: colour (H, W, 3) and temperature (H, W)."""
    right, down = camera.slopes
    rise = np.clip(-down, 0.0, 1.0)[:, None] / 0.4
    zenith, horizon = (
        (np.array([10, 12, 22], np.float32), np.array([40, 34, 40], np.float32))
        if weather.night
        else (np.array([86, 138, 204], np.float32), np.array([192, 208, 224], np.float32))
    )
    blend = np.clip(rise, 0, 1)[..., None] ** 0.7
    shape = (camera.height, camera.width)
    colour = np.array(np.broadcast_to(horizon + (zenith - horizon) * blend, (*shape, 3)), np.float32, order="C")
    height = np.maximum(-down, 0.02)[:, None]
    drift = sample_noise(
        np.broadcast_to(right / (height + 0.25), shape),
        np.broadcast_to(2.0 / (height + 0.25), shape),
        5.0,
        street.origin,
    )
    cloud = np.clip(drift * 0.35 + 1.5 * weather.clouds - 0.6, 0.0, 1.0) * np.clip(rise * 6, 0, 1)
    tint = np.array([52, 50, 54] if weather.night else [206, 210, 216], np.float32)
    colour += 0.85 * cloud[..., None] * (tint - colour)
    # A clear sky is far colder than the air overhead and close to it at the horizon; clouds lie between.
    temperature = weather.air - 4.0 - (18.0 - 10.0 * weather.clouds) * np.clip(rise, 0, 1) ** 0.6 + 4.0 * cloud

    angle = np.broadcast_to(right * 6.0, (1, camera.width))
    crest = 0.035 + 0.012 * sample_noise(angle, np.zeros_like(angle) + 7.0, 3.0, street.origin)
    trees = soften((down[:, None] + np.maximum(crest, 0.01)) * camera.focal)
    foliage = np.array([14, 18, 16] if weather.night else [104, 126, 112], np.float32)
    colour += trees[..., None] * (foliage - colour)
    temperature = temperature + trees * (weather.air - 0.5 - temperature)
    return colour, np.array(np.broadcast_to(temperature, shape), np.float32, order="C")
