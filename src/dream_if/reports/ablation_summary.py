"""The overall result of Table 4 or of a sweep: the order of its rows, and which is ahead where."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from dream_if.reports.ablation import Ablation
from dream_if.reports.table import Cell, Table, number
from dream_if.scoring.statistics import fewest_pairs

__all__ = ["AHEAD_P", "BEHIND", "dominance", "orders", "summary_notes", "verdicts"]

AHEAD_P = 0.01
"""Below this corrected p, and with all seeds, a row counts as ahead on a set."""

BEHIND = 0.01
"""By more than this its mean must be the worse one for it to count as behind."""


def orders(ablation: Ablation) -> Table:
    """For each condition and metric that counts there, the order of the rows by their mean over sets."""
    lineup = ablation.lineup
    header = ["condition", "metric", "rows, the best first", *(["order in the paper"] if lineup.paper else [])]
    lines = []
    for condition, names, metric, higher in _judged(ablation):
        results = ablation.over_sets(names, lineup.rows, metric)
        means = {row: number(mean) for row, mean in results["mean"].items()}
        told = {row: f"{lineup.labels[row]} {spread}" for row, spread in _spreads(ablation, results).items()}
        printed = {row: number(values[metric]) for row, values in lineup.paper.items() if metric in values}
        paper = _in_order(printed, lineup.labels, higher) if printed else "–"
        texts = (condition, metric, _in_order(means, told, higher), paper)
        lines.append([Cell(text) for text in texts[: len(header)]])
    return Table(header, lines, "Order of the rows, by their mean over sets", words=len(header))


def _judged(ablation: Ablation) -> Iterator[tuple[str, list[str], str, bool]]:
    """Condition, its test sets, and each metric that counts there with whether higher is better."""
    for condition, names in ablation.conditions.items():
        for metric in ablation.metrics:
            higher = ablation.direction(names[0], metric)
            if higher is not None:
                yield condition, names, metric, higher


def _spreads(ablation: Ablation, results: pd.DataFrame) -> dict[str, str]:
    """Row -> mean and deviation; the mean alone where it is undefined or of a single seed."""
    told = {}
    for row, mean, std in results[["mean", "std"]].itertuples():
        alone = len(ablation.seeds) == 1 or not np.isfinite(mean)
        told[row] = number(mean) if alone else f"{number(mean)} ± {number(std)}"
    return told


def _in_order(means: Mapping[str, str], told: Mapping[str, str], higher: bool) -> str:
    """Rows by their means as these are printed, the best first, = between those printed alike, undefined ones last."""
    worst = float("-inf" if higher else "inf")
    values = {row: worst if mean == "–" else float(mean) for row, mean in means.items()}
    best, *others = sorted(values, key=lambda row: values[row], reverse=higher)
    text, before = told[best], best
    for row in others:
        text += f" {'=' if values[row] == values[before] else '>'} {told[row]}"
        before = row
    return text


def verdicts(ablation: Ablation) -> Table:
    """For each condition and metric that counts there, on how many sets which row is ahead and behind.

    That is the full network against base and each control, or without a full network each row against base.
    """
    lineup = ablation.lineup
    label = lineup.labels
    if lineup.leads:
        pairs = {f"against {label[other]}": (lineup.full, other) for other in (lineup.base, *ablation.controls)}
        title = f"{label[lineup.full or '']}, on how many sets it is ahead and behind"
    else:
        pairs = {label[row]: (row, lineup.base) for row in lineup.others}
        title = f"Against {label[lineup.base]}, on how many sets a row is ahead and behind"
    fewest = fewest_pairs(ablation.tests, AHEAD_P)
    lines = []
    for condition, names, metric, higher in _judged(ablation):
        cells = []
        for row, other in pairs.values():
            effects = ablation.effects.loc[[(name, row, other, metric) for name in names]]
            by_all = (effects["seeds_ahead"] == len(ablation.seeds)) & effects["better"].eq(True)
            ahead = by_all & (effects["p_holm"] < AHEAD_P)
            behind = (-1 if higher else 1) * effects["difference"] > BEHIND
            cells.append(f"{ahead.sum()} ahead, {behind.sum()} behind")
        large = sum(ablation.sets[name] >= fewest for name in names)
        lines.append([Cell(text) for text in (condition, metric, f"{len(names)} ({large})", *cells)])
    return Table(["condition", "metric", "sets (large enough)", *pairs], lines, title, words=2)


def dominance(ablation: Ablation) -> list[Table]:
    """A table for each condition: the statistics of the dominance maps that are defined there, means over sets."""
    tables = []
    for condition, names in ablation.conditions.items():
        of_statistic = {name: ablation.over_sets(names, ablation.rows, name) for name in ablation.statistics}
        columns = {name: of for name, of in of_statistic.items() if np.isfinite(of["mean"]).any()}
        told = pd.DataFrame({name: _spreads(ablation, of) for name, of in columns.items()}, index=ablation.rows)
        told = told[[any(np.isfinite(of["mean"][row]) for of in columns.values()) for row in ablation.rows]]
        lines = [[Cell(ablation.lineup.labels[row]), *map(Cell, cells)] for row, *cells in told.itertuples()]
        if lines:
            tables.append(Table(["row", *columns], lines, f"{condition}, dominance maps"))
    return tables


def summary_notes(ablation: Ablation, tables: Sequence[Table]) -> list[str]:
    """How to read what stands above the single sets, and the tables of dominance maps."""
    several, lineup = len(ablation.seeds) > 1, ablation.lineup
    judged = lineup.labels[lineup.full] if lineup.full and lineup.leads else "A row"
    notes = [
        "Order of the rows: means over the sets under a condition, each set with equal weight"
        + (" ± sample standard deviation over the seeds of that mean" if several else "")
        + "; = between rows that print the same value. A set on which a row has no value is left out."
        + (" The paper's order is from its one set, clean." if lineup.paper else ""),
        f"{judged} is ahead on a set if each seed has the better mean and the corrected p is below "
        f"{AHEAD_P}, and behind if its mean is worse by more than {BEHIND}; otherwise it is neither. In "
        "brackets: how many of the sets have enough images for such a small p.",
    ]
    if tables:
        notes.append(
            "Columns of dominance maps begin with RD_: means over images and then over sets, of the images and sets "
            "where they are defined. They take no part in the tests."
        )
    return notes
