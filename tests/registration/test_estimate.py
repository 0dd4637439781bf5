"""Estimates against transforms that are known, and what is no pair."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dream_if.data.scenes import generate_scene
from dream_if.errors import InputError
from dream_if.registration.estimate import estimate

TURN = np.deg2rad(3)
TRANSFORMS = {
    "translation": np.array([[1, 0, 14.0], [0, 1, -9.0], [0, 0, 1]]),
    "similarity": np.array(
        [[1.1 * np.cos(TURN), -1.1 * np.sin(TURN), -4], [1.1 * np.sin(TURN), 1.1 * np.cos(TURN), -18], [0, 0, 1]]
    ),
    "affine": np.array([[1.02, 0.02, 5], [-0.01, 0.97, 6], [0, 0, 1]]),
    "homography": np.array([[1.02, 0.01, -4], [0.01, 0.98, 3], [4e-5, -3e-5, 1]]),
}


def corner_error(one: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> float:
    """Without OpenCV: mean distance of where the corners go."""
    height, width = size
    points = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]).T
    first, second = ((matrix @ points)[:2] / (matrix @ points)[2] for matrix in (one, other))
    return float(np.hypot(*(first - second)).mean())


@pytest.mark.parametrize("motion", TRANSFORMS)
def test_a_known_transform_is_found(scene, moved, motion) -> None:
    visible, infrared = scene
    found = estimate(visible, moved(infrared, TRANSFORMS[motion]), motion)
    assert found.confident or motion == "homography", str(found)  # of which so small a picture tells too little
    assert corner_error(found.matrix, TRANSFORMS[motion], (240, 320)) < 1.5


def test_an_infrared_picture_of_half_the_size_and_a_narrower_view(scene, moved) -> None:
    visible, infrared = scene
    matrix = np.array([[0.6, 0, -16], [0, 0.6, -8], [0, 0, 1]])  # 160 x 120 pixels that show 267 x 200 of the visible
    found = estimate(visible, moved(infrared, matrix, (120, 160)), "similarity")
    assert found.confident, str(found)
    assert corner_error(found.matrix, matrix, (240, 320)) < 1.0
    assert (found.visible_size, found.infrared_size) == ((240, 320), (120, 160))


def test_16_bit_counts_with_reversed_contrast_are_no_obstacle(scene) -> None:
    visible, infrared = scene
    counts = (9000 - 8 * infrared.astype(int)).astype(np.uint16)
    found = estimate(visible, counts, "similarity")
    assert found.confident, str(found)
    assert corner_error(found.matrix, np.eye(3), (240, 320)) < 0.5


def test_the_rim_that_rectifying_left_does_not_hold_the_picture(scene, moved) -> None:
    visible, infrared = scene
    shifted = moved(infrared, TRANSFORMS["translation"])
    shifted[:, :14], shifted[-9:] = 0, 0
    found = estimate(visible, shifted, "translation")
    assert found.confident, str(found)
    assert corner_error(found.matrix, TRANSFORMS["translation"], (240, 320)) < 1


def test_another_scene_is_not_trusted(scene) -> None:
    for index in (11, 12):
        other = generate_scene(0, index, (240, 320)).infrared[::-1, ::-1, None]
        found = estimate(scene[0], other, "similarity")
        assert not found.confident, str(found)
        with pytest.raises(InputError, match="cannot be aligned with confidence"):
            found.require()


def test_noise_is_not_trusted(scene) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 1), dtype=np.uint8)
    found = estimate(scene[0], noise, "similarity")
    assert not found.confident
    assert str(replace(found, error=math.inf)).endswith("error unknown")


@pytest.mark.parametrize("blank", ["visible", "infrared"])
def test_a_blank_picture_is_refused(scene, blank) -> None:
    pictures = dict(zip(("visible", "infrared"), scene, strict=True))
    pictures[blank] = np.full_like(pictures[blank], 7)
    with pytest.raises(InputError, match=f"the {blank} picture is blank"):
        estimate(pictures["visible"], pictures["infrared"])
