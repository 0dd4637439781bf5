"""How the rows of an ablation spread over seeds, as a picture."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from dream_if.pixels import figure_png
from dream_if.reports.ablation import Ablation
from dream_if.reports.ablation_rows import BASE, CONTROLS, LABELS
from dream_if.reports.drawing import plain_axes

__all__ = ["seeds_plot"]

BASE_COLOUR, CONTROLS_COLOUR, OTHERS = "#3182bd", "#b35806", "#333333"


def seeds_plot(ablation: Ablation, sets: Sequence[str], title: str) -> bytes:
    """Draw a panel for each test set and metric, with a line for each row and control.

    Dots are the seeds, the diamond is their mean, the bar the sample standard deviation; a dashed line marks the mean
    of the base. The paper's numbers are of other images, and would lie outside.

    Args:
        ablation: the table.
        sets: test sets under one condition, at least one.
        title: a line above.

    Returns:
        The figure as a PNG file.
    """
    rows, metrics = ablation.rows, ablation.metrics
    size = (1.5 + 2.1 * len(metrics), 0.5 + (0.6 + 0.23 * len(rows)) * len(sets))
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    grid = figure.subplots(len(sets), len(metrics), squeeze=False)
    for line, name in enumerate(sets):
        for column, metric in enumerate(metrics):
            axes = grid[line][column]
            for height, row in enumerate(rows):
                result = ablation.results[name, row, metric]
                colour = BASE_COLOUR if row == BASE else CONTROLS_COLOUR if row in CONTROLS else OTHERS
                spread = 0.0 if math.isnan(result.std) else result.std
                axes.errorbar(
                    result.mean, height, xerr=spread, fmt="D", ms=5, mfc="white", color=colour, lw=1, capsize=2
                )
                axes.plot(result.by_seed, [height] * len(result.by_seed), "o", ms=2.5, color=colour, alpha=0.7)
            axes.axvline(ablation.results[name, BASE, metric].mean, color=BASE_COLOUR, lw=0.7, ls="--")
            if line == 0:
                axes.set_title(_title(metric, ablation.direction(name, metric)), fontsize=8)
            axes.set_yticks(range(len(rows)), [LABELS[row] for row in rows] if column == 0 else [])
            if column == 0:
                axes.set_ylabel(name, fontsize=8)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.locator_params(axis="x", nbins=4)
            plain_axes(axes)
    legend = f"dots: {len(ablation.seeds)} seed(s); diamond and bar: mean and sample deviation"
    figure.suptitle(f"{title}\n{legend}", fontsize=9)
    return figure_png(figure)


def _title(metric: str, higher: bool | None) -> str:
    """The metric, and which side is the better one."""
    return metric if higher is None else f"{metric}, {'higher' if higher else 'lower'} is better"
