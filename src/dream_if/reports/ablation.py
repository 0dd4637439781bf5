"""Scores of the rows of Table 4 or of a sweep, by test set and metric, each against a base."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dream_if.data.conditions import CLEAN
from dream_if.metrics import TABLE_METRICS
from dream_if.reports.ablation_runs import sort_runs
from dream_if.reports.rows_of_runs import Lineup
from dream_if.reports.score_tables import NOISE_RAISES
from dream_if.runs.finished import FoundRuns, Run
from dream_if.scoring.statistics import Values, holm, paired_test

__all__ = ["AGAINST", "RESULT", "Ablation", "make_ablation", "with_spread"]

RESULT = ["set", "row", "metric"]
"""What a result is of; the metric may be a statistic of dominance maps."""

AGAINST = ["set", "row", "against", "metric"]
"""What a difference is of: the one row against the other one."""


@dataclass(frozen=True)
class Ablation:
    """The table.

    Attributes:
        lineup: its rows, and the base among them.
        runs: (row, seed) -> its run; every row, and every control that there is, with every seed.
        seeds: in rising order.
        sets: test set -> number of its images.
        places: test set -> the folder's name and the condition, `CLEAN` where nothing was done to it.
        metrics: the paper's first.
        statistics: of the dominance maps.
        results: by `RESULT`: the mean over images of each seed's run, in a column for each seed, ``seed_0`` and so on;
            their ``mean``; and ``std``, see `with_spread`. Those of statistics stand last, NaN where a row has none.
        effects: by `AGAINST`, each row against base, and the full network against each control: ``difference``, the
            row's mean less the other's; ``seeds_ahead``, for how many seeds the row's mean is the better one, None
            without direction there or if a mean is undefined; of the paired test over images, each averaged over the
            seeds first, ``images``, ``left_out``, ``better`` and ``p`` as in `PairedTest`, None and NaN where the
            metric stands apart; and ``p_holm``, after Holm's correction over all tests of the table.
        ignored: what lay among the runs and is not in the table, a sentence each.
    """

    lineup: Lineup
    runs: Mapping[tuple[str, int], Run]
    seeds: tuple[int, ...]
    sets: Mapping[str, int]
    places: Mapping[str, tuple[str, str]]
    metrics: tuple[str, ...]
    statistics: tuple[str, ...]
    results: pd.DataFrame
    effects: pd.DataFrame
    ignored: tuple[str, ...]

    @property
    def rows(self) -> list[str]:
        """The rows, and behind them the controls that there are."""
        return list(dict.fromkeys(row for row, _ in self.runs))

    @property
    def controls(self) -> list[str]:
        """The controls that there are."""
        return [row for row in self.rows if row not in self.lineup.rows]

    @property
    def conditions(self) -> dict[str, list[str]]:
        """Condition -> the names of the test sets under it."""
        sets: dict[str, list[str]] = {}
        for name in self.sets:
            sets.setdefault(self.places[name][1], []).append(name)
        return sets

    def direction(self, name: str, metric: str) -> bool | None:
        """Whether higher is better on a test set; None where neither end is, or where noise raises the metric."""
        if _stands_apart(self.places[name], metric):
            return None
        return self.runs[self.lineup.base, self.seeds[0]].directions[metric]

    @property
    def tests(self) -> int:
        """Number of tests that could be made: what Holm's method corrects for."""
        return int(self.effects["p"].notna().sum())

    def of_rows(self, name: str, rows: Sequence[str], metric: str) -> pd.DataFrame:
        """The results of rows, a line each by their names, on a test set."""
        return self.results.loc[[(name, row, metric) for row in rows]].set_axis(rows)

    def over_sets(self, names: Sequence[str], rows: Sequence[str], metric: str) -> pd.DataFrame:
        """The results of rows, a line each by their names, as the mean over sets, each set weighing alike.

        The sets are those on which all the rows have a value; a row that has one on none does not count, and is NaN.

        Args:
            names: at least one test set.
            rows: at least one.
            metric: or statistic of dominance maps.
        """
        columns = [f"seed_{seed}" for seed in self.seeds]
        values = np.array([self.of_rows(name, rows, metric)[columns] for name in names])
        defined = np.isfinite(values)
        have = defined.any(axis=(0, 2))
        kept = values[defined[:, have].all(axis=(1, 2))]
        means = np.full(values.shape[1:], np.nan)
        if len(kept):
            means[have] = kept[:, have].mean(axis=0)
        return with_spread(pd.DataFrame(means, index=rows, columns=columns))


