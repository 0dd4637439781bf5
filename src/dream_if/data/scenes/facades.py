"""Facades of a generated street: brickwork, windows and shop signs, which only the visible camera distinguishes."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.data.scenes.street import FAR, SEGMENTS, SIGN_NAMES, Camera, FloatArray, IntArray, Street, Weather
from dream_if.data.scenes.textures import band, sample_noise, soften, window

__all__ = ["Columns", "meet_facades", "render_facades", "render_side_walls"]


@dataclass(frozen=True)
class Columns:
    """What each image column's ray meets: distance, position along the facade and the building, all (W,)."""

    distance: FloatArray
    along: FloatArray
    reading: FloatArray  # +1 where `along` grows to the right on screen, else -1
    foot: FloatArray  # metres along the facade per pixel
    building: IntArray
    facing: npt.NDArray[np.bool_]  # towards the camera rather than towards the road
    right: npt.NDArray[np.bool_]
    behind: IntArray  # the next building of the row, whose blank side wall rises behind if it is taller
    behind_distance: FloatArray


def meet_facades(camera: Camera, street: Street, right: FloatArray) -> Columns:
    """Find the facade that each column's ray meets first."""
    slope = np.where(np.abs(right) < 1e-4, np.float32(1e-4), right)
    is_right = slope > 0
    lateral = np.where(is_right, street.wall - camera.x, street.wall + camera.x).astype(np.float32)
    distance = lateral / np.abs(slope)
    row = is_right.astype(np.int64)
    along = distance - street.offsets[row]
    segment = np.clip(along // street.lengths[row], 0, SEGMENTS - 1).astype(np.int64)
    foot = distance * distance / (camera.focal * lateral)
    reading = np.where(is_right, -1.0, 1.0)

    # A ray that enters a gap meets the side wall of the next building of that row, which faces the camera.
    following = np.full((2, SEGMENTS), SEGMENTS)
    for i in reversed(range(SEGMENTS)):
        later = following[:, i + 1] if i + 1 < SEGMENTS else np.full(2, SEGMENTS)
        following[:, i] = np.where(street.heights[:2, i] > 0, i, later)
    target = following[row, segment]
    gap = target != segment
    edge = (street.offsets[row] + target * street.lengths[row]).astype(np.float32)
    distance = np.where(gap, edge, distance)
    across = camera.x + slope * distance
    along = np.where(gap, np.abs(across) - street.wall, along)
    reading = np.where(gap, -reading, reading)

    ends = (distance >= street.end) | (target == SEGMENTS)
    across = camera.x + slope * street.end
    end_segment = ((across + 500.0) // street.lengths[2]).astype(np.int64) % SEGMENTS
    distance = np.where(ends, street.end, distance)
    along = np.where(ends, across + 500.0, along)
    reading = np.where(ends, 1.0, reading)
    facing = gap | ends
    building = np.where(ends, 2 * SEGMENTS + end_segment, row * SEGMENTS + np.minimum(target, SEGMENTS - 1))
    behind = np.minimum(following[row, np.minimum(segment + 1, SEGMENTS - 1)], SEGMENTS - 1)
    behind_distance = street.offsets[row] + behind * street.lengths[row]
    hidden = facing | (behind_distance >= street.end) | (behind <= segment)
    distance = np.where(street.heights.reshape(-1)[building] > 0, np.maximum(distance, 0.5), FAR)
    return Columns(
        distance=distance.astype(np.float32),
        along=along.astype(np.float32),
        reading=reading.astype(np.float32),
        foot=np.where(facing, distance / camera.focal, foot).astype(np.float32),
        building=building,
        facing=facing,
        right=is_right,
        behind=row * SEGMENTS + behind,
        behind_distance=np.where(hidden, FAR, behind_distance).astype(np.float32),
    )


def render_side_walls(
    camera: Camera,
    street: Street,
    weather: Weather,
    columns: Columns,
    row: FloatArray,
    front: FloatArray,
    colour: FloatArray,
    temperature: FloatArray,
    depth: FloatArray,
) -> None:
    """Paint, in place, the blank side walls that rise above lower neighbours; `front` (h, W) covers those."""
    height = street.heights.reshape(-1)[columns.behind]
    top = (camera.y - height) / columns.behind_distance
    last = row.shape[0]
    cover = soften((row - top) * camera.focal) * (columns.behind_distance < FAR) * (row < 0)
    cover *= (height > street.heights.reshape(-1)[columns.building]) & (front.max(axis=0) > 0)
    shade = np.float32(0.2 if weather.night else 0.8)
    tint = street.colours.reshape(-1, 3)[columns.behind] * shade
    colour[:last] += cover[..., None] * (tint - colour[:last])
    celsius = weather.air + street.warmth.reshape(-1)[columns.behind]
    temperature[:last] += cover * (celsius - temperature[:last])
    depth[:last] = np.where(cover > 0.5, columns.behind_distance, depth[:last])


def render_facades(
    camera: Camera, street: Street, weather: Weather, columns: Columns, row: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Walls, windows and shop signs: colour (h, W, 3), temperature (h, W) and emission (h, W, 3)."""
    building = columns.building
    building_number = building.astype(np.float32)
    style = street.styles.reshape(-1)[building]
    floor = street.floors.reshape(-1)[building]
    bay = street.bays.reshape(-1)[building]
    glazing = street.glazing.reshape(-1)[building]
    up = camera.y - row * columns.distance
    along = columns.along
    foot_up = columns.distance / camera.focal
    shape = up.shape

    grain = sample_noise(np.broadcast_to(along, shape), up, 9.0, street.origin)
    detail = np.clip(1.4 - columns.foot / 0.12, 0.0, 1.0)
    colour = street.colours.reshape(-1, 3)[building] * (
        1.0 + (0.05 * grain * np.clip(1.4 - columns.foot / 0.3, 0.15, 1))[..., None]
    )

    course = np.floor(up * 4.0)
    brick_position = along * 1.8 + 0.5 * (course % 2)
    brick = np.floor(brick_position)
    tone = street.tones[(course * 37 + brick * 101 + building_number * 17).astype(np.int32) & 1023]
    mortar = np.maximum(
        band(up * 4.0 - course - 0.06, 0.07, foot_up * 4.0),
        band(brick_position - brick - 0.04, 0.04, columns.foot * 1.8),
    )
    brickwork = (style == 0) * detail
    colour *= (1.0 + brickwork * (0.34 * tone - 0.17))[..., None]
    colour += (brickwork * mortar)[..., None] * 0.55 * (np.array([176, 168, 156], np.float32) - colour)

    storey = np.floor(up / floor)
    in_storey = up - storey * floor
    column = np.floor(along / bay)
    in_bay = along - (column + 0.5) * bay
    ledge = band(in_storey - 0.1, 0.1, foot_up) * (style > 0) * (storey > 0)
    colour += ledge[..., None] * 0.3 * (235.0 - colour)
    joint = band(in_bay - 0.5 * bay + 0.02, 0.03, columns.foot) * (style == 2)
    colour *= 1.0 - 0.35 * joint[..., None]

    shop = storey == 0
    half_width = np.where(shop, 0.43, 0.5 * glazing) * bay
    half_height = np.where(shop, 1.0, 0.27 * floor)
    centre = np.where(shop, 1.5, 0.55 * floor)
    roof = street.heights.reshape(-1)[building] - up
    inside = (roof > 0.5) & (up > 0.1)
    frame = window(in_bay, in_storey - centre, half_width + 0.09, half_height + 0.09, columns.foot, foot_up) * inside
    glass = window(in_bay, in_storey - centre, half_width, half_height, columns.foot, foot_up) * inside
    colour += (frame - glass)[..., None] * (np.array([214, 210, 202], np.float32) - colour)
    luck = street.tones[(storey * 131 + column * 57 + building_number * 211).astype(np.int32) & 1023]
    mullion = 1.0 - 0.7 * band(in_bay, 0.035, columns.foot)
    pane = np.array([34, 42, 52] if weather.night else [66, 84, 104], np.float32)
    colour += glass[..., None] * (pane * (0.7 + 0.6 * luck + 0.12 * grain)[..., None] - colour)

    emission = np.zeros((*shape, 3), np.float32)
    if weather.night:
        lit = glass * mullion * np.where(shop, luck > 0.45, luck > 0.7)
        warm = np.stack([np.ones_like(luck), 0.72 + 0.2 * luck, 0.38 + 0.4 * luck], axis=-1)
        # Behind the glass: a bright ceiling, darker goods on shelves, and in homes a curtain drawn at a random height.
        shelf = street.tones[
            (np.floor(in_bay * 2.5) * 19 + np.floor(in_storey * 2.2) * 71 + column * 7).astype(np.int32) & 1023
        ]
        interior = 0.04 + 0.16 * luck + 0.13 * np.clip(in_storey / 2.6, 0, 1) ** 2 + 0.02 * grain
        interior *= np.where(shop, 0.45 + 0.8 * shelf, 0.75 + 0.4 * (in_storey > 1.3 + luck))
        emission += (lit * np.maximum(interior, 0.02))[..., None] * warm
    # Through long-wave eyes a facade is nearly one temperature: glass mirrors the cold sky a little.
    temperature = (
        weather.air
        + street.warmth.reshape(-1)[building]
        - 0.05 * up
        - (0.5 if weather.night else 1.0) * glass
        + 0.12 * grain * detail
        + columns.facing * np.float32(0.0 if weather.night else 1.5 * (1.0 - weather.clouds))
    )
    _paint_signs(camera, street, weather, columns, up, colour, emission)
    return colour, temperature.astype(np.float32), emission


def _paint_signs(
    camera: Camera,
    street: Street,
    weather: Weather,
    columns: Columns,
    up: FloatArray,
    colour: FloatArray,
    emission: FloatArray,
) -> None:
    """Paint shop signs above the ground floor into `colour` and, at night, `emission`, both (h, W, 3)."""
    sign = street.signs.reshape(-1)[columns.building].astype(np.float32)
    row = columns.building // SEGMENTS
    length = street.lengths[row]
    position = columns.along - (columns.along // length + 0.5) * length
    width = 5.0
    board = window(
        np.broadcast_to(position, up.shape),
        up - 3.15,
        width / 2,
        0.5,
        columns.foot,
        columns.distance / camera.focal,
    )
    board = board * (sign >= 0)
    x = np.clip((position * columns.reading / width + 0.5) * 200.0, 0, 199)
    y = np.clip((3.65 - up) * 40.0, 0.0, 39.0) + 40.0 * sign
    letters = cv2.remap(
        _sign_atlas(), np.broadcast_to(x, up.shape).astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR
    )
    ink = (letters.astype(np.float32) / 255.0 * board)[..., None]
    tint = street.sign_colours.reshape(-1, 3)[columns.building]
    colour += board[..., None] * (tint - colour)
    colour += ink * (np.array([245, 242, 230], np.float32) - colour)
    if weather.night:
        glowing = (street.tones[columns.building % 1024] > 0.35)[:, None]
        emission *= 1.0 - board[..., None]
        emission += (board[..., None] * 0.2 + ink * 0.3) * glowing * (tint / 255.0) ** 2 + 0.35 * ink * glowing


@cache
def _sign_atlas() -> npt.NDArray[np.uint8]:
    """The shop names, one below the other, each 40 rows of 200 pixels."""
    atlas = np.zeros((40 * len(SIGN_NAMES), 200), np.uint8)
    for i, name in enumerate(SIGN_NAMES):
        (width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 4)
        word = np.zeros((40, width + 8), np.uint8)
        cv2.putText(word, name, (4, 31), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 4, cv2.LINE_AA)
        atlas[40 * i : 40 * i + 40, 12:188] = cv2.resize(word, (176, 40), interpolation=cv2.INTER_AREA)
    return atlas
