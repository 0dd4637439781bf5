"""What Table 4 says as a whole: the order of its rows, and where the full network is ahead."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from dream_if.reports.ablation import Ablation, Effect, Result
from dream_if.reports.ablation_rows import BASE, FULL, LABELS, ROWS
from dream_if.reports.paper import TABLE_4
from dream_if.reports.table import Cell, Table, number
from dream_if.scoring.statistics import fewest_pairs

__all__ = ["AHEAD_P", "BEHIND", "dominance", "orders", "summary_notes", "verdicts"]

AHEAD_P = 0.01
"""Below this corrected p, and with all seeds, the full network counts as ahead on a set."""

BEHIND = 0.01
"""By more than this its mean must be the worse one for it to count as behind."""


def orders(ablation: Ablation) -> Table:
    """For each condition and metric that counts there, the order of the rows by their mean over sets."""
    lines = []
    for condition, names, metric, higher in _judged(ablation):
        results = ablation.over_sets(ablation.results, names, list(ROWS), metric)
        means = {row: number(result.mean) for row, result in results.items()}
        told = {row: f"{LABELS[row]} {_spread(ablation, results[row])}" for row in ROWS}
        printed = {row: number(values[metric]) for row, values in TABLE_4.items() if metric in values}
        paper = _in_order(printed, LABELS, higher) if printed else "–"
        lines.append([Cell(text) for text in (condition, metric, _in_order(means, told, higher), paper)])
    header = ["condition", "metric", "rows, the best first", "order in the paper"]
    return Table(header, lines, "Order of the rows, by their mean over sets", words=len(header))


def _judged(ablation: Ablation) -> Iterator[tuple[str, list[str], str, bool]]:
    """Condition, its test sets, and each metric that counts there with whether higher is better."""
    for condition, names in ablation.conditions.items():
        for metric in ablation.metrics:
            higher = ablation.direction(names[0], metric)
            if higher is not None:
                yield condition, names, metric, higher


def _spread(ablation: Ablation, result: Result) -> str:
    """Mean and deviation; the mean alone where it is undefined or of a single seed."""
    mean = number(result.mean)
    return mean if mean == "–" or len(ablation.seeds) == 1 else f"{mean} ± {number(result.std)}"


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
    """For each condition and metric that counts there, on how many sets the full network is ahead and behind."""
    others = [BASE, *ablation.controls]
    fewest = fewest_pairs(ablation.tests, AHEAD_P)
    lines = []
    for condition, names, metric, higher in _judged(ablation):
        cells = []
        for other in others:
            effects = [ablation.effects[name, FULL, other, metric] for name in names]
            ahead = sum(_ahead(effect, len(ablation.seeds)) for effect in effects)
            behind = sum((-effect.difference if higher else effect.difference) > BEHIND for effect in effects)
            cells.append(f"{ahead} ahead, {behind} behind")
        large = sum(ablation.sets[name] >= fewest for name in names)
        lines.append([Cell(text) for text in (condition, metric, f"{len(names)} ({large})", *cells)])
    header = ["condition", "metric", "sets (large enough)", *(f"against {LABELS[other]}" for other in others)]
    return Table(header, lines, f"{LABELS[FULL]}, on how many sets it is ahead and behind", words=2)


def _ahead(effect: Effect, seeds: int) -> bool:
    return effect.seeds_ahead == seeds and effect.better is True and effect.p_holm < AHEAD_P


def dominance(ablation: Ablation) -> list[Table]:
    """A table for each condition: the statistics of the dominance maps that are defined there, means over sets."""
    statistics = list(dict.fromkeys(statistic for *_, statistic in ablation.dominance))
    tables = []
    for condition, names in ablation.conditions.items():
        means = {
            statistic: ablation.over_sets(ablation.dominance, names, ablation.rows, statistic)
            for statistic in statistics
        }
        columns = {
            statistic: by_row
            for statistic, by_row in means.items()
            if any(isfinite(result.mean) for result in by_row.values())
        }
        lines = [
            [Cell(LABELS[row]), *(Cell(_spread(ablation, by_row[row])) for by_row in columns.values())]
            for row in ablation.rows
            if any(isfinite(by_row[row].mean) for by_row in columns.values())
        ]
        if lines:
            tables.append(Table(["row", *columns], lines, f"{condition}, dominance maps"))
    return tables


def summary_notes(ablation: Ablation, tables: Sequence[Table]) -> list[str]:
    """How to read what stands above the single sets, and the tables of dominance maps."""
    several = len(ablation.seeds) > 1
    notes = [
        "Order of the rows: means over the sets under a condition, each set weighing alike"
        + (" ± sample standard deviation over the seeds of that mean" if several else "")
        + "; = between rows that print alike. A set on which a row has no value is left out. The paper's order is that "
        "of its one set, clean.",
        f"{LABELS[FULL]} is ahead on a set where each seed has the better mean and the corrected p is below "
        f"{AHEAD_P}, and behind where its mean is worse by more than {BEHIND}; on the other sets it is neither. In "
        "brackets: how many of the sets have images enough for so small a p.",
    ]
    if tables:
        notes.append(
            "Columns of dominance maps begin with RD_: means over images and then over sets, of the images and sets "
            "where they are defined. They take no part in the tests."
        )
    return notes