def with_spread(by_seed: pd.DataFrame) -> pd.DataFrame:
    """Values, a column for each seed, behind their mean and their sample deviation (n - 1; NaN for a single seed)."""
    values = by_seed.to_numpy()
    deviation = values.std(axis=1, ddof=1) if values.shape[1] > 1 else math.nan
    return pd.concat(
        [pd.DataFrame({"mean": values.mean(axis=1), "std": deviation}, index=by_seed.index), by_seed], axis=1
    )


def _stands_apart(place: tuple[str, str], metric: str) -> bool:
    """Whether a test set is corrupted, and the metric likes what is left of that."""
    return place[1] != CLEAN and metric in NOISE_RAISES


def make_ablation(found: FoundRuns, lineup: Lineup) -> Ablation:
    """Sort runs into rows and seeds, and compare the rows with the base and the full network with the controls.

    Args:
        found: the runs.
        lineup: the rows. Each must have every seed that the lineup expects or that another has.

    Returns:
        The table.

    Raises:
        InputError: The runs do not make a table; see `sort_runs`.
    """
    runs, ignored = sort_runs(found, lineup)
    rows = list(dict.fromkeys(row for row, _ in runs))
    seeds = tuple(dict.fromkeys(seed for _, seed in runs))
    first = next(iter(runs.values()))
    scored = next(iter(first.means.values()))
    metrics = tuple(metric for metric in dict.fromkeys((*TABLE_METRICS, *first.directions)) if metric in scored)
    statistics = tuple(dict.fromkeys(one for run in runs.values() for of in run.dominance.values() for one in of))
    places = [(name, row, metric) for name in first.images for metric in metrics for row in rows]
    places += [(name, row, statistic) for name in first.images for statistic in statistics for row in rows]
    by_seed = {
        f"seed_{seed}": [
            {**runs[row, seed].means[name], **runs[row, seed].dominance.get(name, {})}.get(metric, math.nan)
            for name, row, metric in places
        ]
        for seed in seeds
    }
    return Ablation(
        lineup=lineup,
        runs=runs,
        seeds=seeds,
        sets={name: len(images) for name, images in first.images.items()},
        places=first.places,
        metrics=metrics,
        statistics=statistics,
        results=with_spread(pd.DataFrame(by_seed, index=pd.MultiIndex.from_tuples(places, names=RESULT))),
        effects=_effects(lineup, runs, seeds, list(metrics)),
        ignored=tuple(ignored),
    )


def _effects(
    lineup: Lineup, runs: Mapping[tuple[str, int], Run], seeds: Sequence[int], metrics: list[str]
) -> pd.DataFrame:
    """All differences of the table, with one family of tests for Holm's correction."""
    rows = dict.fromkeys(row for row, _ in runs)
    pairs = [(row, lineup.base) for row in lineup.others]
    if lineup.full:
        pairs += [(lineup.full, row) for row in rows if row not in lineup.rows]
    lines = []
    first = runs[lineup.base, seeds[0]]
    for name, place in first.places.items():
        values = {row: _averaged([runs[row, seed].images[name][metrics] for seed in seeds]) for row in rows}
        for row, other in pairs:
            for metric in metrics:
                apart, direction = _stands_apart(place, metric), first.directions[metric]
                test = paired_test(values[row][metric].to_numpy(), values[other][metric].to_numpy(), direction)
                differences = np.array(
                    [runs[row, seed].means[name][metric] - runs[other, seed].means[name][metric] for seed in seeds]
                )
                ahead = _ahead(differences, None if apart else direction)
                told = (None, math.nan) if apart else (test.better, test.p)
                lines.append((name, row, other, metric, differences.mean(), ahead, test.images, test.left_out, *told))
    columns = [*AGAINST, "difference", "seeds_ahead", "images", "left_out", "better", "p"]
    effects = pd.DataFrame(lines, columns=columns, dtype=object)  # None stays None
    effects = effects.astype({"difference": float, "images": int, "left_out": int, "p": float})
    return effects.assign(p_holm=holm(effects["p"].tolist())).set_index(AGAINST)


def _ahead(differences: Values, higher_is_better: bool | None) -> int | None:
    if higher_is_better is None or not np.isfinite(differences).all():
        return None
    return int((differences > 0).sum() if higher_is_better else (differences < 0).sum())


def _averaged(by_seed: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The scores of a row on a set, averaged over the seeds; NaN where one of them is undefined.

    An image's scores by several seeds are no independent samples. As so many pairs they would make p small without any
    further image to support it (pseudo-replication), so they become one.
    """
    first = by_seed[0].sort_index()
    return pd.DataFrame(
        np.mean([scores.sort_index() for scores in by_seed], axis=0), index=first.index, columns=first.columns
    )
