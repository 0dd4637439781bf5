"""Which sources are distrusted: generated scenes, clean and corrupted."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dream_if.data.scene_pairs import ScenePairs
from dream_if.inference.trust import FROZEN, FrameDoubts, doubt

SCENES = [ScenePairs("test", 6, 0, (120, 160)).read(number)[:2] for number in range(6)]


def sources():
    """(role, (H, W) float32 in [0, 1]) of every scene."""
    for visible, infrared in SCENES:
        yield "visible", (visible.mean(axis=2) / 255).astype(np.float32)
        yield "infrared", (infrared[:, :, 0] / 255).astype(np.float32)


def fogged(grey):
    noise = np.random.default_rng(0).normal(0, 2 / 255, grey.shape)
    return (0.1 * gaussian_filter(grey, 3) + 0.9 * 0.7 + noise).clip(0, 1).astype(np.float32)


def test_clean_scenes_are_trusted():
    assert [doubt(grey, role, "source") for role, grey in sources()] == [None] * 12


@pytest.mark.parametrize("corrupt", [np.zeros_like, np.ones_like, fogged, lambda grey: (grey * 30).clip(0, 1)])
def test_corrupted_ones_are_not(corrupt):
    assert all(doubt(corrupt(grey), role, "source") for role, grey in sources())


def test_how_much_and_why():
    grey = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (100, 1))
    grey[:75] = 1
    assert str(doubt(grey, "visible", "a.png")) == "a.png: distrusted by 0.50 of 1: 75% of its pixels are white"
    flat = 0.5 + 0.1 * grey * 24 / 255
    assert "by 0.90 of 1: its contrast is 2 of 255 levels" in str(doubt(flat.astype(np.float32), "infrared", "b.png"))
    assert "by 1.00 of 1: its contrast is 0 of 255 levels, 100% of its pixels are black" in str(
        doubt(np.zeros((20, 20), np.float32), "infrared", "b.png")
    )


def frames(count):
    return [np.full((8, 8), 0.01 * number, np.float32) for number in range(count)]


def notes_of(visible, infrared, doubts=()):
    watch = FrameDoubts()
    for one, other in zip(visible, infrared, strict=True):
        watch.add({"v.mp4": one, "i.mp4": other}, doubts)
    return watch.notes()


def test_a_frozen_source_is_one_that_stays_while_the_other_moves():
    moving, still = frames(30), [frames(1)[0]] * 30
    assert notes_of(moving, still) == (
        f"i.mp4: frozen while the other source moves in {30 - FROZEN} of 30 frames, first in frame {FROZEN + 1}",
    )
    assert notes_of(still, still) == notes_of(moving, moving) == ()
    slow = [frames(30)[number - number % 4] for number in range(30)]  # a camera of a quarter of the rate
    assert notes_of(moving, slow) == ()


def test_doubts_of_frames_are_counted():
    said = doubt(np.zeros((20, 20), np.float32), "infrared", "i.mp4")
    assert notes_of(frames(3), frames(3), [said]) == (
        "i.mp4: distrusted in 3 of 3 frames, first in frame 1 by 1.00 of 1: its contrast is 0 of 255 levels, 100% of "
        "its pixels are black",
    )
