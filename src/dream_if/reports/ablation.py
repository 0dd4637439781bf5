"""Table 4, the ablation: what relative dominance, cross and self enhancement bring, by row, test set and metric."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from dream_if.data.conditions import CLEAN
from dream_if.metrics import METRICS, TABLE_METRICS
from dream_if.reports.ablation_rows import BASE, CONTROLS, FULL, ROWS, sort_runs
from dream_if.reports.score_tables import NOISE_RAISES
from dream_if.runs.finished import FoundRuns, Run
from dream_if.scoring.statistics import Values, higher_is_better, holm, paired_test

__all__ = ["Ablation", "Effect", "Result", "make_ablation"]


@dataclass(frozen=True)
class Effect:
    """A row against another one, for one test set and metric.

    Attributes:
        difference: the row's mean less the other's.
        seeds_ahead: seeds for which the row's mean is the better one; None for a metric without direction there, or
            if a mean is undefined.
        images: pairs in the test, one for each image for which all runs of both rows have a value.
        left_out: the other images.
        better: whether the test's larger rank sum speaks for the row; None for a draw, or a metric without direction.
        p: of the two-sided paired Wilcoxon signed-rank test over images, each averaged over the seeds first; NaN where
            the metric stands apart.
        p_holm: after Holm's correction over all tests of the table.
    """

    difference: float
    seeds_ahead: int | None
    images: int
    left_out: int
    better: bool | None
    p: float
    p_holm: float


@dataclass(frozen=True)
class Result:
    """One metric or statistic of a row, on a test set or as the mean over several.

    Attributes:
        by_seed: the mean over images of each seed's run, in the order of the seeds.
        mean: over the seeds.
        std: sample deviation (divisor n - 1) over the seeds; NaN for a single one.
    """

    by_seed: tuple[float, ...]
    mean: float
    std: float

    @classmethod
    def of(cls, by_seed: Sequence[float] | Values) -> Self:
        """Mean and deviation of the seeds' values."""
        values = np.asarray(by_seed, np.float64)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        return cls(tuple(values.tolist()), float(values.mean()), deviation)


Results = Mapping[tuple[str, str, str], Result]
"""(set, row, metric or statistic) -> result."""


@dataclass(frozen=True)
class Ablation:
    """The table.

    Attributes:
        runs: (row, seed) -> its run; every row, and every control that there is, with every seed.
        seeds: in rising order.
        sets: test set -> number of its images.
        places: test set -> the folder's name and the condition, `CLEAN` where nothing was done to it.
        metrics: the paper's first.
        results: of the metrics.
        effects: (set, row, other row, metric) -> the one against the other: each row against base, and the full network
            against each control.
        dominance: of the statistics of dominance maps; NaN where a row has none.
        ignored: what lay among the runs and is not in the table, a sentence each.
    """

    runs: Mapping[tuple[str, int], Run]
    seeds: tuple[int, ...]
    sets: Mapping[str, int]
    places: Mapping[str, tuple[str, str]]
    metrics: tuple[str, ...]
    results: Results
    effects: Mapping[tuple[str, str, str, str], Effect]
    dominance: Results
    ignored: tuple[str, ...]

    @property
    def rows(self) -> list[str]:
        """The rows, and behind them the controls that there are."""
        return list(dict.fromkeys(row for row, _ in self.runs))

    @property
    def controls(self) -> list[str]:
        """The controls that there are."""
        return [row for row in self.rows if row in CONTROLS]

    @property
    def conditions(self) -> dict[str, list[str]]:
        """Condition -> the names of the test sets under it."""
        sets: dict[str, list[str]] = {}
        for name in self.sets:
            sets.setdefault(self.places[name][1], []).append(name)
        return sets

    def direction(self, name: str, metric: str) -> bool | None:
        """Whether higher is better on a test set; None where neither end is, or where noise raises the metric."""
        return None if _stands_apart(self.places[name], metric) else higher_is_better(metric)

    @property
    def tests(self) -> int:
        """Number of tests that could be made: what Holm's method corrects for."""
        return sum(not math.isnan(effect.p) for effect in self.effects.values())

    def over_sets(self, results: Results, names: Sequence[str], rows: Sequence[str], column: str) -> dict[str, Result]:
        """Row -> the mean over sets, each set weighing alike.

        The sets are those on which all the rows have a value; a row that has one on none does not count, and is NaN.

        Args:
            results: of the metrics, or of the dominance maps.
            names: at least one test set.
            rows: at least one.
            column: metric or statistic.
        """
        values = np.array([[results[name, row, column].by_seed for row in rows] for name in names])
        defined = np.isfinite(values)
        have = defined.any(axis=(0, 2))
        kept = values[defined[:, have].all(axis=(1, 2))]
        means = np.full(values.shape[1:], np.nan)
        if len(kept):
            means[have] = kept[:, have].mean(axis=0)
        return {row: Result.of(by_seed) for row, by_seed in zip(rows, means, strict=True)}


