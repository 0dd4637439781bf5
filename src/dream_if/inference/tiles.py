"""Cutting an image into overlapping tiles, and weights that blend them without a seam."""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["OVERLAP", "Tile", "cut", "parts", "tile_size"]

# In all that follows ``grid`` is the network's step: tiles begin at multiples of it, where the network's coarsest level
# has a pixel, as in the whole image. It divides the overlap.

OVERLAP = 64
"""Pixels that neighbours share, or a few less: convolutions near a tile's border see zeros instead of the image."""

SMALLEST = 3 * OVERLAP
"""Least side of a tile along an axis that is cut: with less the network would see little but overlaps."""


class Tile(NamedTuple):
    """A part of an image.

    Attributes:
        rows: where it lies.
        columns: likewise.
        weight: (h, w) float32. All tiles' weights add up to one at every pixel.
    """

    rows: slice
    columns: slice
    weight: Tensor


def tile_size(height: int, width: int, pixels: int, grid: int = 8) -> tuple[int, int] | None:
    """Height and width of equal tiles for an image, of at most so many pixels, with the least to compute in all.

    Args:
        height: of the image.
        width: of the image.
        pixels: limit of a tile.
        grid: the network's step.

    Returns:
        Multiples of the grid; None if tiles of this many pixels are too small to blend.
    """
    best: tuple[int, tuple[int, int]] | None = None
    for rows in range(1, max(1, height // OVERLAP) + 1):
        tall = _side(height, rows, grid)
        for columns in range(1, max(1, width // OVERLAP) + 1):
            wide = _side(width, columns, grid)
            if tall * wide <= pixels:
                work = rows * columns * tall * wide
                best = min(best or (work, (tall, wide)), (work, (tall, wide)))
                break  # more columns only add overlaps
    return best[1] if best else None


def cut(height: int, width: int, size: tuple[int, int], grid: int = 8) -> Iterator[Tile]:
    """Tiles of an image, row by row.

    Args:
        height: of the image.
        width: of the image.
        size: height and width of the tiles, as `tile_size` chose it. Those at the bottom and at the right are smaller
            where the image's sides are no multiples of the grid.
        grid: the network's step.
    """
    across = _spans(width, size[1], grid)
    for rows, down in _spans(height, size[0], grid):
        for columns, weights in across:
            yield Tile(rows, columns, down[:, None] * weights)


def parts(height: int, width: int, size: tuple[int, int], grid: int = 8) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of parts that are the image without overlap, none larger than a tile, all about equal."""

    def along(length: int, side: int) -> list[slice]:
        cells = -(-length // grid)
        count = -(-cells * grid // side)
        ends = [min(grid * round(cells * place / count), length) for place in range(count + 1)]
        return [slice(start, end) for start, end in pairwise(ends)]

    yield from product(along(height, size[0]), along(width, size[1]))


def _side(length: int, count: int, grid: int) -> int:
    """Least side, a multiple of the grid, with which so many tiles and their overlaps cover the length."""
    cells = -(-length // grid)
    side = grid * -(-(cells + (count - 1) * (OVERLAP // grid)) // count)
    return side if count == 1 else max(side, SMALLEST)


def _spans(length: int, side: int, grid: int) -> list[tuple[slice, Tensor]]:
    """Where tiles lie along one axis, and their weights there: cosine ramps over what neighbours share."""
    cells, side_cells = -(-length // grid), side // grid
    room = cells - side_cells
    count = 1 if room <= 0 else 1 + -(-room // (side_cells - OVERLAP // grid))
    starts = [grid * round(room * place / (count - 1)) for place in range(count)] if count > 1 else [0]
    ends = [min(start + side, length) for start in starts]
    weights = []
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        weight = torch.ones(end - start)
        if place > 0:
            shared = ends[place - 1] - start
            weight[:shared] *= _ramp(shared)
        if place < count - 1:
            shared = end - starts[place + 1]
            weight[-shared:] *= 1 - _ramp(shared)
        weights.append(weight)
    spans = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    total = torch.zeros(length)  # one, but for rounding and where small tiles lie three deep
    for span, weight in zip(spans, weights, strict=True):
        total[span] += weight
    return [(span, weight / total[span]) for span, weight in zip(spans, weights, strict=True)]


def _ramp(length: int) -> Tensor:
    """From almost 0 to almost 1, level at both ends."""
    return 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(length) + 0.5) / length)
