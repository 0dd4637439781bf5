"""What all plots share."""

from matplotlib.axes import Axes

__all__ = ["OTHERS", "OURS", "plain_axes"]

OURS, OTHERS = "#d6604d", "#4d4d4d"


def plain_axes(axes: Axes, size: int = 7) -> None:
    """Small labels, a faint grid across, and no frame at the top and on the right."""
    axes.tick_params(labelsize=size)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
