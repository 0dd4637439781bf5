"""How the rows of an ablation spread over seeds, as a picture."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from dream_if.evaluation.results import higher_is_better
from dream_if.pixels import figure_png
from dream_if.tables.ablation import BASE, ROWS, Ablation, stands_apart

__all__ = ["seeds_plot"]

BASE_COLOUR, OTHERS = "#3182bd", "#333333"


def seeds_plot(ablation: Ablation, title: str) -> bytes:
    """Draw a panel for each test set and metric, with a line for each row.

    Dots are the seeds, the diamond is their mean, the bar the sample standard deviation; a dashed line marks the mean
    of the base. The paper's numbers are of other images, and would lie outside.

    Returns:
        The figure as a PNG file.
    """
    sets, metrics = list(ablation.sets), ablation.metrics
    figure = Figure(figsize=(1.2 + 2.1 * len(metrics), 0.5 + 1.75 * len(sets)), dpi=130, layout="constrained")
    grid = figure.subplots(len(sets), len(metrics), squeeze=False)
    for line, name in enumerate(sets):
        for column, metric in enumerate(metrics):
            axes = grid[line][column]
            for height, row in enumerate(ROWS):
                result = ablation.results[name, row, metric]
                colour = BASE_COLOUR if row == BASE else OTHERS
                spread = 0.0 if math.isnan(result.std) else result.std
                axes.errorbar(
                    result.mean, height, xerr=spread, fmt="D", ms=5, mfc="white", color=colour, lw=1, capsize=2
                )
                axes.plot(result.by_seed, [height] * len(result.by_seed), "o", ms=2.5, color=colour, alpha=0.7)
            axes.axvline(ablation.results[name, BASE, metric].mean, color=BASE_COLOUR, lw=0.7, ls="--")
            if line == 0:
                axes.set_title(_title(metric, sets), fontsize=8)
            axes.set_yticks(range(len(ROWS)), [label for label, _ in ROWS.values()] if column == 0 else [])
            if column == 0:
                axes.set_ylabel(name, fontsize=8)
            axes.set_ylim(len(ROWS) - 0.5, -0.5)
            axes.locator_params(axis="x", nbins=4)
            axes.tick_params(labelsize=7)
            axes.grid(axis="x", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    legend = f"dots: {len(ablation.seeds)} seed(s); diamond and bar: mean and sample deviation"
    figure.suptitle(f"{title}\n{legend}", fontsize=9)
    return figure_png(figure)


def _title(metric: str, sets: Sequence[str]) -> str:
    """The metric, and which side is better on which sets."""
    higher = higher_is_better(metric)
    where = [name for name in sets if not stands_apart(name, metric)]
    if higher is None or not where:
        return metric
    side = "higher is better" if higher else "lower is better"
    return f"{metric}, {side}" if len(where) == len(sets) else f"{metric}, {side} on clean pairs"
