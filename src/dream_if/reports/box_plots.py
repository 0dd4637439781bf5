"""Box plots: how the scores spread over images."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dream_if.metrics import METRICS
from dream_if.pixels import figure_png
from dream_if.reports.drawing import plain_axes
from dream_if.scoring.evaluate import Evaluation
from dream_if.scoring.statistics import Values, higher_is_better, matrix

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
    methods, metrics, total = evaluation.methods, evaluation.metrics, len(evaluation.images.names)
    columns = min(_COLUMNS, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    width = 1.4 + max(len(method) for method in methods) * 0.07 + 2.2  # inches of a panel
    figure = Figure(figsize=(width * columns, (0.95 + 0.32 * len(methods)) * rows + 0.3), dpi=130, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for column, metric in enumerate(metrics):
        axes = grid[column // columns][column % columns]
        _panel(axes, metric, methods, matrix(evaluation.scores, metric=metric))
    for axes in grid.flat[len(metrics) :]:
        axes.set_axis_off()
    resized = {method: len(evaluation.images.resized(method)) for method in methods}
    title = f"{total} images per method; line: median, diamond: mean"
    if any(resized.values()):
        counts = ", ".join(f"{method} {count}" for method, count in resized.items() if count)
        title = f"{title}\nscaled to the size of their sources: {counts}"
    figure.suptitle(title, fontsize=9)
    return figure_png(figure)


def _panel(axes: Axes, metric: str, methods: Sequence[str], values: Values) -> None:
    """Fill a panel with the (M, N) scores of a metric."""
    kept = [row[np.isfinite(row)] for row in values]
    boxes = axes.boxplot(
        kept,
        orientation="horizontal",
        tick_labels=methods,
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
    axes.invert_yaxis()
    plain_axes(axes, size=8)
