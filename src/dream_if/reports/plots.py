"""The plots beside the tables: rows of dots for methods or seeds, curves over severity or shift, and box plots."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dream_if.metrics import METRICS
from dream_if.pixels import figure_png
from dream_if.reports.ablation import Ablation
from dream_if.reports.score_tables import Column, means
from dream_if.scoring.scored_folders import Evaluation
from dream_if.scoring.scored_plan import ScoredPlan
from dream_if.scoring.statistics import Values, higher_is_better, matrix

__all__ = ["OTHERS", "OURS", "box_plots", "curves", "dots", "panels_of_rows", "seeds_plot", "with_direction"]

OURS, OTHERS = "#d6604d", "#4d4d4d"
BASE_COLOUR, CONTROLS_COLOUR, LINE = "#3182bd", "#b35806", "#333333"
FIRST_BOX, OTHER_BOXES = "#9ecae1", "#e4e4e4"
BOXES_BESIDE = 3


def with_direction(metric: str, higher_is_better: bool | None) -> str:
    """The metric, and which side is the better one."""
    return metric if higher_is_better is None else f"{metric}, {'higher' if higher_is_better else 'lower'} is better"


def _plain(axes: Axes, size: int = 7) -> None:
    """Small labels, a faint grid across, and no frame at the top and on the right."""
    axes.tick_params(labelsize=size)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def panels_of_rows(
    sets: Sequence[str], titles: Sequence[str], rows: Sequence[str], size: tuple[float, float], dpi: int = 120
) -> tuple[Figure, npt.NDArray[np.object_]]:
    """Empty panels in a figure of this size in inches: a line for each set, a column for each title.

    Returns:
        The figure, and its axes (sets, titles), in which the n-th row stands at the height n, from the top down.
    """
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    grid: npt.NDArray[np.object_] = figure.subplots(len(sets), len(titles), squeeze=False)
    for (line, place), axes in np.ndenumerate(grid):
        axes.set_title(titles[place] if line == 0 else "", fontsize=8)
        axes.set_yticks(range(len(rows)), rows if place == 0 else [])
        axes.set_ylabel(sets[line] if place == 0 else "", fontsize=8)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        _plain(axes)
    return figure, grid


def dots(scored: ScoredPlan, columns: Sequence[Column], title: str) -> bytes:
    """A line of panels for each set, with a dot for each row and a bar over the middle half of its images.

    Args:
        scored: the scores.
        columns: a panel for each.
        title: a line above.

    Returns:
        The figure as a PNG file.
    """
    rows, sets = [row.name for row in scored.plan.rows], list(scored.plan.images)
    size = (2.2 + 2.0 * len(columns), 0.9 + (0.5 + 0.19 * len(rows)) * len(sets))
    figure, grid = panels_of_rows(sets, [column.label for column in columns], rows, size)
    for (line, place), axes in np.ndenumerate(grid):
        column = columns[place]
        scores = matrix(scored.scores, set=sets[line], condition=column.condition, metric=column.metric)
        for height, mean in enumerate(means(scored.summary, sets[line], column)):
            kept = scores[height][np.isfinite(scores[height])]
            if kept.size:
                colour = OTHERS if height else OURS
                axes.plot(np.quantile(kept, [0.25, 0.75]), [height, height], color=colour, lw=1.2, alpha=0.6)
                axes.plot(mean, height, "o", ms=3.5, color=colour)
    figure.suptitle(f"{title}\ndot: mean over images, bar: their middle half", fontsize=9)
    return figure_png(figure)


def seeds_plot(ablation: Ablation, sets: Sequence[str], title: str) -> bytes:
    """A panel for each test set and metric of the ablation, with a line for each row and control.

    Dots are the seeds, the diamond is their mean, the bar the sample standard deviation; a dashed line marks the mean
    of the base. The paper's numbers are of other images, and would lie outside.

    Args:
        ablation: the table.
        sets: test sets under one condition, at least one.
        title: a line above.

    Returns:
        The figure as a PNG file.
    """
    rows, metrics, lineup = ablation.rows, ablation.metrics, ablation.lineup
    titles = [with_direction(metric, ablation.direction(sets[0], metric)) for metric in metrics]
    size = (1.5 + 2.1 * len(metrics), 0.5 + (0.6 + 0.23 * len(rows)) * len(sets))
    figure, grid = panels_of_rows(sets, titles, [lineup.labels[row] for row in rows], size, dpi=130)
    for (line, place), axes in np.ndenumerate(grid):
        results = ablation.of_rows(sets[line], rows, metrics[place])
        for height, (row, mean, std, *by_seed) in enumerate(results.itertuples()):
            colour = BASE_COLOUR if row == lineup.base else LINE if row in lineup.rows else CONTROLS_COLOUR
            spread = 0.0 if math.isnan(std) else std
            axes.errorbar(mean, height, xerr=spread, fmt="D", ms=5, mfc="white", color=colour, lw=1, capsize=2)
            axes.plot(by_seed, [height] * len(by_seed), "o", ms=2.5, color=colour, alpha=0.7)
        axes.axvline(results["mean"][lineup.base], color=BASE_COLOUR, lw=0.7, ls="--")
        axes.locator_params(axis="x", nbins=4)
    legend = f"dots: {len(ablation.seeds)} seed(s); diamond and bar: mean and sample deviation"
    figure.suptitle(f"{title}\n{legend}", fontsize=9)
    return figure_png(figure)


def curves(
    scored: ScoredPlan, panels: Mapping[str, Mapping[float, Column]], across: str, title: str, lines: int
) -> bytes:
    """A line of panels for each set; in each panel a curve for each row over a number that grows.

    Args:
        scored: the scores.
        panels: heading -> number -> what is drawn there; the label of the first stands beside the axis.
        across: what the number is.
        title: a line above.
        lines: into how many lines the panels of a set are broken.

    Returns:
        The figure as a PNG file.
    """
    rows, sets = [row.name for row in scored.plan.rows], list(scored.plan.images)
    each = -(-len(panels) // lines)
    figure = Figure(figsize=(1.4 + 2.3 * each, 1.6 + 1.9 * len(sets) * lines), dpi=120, layout="constrained")
    grid = figure.subplots(len(sets) * lines, each, squeeze=False)
    for name, of_set in zip(sets, grid.reshape(len(sets), -1), strict=True):
        for axes in of_set[len(panels) :]:
            axes.set_axis_off()
        for axes, (heading, points) in zip(of_set, panels.items(), strict=False):
            found = {number: means(scored.summary, name, column) for number, column in points.items()}
            for index, row in reversed(list(enumerate(rows))):
                axes.plot(
                    list(found),
                    [values[index] for values in found.values()],
                    marker="o",
                    ms=2.5 + (index == 0),
                    lw=2.0 if index == 0 else 0.9,
                    ls="-" if index < 10 else "--",
                    color=f"C{index % 10}",
                    label=row,
                )
            axes.set_title(f"{name}: {heading}", fontsize=8)
            axes.set_xticks(list(found))
            axes.set_xlabel(across, fontsize=7)
            axes.set_ylabel(next(iter(points.values())).label, fontsize=7)
            _plain(axes)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=min(4, len(rows)), fontsize=7)
    figure.suptitle(title, fontsize=9)
    return figure_png(figure)


def box_plots(evaluation: Evaluation) -> bytes:
    """Draw a panel for each metric with a box for each method, the first method on top and in colour.

    A box holds the middle half of the images, its line is the median, its diamond the mean; whiskers reach to the last
    image within 1.5 box lengths, dots are the images beyond.

    Returns:
        The figure as a PNG file.
    """
    methods, metrics, total = evaluation.methods, evaluation.metrics, len(evaluation.images.names)
    columns = min(BOXES_BESIDE, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    width = 1.4 + max(len(method) for method in methods) * 0.07 + 2.2  # inches of a panel
    figure = Figure(figsize=(width * columns, (0.95 + 0.32 * len(methods)) * rows + 0.3), dpi=130, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, metric in zip(grid.flat, metrics, strict=False):
        _boxes(axes, metric, methods, matrix(evaluation.scores, metric=metric))
    for axes in grid.flat[len(metrics) :]:
        axes.set_axis_off()
    resized = {method: len(evaluation.images.resized(method)) for method in methods}
    title = f"{total} images per method; line: median, diamond: mean"
    if any(resized.values()):
        counts = ", ".join(f"{method} {count}" for method, count in resized.items() if count)
        title = f"{title}\nscaled to the size of their sources: {counts}"
    figure.suptitle(title, fontsize=9)
    return figure_png(figure)


def _boxes(axes: Axes, metric: str, methods: Sequence[str], values: Values) -> None:
    """Fill a panel with the (M, N) scores of a metric."""
    kept = [row[np.isfinite(row)] for row in values]
    thin = {"color": LINE, "linewidth": 0.8}
    boxes = axes.boxplot(
        kept,
        orientation="horizontal",
        tick_labels=methods,
        widths=0.62,
        patch_artist=True,
        showmeans=True,
        boxprops={"edgecolor": LINE, "linewidth": 0.8},
        medianprops={"color": LINE, "linewidth": 1.4},
        whiskerprops=thin,
        capprops=thin,
        meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": LINE, "markersize": 4},
        flierprops={"marker": "o", "markersize": 2.5, "markerfacecolor": LINE, "markeredgewidth": 0, "alpha": 0.6},
    )
    for position, (box, row) in enumerate(zip(boxes["boxes"], kept, strict=True)):
        box.set_facecolor(OTHER_BOXES if position else FIRST_BOX)
        if row.size < values.shape[1]:
            note, place = f" {row.size} of {values.shape[1]} defined", (1, position + 1)
            axes.annotate(note, place, xycoords=("axes fraction", "data"), fontsize=6, ha="right", va="bottom")
    axes.set_title(with_direction(metric, higher_is_better(metric)), fontsize=9)
    axes.set_xlabel(METRICS[metric].unit, fontsize=8)
    axes.invert_yaxis()
    _plain(axes, size=8)
