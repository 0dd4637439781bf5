"""What all plots share."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["OTHERS", "OURS", "plain_axes", "png"]

OURS, OTHERS = "#d6604d", "#4d4d4d"


def plain_axes(axes: Axes, size: int = 7) -> None:
    """Small labels, a faint grid across, and no frame at the top and on the right."""
    axes.tick_params(labelsize=size)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
