"""Pictures of a comparison: dots for methods on sets, and curves over what gets worse."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dream_if.pixels import figure_png
from dream_if.reports.drawing import OTHERS, OURS, plain_axes
from dream_if.reports.score_tables import Column, means
from dream_if.scoring.compare import ScoredPlan
from dream_if.scoring.statistics import matrix

__all__ = ["curves", "dots"]


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
    figure = Figure(
        figsize=(2.2 + 2.0 * len(columns), 0.9 + (0.5 + 0.19 * len(rows)) * len(sets)), dpi=120, layout="constrained"
    )
    grid = figure.subplots(len(sets), len(columns), squeeze=False)
    for line, name in enumerate(sets):
        for place, column in enumerate(columns):
            axes: Axes = grid[line][place]
            for height, (mean, values) in enumerate(
                zip(
                    means(scored.summary, name, column),
                    matrix(scored.scores, set=name, condition=column.condition, metric=column.metric),
                    strict=True,
                )
            ):
                colour = OTHERS if height else OURS
                kept = values[np.isfinite(values)]
                if kept.size:
                    axes.plot(np.quantile(kept, [0.25, 0.75]), [height, height], color=colour, lw=1.2, alpha=0.6)
                    axes.plot(mean, height, "o", ms=3.5, color=colour)
            axes.set_title(column.label if line == 0 else "", fontsize=8)
            axes.set_yticks(range(len(rows)), rows if place == 0 else [])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            if place == 0:
                axes.set_ylabel(name, fontsize=8)
            plain_axes(axes)
    figure.suptitle(f"{title}\ndot: mean over images, bar: their middle half", fontsize=9)
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
    styles = [f"C{number % 10}" for number in range(len(rows))]
    for line, name in enumerate(sets):
        for place, (heading, points) in enumerate(panels.items()):
            axes: Axes = grid[line * lines + place // each][place % each]
            found = {number: means(scored.summary, name, column) for number, column in points.items()}
            for index, row in reversed(list(enumerate(rows))):
                axes.plot(
                    list(found),
                    [values[index] for values in found.values()],
                    marker="o",
                    ms=2.5 + (index == 0),
                    lw=2.0 if index == 0 else 0.9,
                    ls="-" if index < 10 else "--",
                    color=styles[index],
                    label=row,
                )
            axes.set_title(f"{name}: {heading}", fontsize=8)
            axes.set_xticks(list(found))
            axes.set_xlabel(across, fontsize=7)
            axes.set_ylabel(next(iter(points.values())).label, fontsize=7)
            plain_axes(axes)
        for spare in range(len(panels), each * lines):
            grid[line * lines + spare // each][spare % each].set_axis_off()
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=min(4, len(rows)), fontsize=7)
    figure.suptitle(title, fontsize=9)
    return figure_png(figure)
