"""The flicker of a video: none that is not in the fused frames alone, and as much as they flash."""

import numpy as np
import pytest

from dream_if.inference.flicker import Flicker


def still(value: float, channels: int = 1) -> np.ndarray:
    return np.full((6, 8, channels), value, np.float32)


def test_one_flash_in_a_still_video_counts_going_and_coming():
    flicker = Flicker()
    for number in range(1, 11):
        flicker.add(still(0.7 if number == 4 else 0.5, 3), still(0.3, 3), still(0.6))
    assert flicker.mean == pytest.approx(2 * 0.2 * 255 / 9, rel=1e-4)
    assert flicker.largest == pytest.approx(0.2 * 255, rel=1e-4)
    assert flicker.largest_frame in (4, 5)
    assert str(flicker).startswith("flicker 11.33 of 255 grey levels on average, 51.00 at most, at frame ")


def test_a_flash_that_a_source_has_is_taken_off():
    flicker = Flicker()
    for number in range(4):
        flash = 0.1 * (number == 2)
        flicker.add(still(0.5 + 1.5 * flash), still(0.5), still(0.5 + flash)[:, :, 0])
    assert flicker.largest == pytest.approx(0.05 * 255, rel=1e-4)


@pytest.mark.parametrize("fuse", [np.maximum, np.minimum, lambda a, b: (a + b) / 2])
def test_fusion_of_noise_pixel_by_pixel_has_none(fuse):
    rng = np.random.default_rng(0)
    flicker = Flicker()
    for _ in range(5):
        visible, infrared = rng.random((2, 9, 11, 1), np.float32)
        flicker.add(fuse(visible, infrared), visible, infrared)
    assert flicker.mean < 1e-4


def test_a_single_frame_has_none():
    flicker = Flicker()
    flicker.add(still(1, 3), still(0, 3), still(0))
    assert str(flicker) == "flicker 0.00 of 255 grey levels on average"
