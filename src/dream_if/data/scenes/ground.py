"""Ground of a generated street: asphalt with its marks, paving and grass, and the shadows buildings throw on it."""

import numpy as np

from dream_if.data.scenes.street import FAR, SEGMENTS, Camera, FloatArray, Street, Weather
from dream_if.data.scenes.textures import band, sample_noise, soften, wrap

__all__ = ["render_ground"]


def render_ground(
    camera: Camera, street: Street, weather: Weather, right: FloatArray, down: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Road, pavement and verge: colour (h, W, 3), temperature, distance and share of sunlight, each (h, W)."""
    z = np.minimum(camera.y / np.maximum(down, 1e-4), FAR)[:, None].astype(np.float32)
    x = camera.x + right * z
    foot_x = z / camera.focal
    foot_z = z * z / (camera.focal * camera.y)
    a = np.abs(x)
    depth = np.broadcast_to(z, x.shape)

    fine = sample_noise(x, depth, 70.0, street.origin) * np.clip(0.05 / foot_z, 0.0, 1.0)
    fine += 0.35 * sample_noise(x, depth, 19.0, street.origin) * np.clip(0.2 / foot_z, 0.0, 1.0)
    coarse = sample_noise(x, depth, 1.3, street.origin) * np.clip(1.5 / foot_z, 0.0, 1.0)

    asphalt = soften((street.road - a) / foot_x)
    kerb = band(a - street.road - 0.1, 0.1, foot_x)
    paving = soften((street.road + street.walk - a) / foot_x) * (1.0 - asphalt)
    beyond = 1.0 - asphalt - paving
    edge = wrap(x, 0.9) - 0.45
    slab = np.maximum(
        band(np.abs(edge) - 0.45, 0.03, foot_x) * np.clip(1.2 - foot_x / 0.1, 0, 1),
        band(np.abs(wrap(z, 0.9) - 0.45) - 0.45, 0.03, foot_z) * np.clip(1.2 - foot_z / 0.25, 0, 1),
    )
    lane = street.road / 2.0
    dash = band(wrap(z, 8.0) - 4.0, 1.6, foot_z)
    paint = np.maximum(
        band(x, 0.09, foot_x) * (dash if street.road < 5 else 1.0),
        band(a - street.road + 0.35, 0.07, foot_x),
    )
    if street.road > 5:
        paint = np.maximum(paint, band(a - lane, 0.07, foot_x) * dash)
    stripe = band(wrap(x, 1.0) - 0.5, 0.26, foot_x) * soften((street.road - 0.3 - a) / foot_x)
    on_crossing = band(z - street.crossing - 1.6, 1.6, foot_z)
    paint = paint * (1.0 - band(z - street.crossing - 1.6, 2.6, foot_z)) + stripe * on_crossing
    stop = band(z - street.crossing + 1.2, 0.2, foot_z) * soften((x - 0.1) / foot_x)
    paint = np.maximum(paint, stop) * asphalt * np.clip(0.88 + 0.12 * fine, 0.5, 1.0)

    # Rows: asphalt, paving, beyond. Columns: display RGB, kelvin above the air, contrast of the fine grain.
    soil = [78, 98, 50, -2.2, 0.26] if street.grass else [140, 134, 126, 0.6, 0.12]
    materials = np.array([[92, 92, 96, 3.4, 0.14], [150, 144, 136, 1.6, 0.07], soil], np.float32)
    if not weather.night:
        materials[:, 3] += np.array([3.4, 2.6, 1.0], np.float32) * (1.0 - 0.7 * weather.clouds)
    mixed = np.stack([asphalt, paving, beyond], axis=-1) @ materials
    colour = mixed[..., :3] * (1.0 + mixed[..., 4] * fine + 0.035 * coarse)[..., None]
    repaired = np.zeros_like(a)
    for px, pz, half_x, half_z in street.repairs.tolist():
        repaired = np.maximum(repaired, band(x - px, half_x, foot_x) * band(z - pz, half_z, foot_z))
    track = np.exp(-np.square((np.abs(a - lane) - 0.75) / 0.3)) * asphalt
    colour *= (1.0 - 0.28 * repaired * asphalt - 0.08 * track)[..., None]
    colour *= (1.0 - 0.4 * slab * paving)[..., None]
    colour += kerb[..., None] * 0.6 * (np.array([186, 182, 174], np.float32) - colour)
    colour += paint[..., None] * (np.array([232, 230, 222], np.float32) - colour)

    shade = 1.0 - (1.0 - weather.clouds) * 0.55 * _building_shadow(street, weather, x, z)
    temperature = weather.air + mixed[..., 3] + 0.45 * coarse + 0.7 * track - 0.3 * paint - 0.35 * slab * paving
    temperature += 0.25 * fine * mixed[..., 4] / 0.16 - 0.5 * repaired * asphalt
    if not weather.night:
        temperature -= 2.2 * (1.0 - shade) / 0.55
    # Seen at a grazing angle the road mirrors the cold sky.
    temperature -= 1.6 * np.clip(z / 70.0, 0.0, 1.0)
    return colour, temperature.astype(np.float32), depth, shade.astype(np.float32)


def _building_shadow(street: Street, weather: Weather, x: FloatArray, z: FloatArray) -> FloatArray:
    """Where the facades on the sun's side keep the sun off the ground, (h, W) in {0, 1}, edges softened."""
    if weather.night:
        return np.zeros_like(x)
    shift_x, shift_z = weather.shadow
    row = 0 if shift_x > 0 else 1
    from_wall = (x + street.wall) if shift_x > 0 else (street.wall - x)
    reach = abs(shift_x)
    source = z - shift_z * np.maximum(from_wall, 0.0) / reach
    segment = np.clip((source - street.offsets[row]) // street.lengths[row], 0, SEGMENTS - 1).astype(np.int64)
    tall = street.heights[row][segment]
    inside = np.clip((tall * reach - from_wall) / 0.3 + 0.5, 0.0, 1.0)
    covered: FloatArray = np.where(from_wall < 0, tall > 0, inside).astype(np.float32)
    return covered
