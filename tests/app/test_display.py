"""Pictures as the page shows them."""

import numpy as np
import pytest

from dream_if.app.display import LONGEST, shown, shown_infrared, shown_map, shown_visible
from dream_if.inference.intensity import InfraredRange
from dream_if.inference.pictures import Picture


def test_small_pictures_stay_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    assert (shown(pixels) == pixels).all()
    assert (shown(pixels.astype(np.float32) / 255) == pixels).all()
    assert (shown_visible(Picture(pixels)) == pixels).all()
    for grey in (pixels[:, :, 0], pixels[:, :, :1]):
        assert (shown(grey) == pixels[:, :, :1]).all()
        assert shown(grey).shape == (20, 30, 3)


@pytest.mark.parametrize("size", [(40, 3 * LONGEST), (3 * LONGEST, 40)])
def test_large_ones_become_as_large_as_a_screen(size):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (*size, 3), np.uint8)
    small = shown(pixels)
    assert max(small.shape) == LONGEST
    assert min(small.shape[:2]) == 13
    assert abs(float(small.mean()) - float(pixels.mean())) < 1


def test_visible_of_16_bit_and_infrared_counts():
    deep = np.full((20, 20, 3), 65535, np.uint16)
    deep[:10] = 0
    assert (shown_visible(Picture(deep)) == (deep // 257)).all()
    counts = np.linspace(7000, 8000, 400).reshape(20, 20, 1).astype(np.uint16)
    view = shown_infrared(Picture(counts), InfraredRange.parse("7000,8000"))
    np.testing.assert_allclose(view[:, :, 0], (counts[:, :, 0] - 7000.0) * 0.255, atol=0.6)


def test_a_map_goes_from_dark_to_yellow_and_names_its_ends():
    values = np.linspace(0.25, 0.75, 64, dtype=np.float32).reshape(4, 16)
    colours, span = shown_map(values)
    assert colours.shape == (4, 16, 3)
    assert span == "0.250 to 0.750"
    assert tuple(colours[0, 0]) == (68, 1, 84)  # the ends of viridis
    assert tuple(colours[-1, -1]) == (253, 231, 37) or tuple(colours[-1, -1]) == (254, 231, 37)
    even, span = shown_map(np.full((4, 4), 0.5, np.float32))
    assert span == "0.500 to 0.500"
    assert len(np.unique(even.reshape(-1, 3), axis=0)) == 1
