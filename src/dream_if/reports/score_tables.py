"""Tables of scores: a row for each method, a column for each metric or condition, the paper's rows below."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dream_if.reports.published_numbers import OURS
from dream_if.reports.table import Cell, Table, column, number, p_value
from dream_if.scoring.statistics import chosen, higher_is_better

__all__ = [
    "NOISE_RAISES",
    "Column",
    "Paper",
    "against_table",
    "arrow",
    "csv_text",
    "heading",
    "means",
    "paper_rows",
    "score_table",
]

NOISE_RAISES = ("AG", "SF", "EN", "SD", "EI")
"""Metrics of the fused image alone, which noise that was left in raises."""

Paper = Mapping[str, Sequence[float]]
"""Method of the paper -> its values, one for each column."""


class Column(NamedTuple):
    """A column of a table: its heading, and of which condition and metric it is."""

    label: str
    condition: str
    metric: str


def arrow(metric: str) -> str:
    """The metric with its direction, as a heading."""
    better = higher_is_better(metric)
    return f"{metric} {'' if better is None else '↑' if better else '↓'}".rstrip()


def heading(metric: str) -> str:
    """The heading of a metric of corrupted pairs: without a direction where noise raises it."""
    return metric if metric in NOISE_RAISES else arrow(metric)


def means(summary: pd.DataFrame, name: str, place: Column) -> list[float]:
    """The mean of each method on a set, in a column; NaN where it is undefined for all images."""
    found: list[float] = _cell(summary, name, place)["mean"].tolist()
    return found


def _cell(frame: pd.DataFrame, name: str, place: Column) -> pd.DataFrame:
    return chosen(frame, set=name, condition=place.condition, metric=place.metric)


def score_table(
    summary: pd.DataFrame,
    name: str,
    columns: Sequence[Column],
    title: str = "",
    *,
    marked: bool = True,
    ranked: bool = False,
    spread: bool = False,
    paper: Paper | None = None,
) -> Table:
    """Means over images.

    Args:
        summary: as `summarise` returns it.
        name: of the set.
        columns: what stands in the columns.
        title: a line above.
        marked: whether the best and second best of a column are marked.
        ranked: add the mean over the columns of each row's mean rank over images.
        spread: let the sample standard deviation follow a mean.
        paper: rows to stand below, with the distance to them where a row of ours has the same name.
    """
    header, cells, ranks = ["method"], [], []
    for place in columns:
        found = _cell(summary, name, place)
        header.append(place.label)
        rests = [
            (f" ± {number(line.std)}" if spread and line.defined > 1 else "")
            + (f" ({line.defined}/{line.images})" if line.defined < line.images else "")
            for line in found.itertuples()
        ]
        cells.append(column(found["mean"].tolist(), higher_is_better(place.metric) if marked else None, rests))
        ranks += [found["rank"].to_numpy()] if found["ranked"].any() else []
    rows = chosen(summary, set=name)["method"].unique().tolist()
    if ranked:
        header.append("rank ↓")
        average = np.mean(ranks, axis=0).tolist() if ranks else [math.nan] * len(rows)
        cells.append(column(average, False, digits=2))
    lines = [[Cell(row), *line] for row, *line in zip(rows, *cells, strict=True)]
    ours = dict(zip(rows, zip(*(means(summary, name, place) for place in columns), strict=True), strict=True))
    lines += paper_rows(ours, paper or {}, [Cell("")] * ranked)
    return Table(header, lines, title)


def paper_rows(ours: Mapping[str, Sequence[float]], paper: Paper, spare: Sequence[Cell] = ()) -> list[list[Cell]]:
    """The paper's rows, and the distance to them of the rows that are the same method: the first, and namesakes.

    Args:
        ours: row -> its values, our own method first.
        paper: its values.
        spare: what ends each row.
    """
    lines = [[Cell(f"paper: {name}"), *map(Cell, map(number, values)), *spare] for name, values in paper.items()]
    by_name = {name.lower(): name for name in paper if name != OURS}
    first = next(iter(ours))
    shared = {first: OURS} if OURS in paper else {}
    shared |= {row: by_name[row.lower()] for row in ours if row.lower() in by_name and row not in shared}
    for row, theirs in shared.items():
        distances = [Cell(_signed(a - b)) for a, b in zip(ours[row], paper[theirs], strict=True)]
        lines.append([Cell(f"{row} - paper: {theirs}"), *distances, *spare])
    return lines


def _signed(difference: float) -> str:
    return f"{difference:+.3f}".replace("+nan", "–")


def against_table(
    summary: pd.DataFrame,
    tests: pd.DataFrame,
    name: str,
    columns: Sequence[Column],
    title: str = "",
    *,
    differences: bool = True,
) -> Table:
    """The first method against each other one: difference of the means, and p with the side that is better."""
    ours, *others = chosen(summary, set=name)["method"].unique()
    cells = []
    for place in columns:
        found = means(summary, name, place)
        cells.append(
            [
                Cell(
                    (f"{_signed(found[0] - mean)}, " if differences else "")
                    + p_value(test.p_holm)
                    + ("" if test.better is None else " (+)" if test.better else " (-)")
                )
                for mean, test in zip(found[1:], _cell(tests, name, place).itertuples(), strict=True)
            ]
        )
    lines = [[Cell(other), *line] for other, *line in zip(others, *cells, strict=True)]
    return Table([f"{ours} against", *(place.label for place in columns)], lines, title)


def csv_text(
    summary: pd.DataFrame, tests: pd.DataFrame, paper: Mapping[tuple[str, str, str], Mapping[str, float]]
) -> str:
    """A line for each set, condition, metric and row, then the paper's; empty where there is no such value.

    Args:
        summary: as `summarise` returns it.
        tests: as `compare` returns them.
        paper: (set, condition, method) -> metric -> the paper's value.
    """
    cell = ["set", "condition", "metric"]
    lines = summary.astype(dict.fromkeys((*cell, "method"), object)).reset_index(drop=True)
    first = lines.groupby(cell, sort=False)["mean"].transform("first")
    lines["ours_less_this"] = (first - lines["mean"]).astype(object)
    lines.loc[lines["method"] == lines["method"].iloc[0], "ours_less_this"] = ""
    own = tests[[*cell, "other", "p", "p_holm"]].rename(columns={"other": "method"})
    lines = lines.merge(own.astype(object), how="left", on=[*cell, "method"], indicator="tested")
    for name in ("p", "p_holm"):
        lines[name] = lines[name].where(lines["tested"] == "both", "")
    lines = lines.rename(columns={"images": "all_images", "defined": "images"})
    columns = ["set", "condition", "method", "metric", "mean", "std", "images", "ours_less_this", "p", "p_holm"]
    papers = [
        (f"{name} (paper)", condition, method, metric, value, *[""] * 5)
        for (name, condition, method), values in paper.items()
        for metric, value in values.items()
    ]
    text: str = pd.concat([lines[columns].astype(object), pd.DataFrame(papers, columns=columns, dtype=object)]).to_csv(
        index=False, lineterminator="\n", na_rep="nan"
    )
    return text
