"""Comparison grids as in papers: a row for each scene, a column for each source and method, with enlarged parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.patches import Rectangle

from dream_if.figures.drawing import GAP, HEAD, SIDE, Box, Page
from dream_if.figures.zoom import COLOURS, Zoom, corners_for, of_scene

__all__ = ["Insets", "SceneRow", "draw_comparison"]

Insets = Literal["below", "corner"]

FRAME = 1.2  # points


@dataclass(frozen=True)
class SceneRow:
    """A row of the grid.

    Attributes:
        name: as it stands at its left.
        pictures: name of the column -> (H, W) or (H, W, 3) in [0, 1], all of one size, the same names in all rows.
    """

    name: str
    pictures: Mapping[str, npt.NDArray[np.float32]]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        first = next(iter(self.pictures.values()))
        return first.shape[0], first.shape[1]


def draw_comparison(
    scenes: Sequence[SceneRow],
    zooms: Sequence[Zoom],
    out: Path,
    *,
    insets: Insets = "below",
    width: float = 1.4,
    dpi: float = 300,
) -> None:
    """Draw a grid and write it.

    Args:
        scenes: the rows.
        zooms: parts to be enlarged, in every picture of their scenes.
        out: PNG, PDF or SVG file.
        insets: whether enlargements stand below their picture or in its corners.
        width: of a column, in inches.
        dpi: dots per inch.

    Raises:
        InputError: The file cannot be written or would be too large, or a box does not lie in its scene.
    """
    names = list(scenes[0].pictures)
    boxes = [of_scene(zooms, scene.name, scene.size) for scene in scenes]
    heights = [width * scene.size[0] / scene.size[1] for scene in scenes]
    strips = [_strip_height(row, width) if insets == "below" and row else 0.0 for row in boxes]
    total = HEAD + sum(heights) + sum(strips) + GAP * (len(scenes) + sum(strip > 0 for strip in strips))
    page = Page(SIDE + len(names) * (width + GAP), total, out)
    top = HEAD
    for column, name in enumerate(names):
        page.text(name, SIDE + column * (width + GAP) + width / 2, HEAD / 2)
    for scene, row, height, strip in zip(scenes, boxes, heights, strips, strict=True):
        page.text(scene.name, SIDE / 2, top + height / 2, rotation=90)
        for column, name in enumerate(names):
            left = SIDE + column * (width + GAP)
            _draw_picture(page, scene.pictures[name], row, Box(left, top, width, height), corner=insets == "corner")
            if strip:
                _draw_strip(page, scene.pictures[name], row, Box(left, top + height + GAP, width, strip))
        top += height + GAP + (strip + GAP if strip else 0)
    page.save(dpi)


def _draw_picture(
    page: Page, values: npt.NDArray[np.float32], zooms: Sequence[Zoom], box: Box, *, corner: bool
) -> None:
    """A picture with its zoom boxes, and with their enlargements in its corners."""
    axes = page.picture(values, box)
    for zoom, colour in zip(zooms, COLOURS, strict=False):
        start = (zoom.left - 0.5, zoom.top - 0.5)  # a pixel's centre has its number
        axes.add_patch(Rectangle(start, zoom.width, zoom.height, fill=False, edgecolor=colour, linewidth=FRAME))
    if not corner:
        return
    scale = box.width / values.shape[1]
    for zoom, colour, place in zip(zooms, COLOURS, corners_for(zooms, values.shape[:2]), strict=False):
        x, y, wide, high = (number * scale for number in place)
        _draw_inset(page, values, zoom, colour, Box(box.left + x, box.top + y, wide, high))


def _strip_height(zooms: Sequence[Zoom], width: float) -> float:
    """Height of a row of enlargements, all equally high, that fills the width; of few or high ones half the width."""
    room = width - GAP * (len(zooms) - 1)
    return min(room / sum(zoom.width / zoom.height for zoom in zooms), width / 2)


def _draw_strip(page: Page, values: npt.NDArray[np.float32], zooms: Sequence[Zoom], box: Box) -> None:
    """The enlargements beside each other, in the middle of a rectangle."""
    wide = [box.height * zoom.width / zoom.height for zoom in zooms]
    left = box.left + (box.width - sum(wide) - GAP * (len(zooms) - 1)) / 2
    for zoom, colour, one in zip(zooms, COLOURS, wide, strict=False):
        _draw_inset(page, values, zoom, colour, Box(left, box.top, one, box.height))
        left += one + GAP


def _draw_inset(page: Page, values: npt.NDArray[np.float32], zoom: Zoom, colour: str, box: Box) -> None:
    """An enlargement, pixel by pixel: smoothing would hide what it is to show."""
    part = values[zoom.top : zoom.top + zoom.height, zoom.left : zoom.left + zoom.width]
    axes = page.picture(part, box, interpolation="nearest")
    frame = Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=colour, linewidth=2 * FRAME)
    axes.add_patch(frame)
