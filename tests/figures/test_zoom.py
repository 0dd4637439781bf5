"""Enlargements in corners lie in the picture, apart from each other, and off the boxes where that is possible."""

import pytest

from dream_if.figures.zoom import Zoom, corners_for

SIZE = (100, 200)  # height, width


def cover(one, other) -> bool:
    return Zoom(*(round(number) for number in one)).overlaps(*other)


def test_the_lower_right_corner_first():
    assert corners_for([Zoom(0, 0, 20, 10)], SIZE) == [(pytest.approx(116), pytest.approx(58), 84, 42)]


@pytest.mark.parametrize(("box", "corner"), [((170, 70, 20, 10), (0, 58)), ((60, 70, 90, 20), (116, 0))])
def test_a_box_in_the_way_moves_it_on(box, corner):
    ((left, top, *_),) = corners_for([Zoom(*box)], SIZE)
    if corner == (116, 0):  # right and left below are covered, so it goes up; as high as its shape wants
        assert (left, top) == (pytest.approx(116), 0)
    else:
        assert (left, top) == (0, pytest.approx(corner[1]))


def test_four_are_apart_and_inside():
    zooms = [Zoom(90, 45, 10, 5), Zoom(95, 45, 5, 9), Zoom(100, 45, 9, 9), Zoom(85, 50, 20, 4)]
    places = corners_for(zooms, SIZE)
    for index, one in enumerate(places):
        assert one[0] >= 0
        assert one[1] >= 0
        assert one[0] + one[2] <= 200 + 1e-6
        assert one[1] + one[3] <= 100 + 1e-6
        assert one[2] / one[3] == pytest.approx(zooms[index].width / zooms[index].height)
        assert not any(cover(one, other) for other in places[index + 1 :])