def _stands_apart(place: tuple[str, str], metric: str) -> bool:
    """Whether a test set is corrupted, and the metric likes what is left of that."""
    return place[1] != CLEAN and metric in NOISE_RAISES


def make_ablation(found: FoundRuns, folder: Path, expected: Collection[tuple[str, int]] = ()) -> Ablation:
    """Sort runs into rows and seeds, and compare the rows with the base and the full network with the controls.

    Args:
        found: the runs.
        folder: where they were found, for messages.
        expected: rows or controls, and seeds, that must be there. A seed that another row has must be in any case.

    Returns:
        The table.

    Raises:
        InputError: The runs do not make a table; see `sort_runs`.
    """
    runs, ignored = sort_runs(found, folder, expected)
    rows = list(dict.fromkeys(row for row, _ in runs))
    seeds = tuple(dict.fromkeys(seed for _, seed in runs))
    first = next(iter(runs.values()))
    scored = next(iter(first.means.values()))
    metrics = tuple(metric for metric in dict.fromkeys((*TABLE_METRICS, *METRICS)) if metric in scored)
    statistics = dict.fromkeys(
        statistic for run in runs.values() for means in run.dominance.values() for statistic in means
    )
    return Ablation(
        runs=runs,
        seeds=seeds,
        sets={name: len(images) for name, images in first.images.items()},
        places=first.places,
        metrics=metrics,
        results={
            (name, row, metric): Result.of([runs[row, seed].means[name][metric] for seed in seeds])
            for name in first.images
            for metric in metrics
            for row in rows
        },
        effects=_effects(runs, rows, seeds, metrics),
        dominance={
            (name, row, statistic): Result.of(
                [runs[row, seed].dominance[name].get(statistic, math.nan) for seed in seeds]
            )
            for name in first.images
            for statistic in statistics
            for row in rows
        },
        ignored=tuple(ignored),
    )


def _effects(
    runs: Mapping[tuple[str, int], Run], rows: Sequence[str], seeds: Sequence[int], metrics: Sequence[str]
) -> dict[tuple[str, str, str, str], Effect]:
    """All differences of the table, with one family of tests for Holm's correction."""
    pairs = [(row, BASE) for row in ROWS if row != BASE] + [(FULL, row) for row in rows if row in CONTROLS]
    effects = {}
    for name, place in runs[BASE, seeds[0]].places.items():
        values = {row: _averaged(runs, row, seeds, name, metrics) for row in rows}
        for row, other in pairs:
            for column, metric in enumerate(metrics):
                apart, direction = _stands_apart(place, metric), higher_is_better(metric)
                test = paired_test(values[row][:, column], values[other][:, column], direction)
                differences = np.array(
                    [runs[row, seed].means[name][metric] - runs[other, seed].means[name][metric] for seed in seeds]
                )
                effects[name, row, other, metric] = Effect(
                    difference=float(differences.mean()),
                    seeds_ahead=_ahead(differences, None if apart else direction),
                    images=test.images,
                    left_out=test.left_out,
                    better=None if apart else test.better,
                    p=math.nan if apart else test.p,
                    p_holm=math.nan,
                )
    corrected = holm([effect.p for effect in effects.values()])
    return {place: replace(effects[place], p_holm=p) for place, p in zip(effects, corrected, strict=True)}


def _ahead(differences: Values, higher_is_better: bool | None) -> int | None:
    if higher_is_better is None or not np.isfinite(differences).all():
        return None
    return int((differences > 0).sum() if higher_is_better else (differences < 0).sum())


def _averaged(
    runs: Mapping[tuple[str, int], Run], row: str, seeds: Sequence[int], name: str, metrics: Sequence[str]
) -> Values:
    """(images, metrics): the scores of a row on a set, averaged over the seeds; NaN where one of them is undefined.

    An image's scores by several seeds are no independent samples. As so many pairs they would make p small without any
    further image to support it (pseudo-replication), so they become one.
    """
    images = runs[BASE, seeds[0]].images[name]
    values: Values = np.array(
        [[[runs[row, seed].images[name][image][metric] for metric in metrics] for image in images] for seed in seeds]
    )
    return np.asarray(values.mean(axis=0), np.float64)
