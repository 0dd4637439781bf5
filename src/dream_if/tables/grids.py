"""Tables of a comparison: a row for each method, a column for each metric or condition, the paper's rows below."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dream_if.evaluation.results import higher_is_better
from dream_if.evaluation.scores import Scores
from dream_if.evaluation.statistics import Comparison as Test
from dream_if.evaluation.statistics import compare, holm, mean_ranks
from dream_if.render import Cell, Table, mark, number, p_value
from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.inputs import Condition
from dream_if.tables.paper import OURS
from dream_if.tables.plan import LPIPS_SELF

__all__ = [
    "Column",
    "Paper",
    "Tests",
    "against_grid",
    "all_tests",
    "arrow",
    "column_of",
    "csv_of",
    "heading",
    "means",
    "per_image_csv",
    "score_grid",
]

Tests = Mapping[tuple[str, str, str, str], Test]
"""(set, condition, row, metric) -> our row against this one."""

Paper = Mapping[str, Sequence[float]]
"""Method of the paper -> its values, one for each column."""


class Column(NamedTuple):
    """A column of a table: its heading, and what stands in it."""

    label: str
    condition: Condition
    metric: str


def direction(metric: str) -> bool | None:
    """Whether higher is better; None where neither end is."""
    return False if metric == LPIPS_SELF else higher_is_better(metric)


def arrow(metric: str) -> str:
    """The metric with its direction, as a heading."""
    better = direction(metric)
    return f"{metric} {'' if better is None else '↑' if better else '↓'}".rstrip()


def heading(metric: str) -> str:
    """The heading of a metric of corrupted pairs: without a direction where noise raises it."""
    return metric if metric in REWARD_NOISE else arrow(metric)


def column_of(
    comparison: Comparison, set_name: str, column: Column
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(rows, images): the scores in a column."""
    scores = comparison.scores[set_name, column.condition.name]
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = scores.values[:, :, scores.metrics.index(column.metric)]
    return found


def means(comparison: Comparison, set_name: str, column: Column) -> list[float]:
    """The mean of each row over the images for which it is defined; NaN without any."""
    kept = [values[np.isfinite(values)] for values in column_of(comparison, set_name, column)]
    return [float(values.mean()) if values.size else math.nan for values in kept]


def all_tests(comparison: Comparison, metrics: Mapping[str, Sequence[str]]) -> Tests:
    """Our row against each other one, on every set and under every condition.

    Args:
        comparison: the scores.
        metrics: condition -> what is tested under it.

    Returns:
        Paired Wilcoxon signed-rank tests over images, their p corrected by Holm's method over all of them.
    """
    tests: dict[tuple[str, str, str, str], Test] = {}
    for (name, condition), scores in comparison.scores.items():
        chosen = [scores.metrics.index(metric) for metric in metrics.get(condition, ()) if metric in scores.metrics]
        symbols = tuple(scores.metrics[column] for column in chosen)
        part = Scores(scores.methods, scores.names, symbols, scores.values[:, :, chosen], scores.date)
        for test in compare(part, [direction(symbol) for symbol in symbols]):
            tests[name, condition, test.other, test.metric] = test
    corrected = holm([test.p for test in tests.values()])
    return {place: replace(test, p_holm=p) for (place, test), p in zip(tests.items(), corrected, strict=True)}


def score_grid(
    comparison: Comparison,
    set_name: str,
    columns: Sequence[Column],
    title: str,
    *,
    marked: bool = True,
    ranked: bool = False,
    paper: Paper | None = None,
) -> Table:
    """Means over images.

    Args:
        comparison: the scores.
        set_name: of which set.
        columns: what stands in the columns.
        title: a line above.
        marked: whether the best and second best of a column are marked.
        ranked: add the mean over the columns of each row's mean rank over images.
        paper: rows to stand below, with the distance to them where a row of ours has the same name.
    """
    rows = [row.name for row in comparison.plan.rows]
    header, cells = ["method"], []
    for column in columns:
        header.append(column.label)
        values = column_of(comparison, set_name, column)
        printed = [number(value) for value in means(comparison, set_name, column)]
        counts = np.isfinite(values).sum(axis=1).tolist()
        rests = ["" if count == values.shape[1] else f" ({count}/{values.shape[1]})" for count in counts]
        marks = mark(printed, direction(column.metric) if marked else None)
        cells.append([Cell(*parts) for parts in zip(printed, marks, rests, strict=True)])
    if ranked:
        header.append("rank ↓")
        printed = [f"{rank:.2f}".replace("nan", "–") for rank in _ranks(comparison, set_name, columns)]
        cells.append([Cell(*parts) for parts in zip(printed, mark(printed, False), strict=True)])
    lines = [[Cell(name), *line] for name, *line in zip(rows, *cells, strict=True)]
    if paper:
        spare = [Cell("")] * ranked
        lines += [
            [Cell(f"paper: {name}"), *(Cell(number(v)) for v in values), *spare] for name, values in paper.items()
        ]
        for name, theirs in _shared(comparison, paper).items():
            ours = [means(comparison, set_name, column)[rows.index(name)] for column in columns]
            differences = [f"{a - b:+.3f}".replace("+nan", "–") for a, b in zip(ours, paper[theirs], strict=True)]
            lines.append([Cell(f"{name} - paper: {theirs}"), *map(Cell, differences), *spare])
    return Table(header, lines, title)


