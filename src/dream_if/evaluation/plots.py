"""Box plots: how the scores spread over images."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dream_if.evaluation.results import Evaluation, higher_is_better
from dream_if.evaluation.scores import Scores
from dream_if.metrics import METRICS
from dream_if.pixels import figure_png

__all__ = ["box_plots"]

_COLUMNS = 3
_FIRST, _OTHERS, _LINE = "#9ecae1", "#e4e4e4", "#333333"


def box_plots(evaluation: Evaluation) -> bytes:
    """Draw a panel for each metric with a box for each method, the first method on top and in colour.

    A box holds the middle half of the images, its line is the median, its diamond the mean; whiskers reach to the last
    image within 1.5 box lengths, dots are the images beyond.

    Returns:
        The figure as a PNG file.
    """
    scores = evaluation.scores
    columns = min(_COLUMNS, len(scores.metrics))
    rows = math.ceil(len(scores.metrics) / columns)
    width = 1.4 + max(len(method) for method in scores.methods) * 0.07 + 2.2  # inches of a panel
    figure = Figure(
        figsize=(width * columns, (0.95 + 0.32 * len(scores.methods)) * rows + 0.3), dpi=130, layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for column, metric in enumerate(scores.metrics):
        axes = grid[column // columns][column % columns]
        _panel(axes, metric, scores, scores.values[:, :, column])
    for axes in grid.flat[len(scores.metrics) :]:
        axes.set_axis_off()
    resized = {method: len(evaluation.images.resized(method)) for method in scores.methods}
    title = f"{len(scores.names)} images per method; line: median, diamond: mean"
    if any(resized.values()):
        counts = ", ".join(f"{method} {count}" for method, count in resized.items() if count)
        title = f"{title}\nscaled to the size of their sources: {counts}"
    figure.suptitle(title, fontsize=9)
    return figure_png(figure)


def _panel(axes: Axes, metric: str, scores: Scores, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """Fill a panel with the (M, N) scores of a metric."""
    kept = [row[np.isfinite(row)] for row in values]
    boxes = axes.boxplot(
        kept,
        orientation="horizontal",
        tick_labels=list(scores.methods),
        widths=0.62,
        patch_artist=True,
        showmeans=True,
        boxprops={"edgecolor": _LINE, "linewidth": 0.8},
        medianprops={"color": _LINE, "linewidth": 1.4},
        whiskerprops={"color": _LINE, "linewidth": 0.8},
        capprops={"color": _LINE, "linewidth": 0.8},
        meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": _LINE, "markersize": 4},
        flierprops={"marker": "o", "markersize": 2.5, "markerfacecolor": _LINE, "markeredgewidth": 0, "alpha": 0.6},
    )
    for position, box in enumerate(boxes["boxes"]):
        box.set_facecolor(_OTHERS if position else _FIRST)
    for position, row in enumerate(kept):
        if row.size < values.shape[1]:
            note = f" {row.size} of {values.shape[1]} defined"
            axes.annotate(
                note, (1, position + 1), xycoords=("axes fraction", "data"), fontsize=6, ha="right", va="bottom"
            )
    direction = higher_is_better(metric)
    side = "" if direction is None else ", higher is better" if direction else ", lower is better"
    unit = METRICS[metric].unit
    axes.set_title(f"{metric}{side}", fontsize=9)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
