"""Panels of a run: sources, fused images and dominance maps side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from dream_if.pixels import figure_png

__all__ = ["panel"]

WIDTH = 3.2  # inches of one picture


def panel(rows: Sequence[Mapping[str, Tensor]], title: str = "", notes: Sequence[str] = ()) -> bytes:
    """Draw a grid of pictures: a row for each scene, a column for each name.

    Args:
        rows: name -> picture, all rows with the same names. A picture is (3, H, W) or (1, H, W) in [0, 1]; a name that
            starts with ``dominance`` marks a map, (1, h, w) in [0, 1], which is drawn in colour from its least to its
            largest value, both printed on it: a map that hardly varies is to be seen, and seen to hardly vary.
        title: a line above the grid.
        notes: for each scene, what is to be printed on its map below the range.

    Returns:
        The grid as a PNG file.
    """
    names = list(rows[0])
    heights = [WIDTH * row[names[0]].shape[-2] / row[names[0]].shape[-1] for row in rows]
    head = 0.35 + 0.3 * bool(title)  # inches
    height = sum(heights) + 0.06 * len(rows) + head
    figure = Figure(figsize=((WIDTH + 0.06) * len(names), height), dpi=100)
    FigureCanvasAgg(figure)  # without pyplot, which would keep every figure, and look for a screen
    grid = figure.add_gridspec(
        len(rows), len(names), height_ratios=heights, left=0, right=1, bottom=0, top=1 - head / height,
        wspace=0.02, hspace=0.02,
    )  # fmt: skip
    for line, row in enumerate(rows):
        for column, name in enumerate(names):
            axes = figure.add_subplot(grid[line, column])
            axes.set_axis_off()
            if line == 0:
                axes.set_title(name, fontsize=10)
            if name.startswith("dominance"):
                values = _array(row[name])[..., 0]
                axes.imshow(values, cmap="viridis", aspect="auto")
                told = "\n".join([f"{values.min():.3f} to {values.max():.3f}", *notes[line : line + 1]]).strip()
                axes.text(0.02, 0.02, told, transform=axes.transAxes, fontsize=8, va="bottom", bbox={"fc": "white"})
            else:
                axes.imshow(np.broadcast_to(picture := _array(row[name]), (*picture.shape[:2], 3)), aspect="auto")
    if title:
        figure.suptitle(title, fontsize=11, y=1 - 0.1 / height, va="top")
    return figure_png(figure)


def _array(picture: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = picture.detach().float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return array