def _ranks(comparison: Comparison, set_name: str, columns: Sequence[Column]) -> list[float]:
    ranks = []
    for column in columns:
        better = direction(column.metric)
        if better is not None:
            found, images = mean_ranks(column_of(comparison, set_name, column), better)
            if images:
                ranks.append(found)
    return np.mean(ranks, axis=0).tolist() if ranks else [math.nan] * len(comparison.plan.rows)


def _shared(comparison: Comparison, paper: Paper) -> dict[str, str]:
    """Rows of ours -> the paper's row they are set against: ours, and those with the same name."""
    by_name = {name.lower(): name for name in paper}
    found = {comparison.plan.ours: OURS} if OURS in paper else {}
    for row in comparison.plan.rows:
        if row.name.lower() in by_name and row.name not in found and by_name[row.name.lower()] != OURS:
            found[row.name] = by_name[row.name.lower()]
    return found


def against_grid(comparison: Comparison, tests: Tests, set_name: str, columns: Sequence[Column], title: str) -> Table:
    """Our row against each other one: difference of the means, and p with the side that is better."""
    ours, *others = [row.name for row in comparison.plan.rows]

    def cell(place: int, column: Column) -> Cell:
        test = tests[set_name, column.condition.name, others[place], column.metric]
        found = means(comparison, set_name, column)
        difference = f"{found[0] - found[place + 1]:+.3f}".replace("+nan", "–")
        side = "" if test.better is None else " (+)" if test.better else " (-)"
        return Cell(f"{difference}, {p_value(test.p_holm)}{side}")

    header = [f"{ours} against", *(column.label for column in columns)]
    lines = [[Cell(other), *(cell(place, column) for column in columns)] for place, other in enumerate(others)]
    return Table(header, lines, title)


def csv_of(comparison: Comparison, tests: Tests, paper: Mapping[tuple[str, str, str], Mapping[str, float]]) -> str:
    """A line for each set, condition, row and metric, then the paper's; empty where there is no such value.

    Args:
        comparison: the scores.
        tests: of our row against the others.
        paper: (set, condition, method) -> metric -> the paper's value.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "condition", "method", "metric", "mean", "std", "images", "ours_less_this", "p", "p_holm"])
    ours = comparison.plan.ours
    for name, condition in comparison.cells:
        for metric in comparison.metrics:
            column = Column(metric, condition, metric)
            values = column_of(comparison, name, column)
            found = means(comparison, name, column)
            for row, mean, own in zip(comparison.plan.rows, found, values, strict=True):
                kept = own[np.isfinite(own)]
                std = float(kept.std(ddof=1)) if kept.size > 1 else math.nan
                test = tests.get((name, condition.name, row.name, metric))
                against = ["" if row.name == ours else found[0] - mean]
                against += ["", ""] if test is None else [test.p, test.p_holm]
                writer.writerow([name, condition.name, row.name, metric, mean, std, kept.size, *against])
    for (name, condition_name, method), values_by_metric in paper.items():
        for metric, value in values_by_metric.items():
            writer.writerow([f"{name} (paper)", condition_name, method, metric, value, *[""] * 5])
    return text.getvalue()


def per_image_csv(comparison: Comparison) -> str:
    """A line for each set, condition, row and image, with all metrics; `nan` where one is undefined."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "condition", "method", "name", *comparison.metrics])
    for (name, condition), scores in comparison.scores.items():
        for method, table in zip(scores.methods, scores.values.tolist(), strict=True):
            for image, values in zip(scores.names, table, strict=True):
                writer.writerow([name, condition, method, image, *map(repr, values)])
    return text.getvalue()
