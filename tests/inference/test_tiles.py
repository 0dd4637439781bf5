"""Tiles: they cover the image, their weights add up to one, and they are no more than fit."""

from itertools import pairwise

import pytest
import torch

from dream_if.inference.tiles import OVERLAP, SMALLEST, cut, parts, tile_size

GRIDS = [8, 16]  # the steps of networks of stride 1 and 2
SIZES = [
    (1024, 1280, 400_000),
    (1024, 1280, 60_000),
    (301, 497, 60_000),
    (4320, 7680, 1_500_000),
    (200, 9000, 90_000),
    (328, 328, 40_000),
]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("height", "width", "pixels"), SIZES)
class TestTiles:
    def test_weights_add_up_to_one_everywhere(self, height, width, pixels, grid):
        total = torch.zeros(height, width)
        for tile in cut(height, width, tile_size(height, width, pixels, grid), grid):
            assert tile.weight.min() > 0
            total[tile.rows, tile.columns] += tile.weight
        torch.testing.assert_close(total, torch.ones(height, width), atol=1e-6, rtol=0)

    def test_they_fit_and_lie_where_the_network_has_pixels(self, height, width, pixels, grid):
        size = tile_size(height, width, pixels, grid)
        assert size[0] * size[1] <= pixels
        for tile in cut(height, width, size, grid):
            assert tile.rows.start % grid == tile.columns.start % grid == 0
            assert tile.weight.shape == (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
            assert tile.weight.shape[0] <= size[0]
            assert tile.weight.shape[1] <= size[1]

    def test_neighbours_share_what_is_promised(self, height, width, pixels, grid):
        size = tile_size(height, width, pixels, grid)
        for spans in ({tile.rows.start: tile.rows.stop for tile in cut(height, width, size, grid)},
                      {tile.columns.start: tile.columns.stop for tile in cut(height, width, size, grid)}):  # fmt: skip
            starts = sorted(spans)
            for before, after in pairwise(starts):
                assert spans[before] - after >= OVERLAP - grid

    def test_parts_are_the_image_without_overlap(self, height, width, pixels, grid):
        size = tile_size(height, width, pixels, grid)
        count = torch.zeros(height, width)
        for rows, columns in parts(height, width, size, grid):
            assert rows.start % grid == columns.start % grid == 0
            assert rows.stop - rows.start <= size[0]
            assert columns.stop - columns.start <= size[1]
            count[rows, columns] += 1
        assert (count == 1).all()

    def test_the_weights_of_edges_are_faint_inside_the_image(self, height, width, pixels, grid):
        for tile in cut(height, width, tile_size(height, width, pixels, grid), grid):
            if tile.columns.start > 0:
                assert tile.weight[:, 0].max() < 1e-3
            if tile.rows.stop < height:
                assert tile.weight[-1].max() < 1e-3


def test_an_image_that_fits_is_one_tile():
    assert tile_size(301, 497, 304 * 504) == (304, 504)
    (tile,) = cut(301, 497, (304, 504))
    assert tile.rows == slice(0, 301)
    assert (tile.weight == 1).all()


def test_less_is_computed_than_by_squares():
    assert tile_size(200, 9000, 90_000)[0] == 200  # strips across would overlap twice


def test_too_few_pixels_for_any_tile():
    assert tile_size(1024, 1280, SMALLEST**2 - 1) is None
    assert tile_size(1024, 1280, SMALLEST**2) == (SMALLEST, SMALLEST)
    assert tile_size(1024, 1280, -5) is None
