"""Table 4, the ablation: what relative dominance, cross and self enhancement bring, by row, test set and metric."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.evaluation.results import higher_is_better
from dream_if.evaluation.scores import Scores
from dream_if.evaluation.statistics import compare, holm
from dream_if.metrics import METRICS, TABLE_METRICS
from dream_if.tables.runs import FoundRuns, Run, refuse_differences

__all__ = ["BASE", "REWARD_NOISE", "ROWS", "Ablation", "Effect", "Result", "make_ablation", "stands_apart"]

Values = npt.NDArray[np.float64]

SWITCHES = ("use_rd", "use_ce", "use_se")

# Row of the table, which is the runs' group -> its name for people, and its switches. The order is the paper's.
ROWS = {
    "base": ("base", (False, False, False)),
    "rd": ("RD", (True, False, False)),
    "rd_ce": ("RD + CE", (True, True, False)),
    "rd_se": ("RD + SE", (True, False, True)),
    "rd_ce_se": ("RD + CE + SE", (True, True, True)),
}
BASE = "base"

REWARD_NOISE = ("AG", "SF", "EN", "SD", "EI")
"""Metrics of the fused image alone, which noise that was left in raises."""


def stands_apart(name: str, metric: str) -> bool:
    """Whether a test set is corrupted, which a + in its name tells, and the metric likes what is left of that."""
    return "+" in name and metric in REWARD_NOISE


@dataclass(frozen=True)
class Effect:
    """A row against the base, for one test set and metric.

    Attributes:
        difference: the row's mean less the base's.
        seeds_ahead: seeds for which the row's mean is the better one; None for a metric without direction there, or
            if a mean is undefined.
        images: pairs in the test, one for each image for which all runs of both rows have a value.
        left_out: the other images.
        p: of the two-sided paired Wilcoxon signed-rank test over images, each averaged over the seeds first; NaN where
            the metric stands apart.
        p_holm: after Holm's correction over all tests of the table.
    """

    difference: float
    seeds_ahead: int | None
    images: int
    left_out: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Result:
    """A row, for one test set and metric.

    Attributes:
        by_seed: the mean over images of each seed's run, in the order of the seeds.
        mean: over the seeds.
        std: sample deviation (divisor n - 1) over the seeds; NaN for a single one.
        effect: against the base; None for the base itself.
    """

    by_seed: tuple[float, ...]
    mean: float
    std: float
    effect: Effect | None


@dataclass(frozen=True)
class Ablation:
    """The table.

    Attributes:
        runs: (row, seed) -> its run; every row with every seed.
        seeds: in rising order.
        sets: test set -> number of its images.
        metrics: the paper's first.
        results: (set, row, metric) -> result.
        ignored: what lay among the runs and is not in the table, a sentence each.
    """

    runs: Mapping[tuple[str, int], Run]
    seeds: tuple[int, ...]
    sets: Mapping[str, int]
    metrics: tuple[str, ...]
    results: Mapping[tuple[str, str, str], Result]
    ignored: tuple[str, ...]

    @property
    def tests(self) -> int:
        """Number of tests that could be made: what Holm's method corrects for."""
        effects = [result.effect for result in self.results.values()]
        return sum(effect is not None and not math.isnan(effect.p) for effect in effects)


def make_ablation(found: FoundRuns, folder: Path, expected: Collection[tuple[str, int]] = ()) -> Ablation:
    """Sort runs into rows and seeds, and compare the rows with the base.

    Args:
        found: the runs.
        folder: where they were found, for messages.
        expected: rows and seeds that must be there. A seed that another row has must be in any case.

    Returns:
        The table.

    Raises:
        InputError: A row lacks a seed that is expected or that another has, or has one twice; a run is of another
            network than its group says; or runs differ in more than group, seed, switches and what computes nothing.
    """
    ignored = [
        f"{run.folder} was left out: its group is {run.group}, which is no row." for run in found.tested
        if run.group not in ROWS
    ]  # fmt: skip
    runs = _by_row_and_seed([run for run in found.tested if run.group in ROWS], found, folder, ignored, expected)
    for (row, _), run in runs.items():
        switches = tuple(bool(run.config["model"]["net"].get(name)) for name in SWITCHES)
        if switches != ROWS[row][1]:
            raise InputError(
                f"{run.folder}: its group is {row}, which has {_told(ROWS[row][1])}, but its network has "
                f"{_told(switches)}. Repeat the run with experiments/ablation/{row}.yaml alone, and move this one away."
            )
    refuse_differences(list(runs.values()), ("group", *(f"model.net.{name}" for name in SWITCHES)))
    ignored += [f"{path} was left out: it is not tested yet." for path in found.unfinished]
    seeds = tuple(sorted({seed for _, seed in runs}))
    first = next(iter(runs.values()))
    sets = {name: len(images) for name, images in first.images.items()}
    scored = next(iter(first.means.values()))
    metrics = tuple(metric for metric in dict.fromkeys((*TABLE_METRICS, *METRICS)) if metric in scored)
    return Ablation(runs, seeds, sets, metrics, _results(runs, seeds, tuple(sets), metrics), tuple(ignored))


