"""Laying one picture on another's grid: where it goes, what it covers, what no camera does."""

import numpy as np
import pytest

from dream_if.errors import InputError
from dream_if.registration.warp import common_box, warp

SHIFT = np.array([[1, 0, 5.0], [0, 1, -3.0], [0, 0, 1]])  # infrared content lies 5 right and 3 up


def test_whole_pixels_are_moved_exactly() -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (40, 60, 1), dtype=np.uint16)
    laid, covered = warp(picture, SHIFT, (40, 60))
    assert (laid[3:, :55] == picture[:37, 5:]).all()
    assert covered[3:, :55].all()
    assert covered.sum() == 37 * 55
    assert (laid[3:, 55:] == picture[:37, -1:]).all()  # its border goes on


def test_the_common_part_has_no_gap_and_could_not_be_larger() -> None:
    assert common_box(SHIFT, (40, 60), (40, 60)) == (slice(3, 40), slice(0, 55))
    turn = np.deg2rad(5)
    turned = np.array([[np.cos(turn), -np.sin(turn), 4], [np.sin(turn), np.cos(turn), -3], [0, 0, 1]])
    _, covered = warp(np.ones((40, 60, 1), np.float32), turned, (40, 60))
    assert covered[common_box(turned, (40, 60), (40, 60))].all()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0, 600], [0, 1, 0], [0, 0, 1]], "out of the frame: it covers 0%"),
        ([[1, 0, 0], [0, 1, 0], [-0.05, 0, 1]], "folds or magnifies"),
        ([[-1, 0, 60], [0, 1, 0], [0, 0, 1]], "folds or magnifies"),
        ([[9, 0, 0], [0, 9, 0], [0, 0, 1]], "folds or magnifies"),
    ],
)
def test_what_no_two_cameras_do_is_refused(matrix, message) -> None:
    with pytest.raises(InputError, match=message):
        warp(np.ones((40, 60, 1), np.float32), np.array(matrix, float), (40, 60))