def _by_row_and_seed(
    tested: Sequence[Run],
    found: FoundRuns,
    folder: Path,
    ignored: Sequence[str],
    expected: Collection[tuple[str, int]],
) -> dict[tuple[str, int], Run]:
    """Every row with every seed, rows in the order of the table."""
    by_place: dict[tuple[str, int], list[Run]] = {}
    for run in tested:
        by_place.setdefault((str(run.group), run.seed), []).append(run)
    for (row, seed), doubled in by_place.items():
        if len(doubled) > 1:
            folders = " and ".join(str(run.folder) for run in doubled)
            raise InputError(
                f"{folder}: row {row} has seed {seed} {len(doubled)} times, in {folders}. Where the "
                "folder holds runs of several experiments, name the narrower one that holds those of the table; else "
                "move all but one away."
            )
    if not by_place:
        waiting = f" {len(found.unfinished)} run(s) there are not tested yet." if found.unfinished else ""
        raise InputError(
            f"{folder}: there is no tested run of a row of Table 4.{waiting} {' '.join((*ignored, ''))}Run "
            "dream-if sweep sweeps/table4.yaml first, or name the folder that holds its runs."
        )
    strange = sorted({row for row, _ in expected} - ROWS.keys())
    if strange:
        raise InputError(f"--sweep: {', '.join(strange)} is no row of Table 4; expected {', '.join(ROWS)}.")
    begun = {seed for row, seed in found.unfinished.values() if row in ROWS}
    seeds = {seed for _, seed in by_place} | begun | {seed for _, seed in expected}
    missing = [(row, seed) for row in ROWS for seed in sorted(seeds) if (row, seed) not in by_place]
    if missing:
        told = "; ".join(f"row {row}, seed {seed}{_begun(row, seed, found)}" for row, seed in missing)
        raise InputError(
            f"{folder}: every row needs every seed, and these runs are missing: {told}. {' '.join((*ignored, ''))}"
            "Repeat the sweep, which runs what is missing, or move away what is no part of it."
        )
    return {(row, seed): by_place[row, seed][0] for row in ROWS for seed in sorted(seeds)}


def _begun(row: str, seed: int, found: FoundRuns) -> str:
    folders = [str(path) for path, place in found.unfinished.items() if place == (row, seed)]
    return f" (not tested yet in {' and '.join(folders)})" if folders else ""


def _told(switches: tuple[bool, ...]) -> str:
    return ", ".join(f"{name} {str(on).lower()}" for name, on in zip(SWITCHES, switches, strict=True))


def _results(
    runs: Mapping[tuple[str, int], Run], seeds: Sequence[int], sets: Sequence[str], metrics: Sequence[str]
) -> dict[tuple[str, str, str], Result]:
    """All cells of the table, with one family of tests for Holm's correction."""
    directions = [higher_is_better(metric) for metric in metrics]
    tests = {
        (name, test.other, test.metric): test
        for name in sets
        for test in compare(_scores(runs, seeds, name, metrics), directions)
    }
    p_values = {place: math.nan if stands_apart(place[0], place[2]) else test.p for place, test in tests.items()}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    results = {}
    for name in sets:
        for metric, direction in zip(metrics, directions, strict=True):
            by_row = {row: np.array([runs[row, seed].means[name][metric] for seed in seeds]) for row in ROWS}
            for row, values in by_row.items():
                place = name, row, metric
                effect = None
                if row != BASE:
                    differences = values - by_row[BASE]
                    test = tests[place]
                    effect = Effect(
                        difference=float(differences.mean()),
                        seeds_ahead=_ahead(differences, None if stands_apart(name, metric) else direction),
                        images=test.images,
                        left_out=test.left_out,
                        p=p_values[place],
                        p_holm=corrected[place],
                    )
                deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
                results[place] = Result(tuple(values.tolist()), float(values.mean()), deviation, effect)
    return results


def _ahead(differences: Values, higher_is_better: bool | None) -> int | None:
    if higher_is_better is None or not np.isfinite(differences).all():
        return None
    return int((differences > 0).sum() if higher_is_better else (differences < 0).sum())


def _scores(runs: Mapping[tuple[str, int], Run], seeds: Sequence[int], name: str, metrics: Sequence[str]) -> Scores:
    """The scores of every row on the images of a set, base first, each averaged over the seeds.

    An image's scores by several seeds are no independent samples. As so many pairs they would make p small without any
    further image to support it (pseudo-replication), so they become one.
    """
    images = tuple(sorted(runs[BASE, seeds[0]].images[name]))
    values: Values = np.array(
        [
            [
                [[runs[row, seed].images[name][image][metric] for metric in metrics] for image in images]
                for seed in seeds
            ]
            for row in ROWS
        ]
    )
    return Scores(tuple(ROWS), images, tuple(metrics), values.mean(axis=1), "")
