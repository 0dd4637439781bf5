"""Statistics of scores: means, ranks, and whether a difference between methods may be chance.

Scores are a data frame with a line for each value, as `score_groups` returns it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from dream_if.metrics import METRICS
from dream_if.scoring.engine import LPIPS_SELF

__all__ = [
    "SIGNIFICANT",
    "PairedTest",
    "Values",
    "chosen",
    "compare",
    "fewest_pairs",
    "higher_is_better",
    "holm",
    "matrix",
    "mean_ranks",
    "paired_test",
    "per_image",
    "summarise",
]

SIGNIFICANT = 0.05

Values = npt.NDArray[np.float64]

CELL = ["set", "condition", "metric"]
"""What is the same for values that may be compared."""

_DIGITS = 9  # to which the metrics are calibrated; what differs beyond is rounding


def higher_is_better(metric: str) -> bool | None:
    """The direction of a metric; None where neither end is better."""
    direction: bool | None = False if metric == LPIPS_SELF else METRICS[metric].higher_is_better
    return direction


def chosen(frame: pd.DataFrame, **values: str) -> pd.DataFrame:
    """The lines with these values in these columns."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def matrix(scores: pd.DataFrame, **values: str) -> Values:
    """(M, N): the scores of M methods on N images, of one set, condition and metric, which may be named."""
    part = chosen(scores, **values)
    return part["value"].to_numpy().reshape(part["method"].nunique(), -1)


def per_image(scores: pd.DataFrame) -> pd.DataFrame:
    """A line for each set, condition, method and image, with a column for each metric."""
    metrics = list(scores["metric"].unique())
    lines = scores.iloc[:: len(metrics)][["set", "condition", "method", "name"]].reset_index(drop=True)
    lines[metrics] = scores["value"].to_numpy().reshape(-1, len(metrics))
    return lines


def _without_noise(values: Values) -> Values:
    """Scores to the digits they are good for.

    Ranks see the order alone, so without this two scores that are equal by definition, such as the SSIM of one source
    and of the other, would be ranked by their rounding errors, and a test might find these significant.
    """
    return np.array([float(f"{value:.{_DIGITS - 1}e}") for value in values.flat], np.float64).reshape(values.shape)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """What a set's images say together.

    Returns:
        A line for each set, condition, metric and method, in their order: ``mean`` over the images for which the metric
        is defined, NaN without any; ``std``, the sample standard deviation (divisor n - 1) over the same, NaN for fewer
        than two; ``defined``, the number of these images; ``images``, that of all; ``rank``, see `mean_ranks`, NaN for
        a metric without direction; ``ranked``, the number of images that were ranked, 0 for such a metric.
    """
    lines = []
    for cell, part in scores.groupby(CELL, observed=True, sort=True):
        values, higher = matrix(part), higher_is_better(cell[-1])
        ranks, ranked = (np.full(len(values), np.nan), 0) if higher is None else mean_ranks(values, higher)
        for method, row, rank in zip(part["method"].unique(), values, ranks, strict=True):
            kept = row[np.isfinite(row)]
            mean = float(kept.mean()) if kept.size else np.nan
            std = float(kept.std(ddof=1)) if kept.size > 1 else np.nan
            lines.append((*cell, method, mean, std, kept.size, row.size, rank, ranked))
    return pd.DataFrame(lines, columns=[*CELL, "method", "mean", "std", "defined", "images", "rank", "ranked"])


def mean_ranks(values: Values, higher_is_better: bool) -> tuple[Values, int]:
    """The mean over images of each method's rank, as in Friedman's test; equal scores share their mean rank.

    Friedman, Journal of the American Statistical Association 32, 1937.

    Args:
        values: (M, N), the scores of M methods on N images.
        higher_is_better: rank 1 is the highest score, else the lowest.

    Returns:
        (M,) mean ranks between 1 and M, NaN if no image is left, and the number of images for which all methods have
        a finite score: only these are ranked.
    """
    complete = _without_noise(values[:, np.isfinite(values).all(axis=0)])
    if complete.shape[1] == 0:
        return np.full(len(values), np.nan), 0
    ranks = stats.rankdata(-complete if higher_is_better else complete, axis=0)
    return np.asarray(ranks.mean(axis=1), np.float64), complete.shape[1]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of a family of p-values: the familywise error holds whatever their dependence.

    Holm, Scandinavian Journal of Statistics 6, 1979. The i-th smallest of m is multiplied by m - i + 1; then none may
    be smaller than the one before it, nor exceed 1.

    Args:
        p_values: in [0, 1]; NaN stands for a test that could not be made and does not count for the family.

    Returns:
        The corrected values in the order given; NaN stays NaN.
    """
    raw = np.asarray(p_values, np.float64)
    corrected = np.full(raw.shape, np.nan)
    order = [int(position) for position in np.argsort(raw, kind="stable") if not np.isnan(raw[position])]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1.0)
    return [float(p) for p in corrected]


def fewest_pairs(tests: int, level: float = SIGNIFICANT) -> int:
    """The number of pairs from which on the smallest of so many corrected p can lie below a level.

    The smallest two-sided p of n pairs is 2 / 2^n, and Holm's method multiplies the smallest by the number of tests.
    """
    return math.floor(math.log2(2 * max(tests, 1) / level)) + 1


class PairedTest(NamedTuple):
    """The paired Wilcoxon signed-rank test of one row of scores against another.

    Attributes:
        images: pairs of scores, which is the number of images for which both are defined.
        left_out: images for which one of them is not.
        equal: pairs without a difference; the test leaves them out (Wilcoxon's treatment of zeros).
        median_difference: median of (first - second) over the pairs; NaN without any.
        rank_biserial: (W+ - W-) / (W+ + W-), the matched-pairs rank-biserial correlation: 1 where the first value is
            always the larger one, -1 where it never is, 0 where there is no difference at all.
        statistic: min(W+, W-); NaN without any pair.
        p: two-sided p-value; 1 where all pairs are equal, NaN without any pair.
        better: whether the larger rank sum speaks for the first; None for a draw, or a metric without direction.
    """

    images: int
    left_out: int
    equal: int
    median_difference: float
    rank_biserial: float
    statistic: float
    p: float
    better: bool | None


def paired_test(first: Values, second: Values, higher_is_better: bool | None) -> PairedTest:
    """Test scores of the same images against each other (Wilcoxon, Biometrics Bulletin 1, 1945).

    SciPy chooses between the exact distribution and the normal approximation by the number of pairs and whether there
    are ties.

    Args:
        first: (N,) scores.
        second: (N,) scores of the same images.
        higher_is_better: of the metric, None where it has no direction.
    """
    first, second = _without_noise(first), _without_noise(second)
    both = np.isfinite(first) & np.isfinite(second)
    differences = first[both] - second[both]
    unequal = differences[differences != 0]
    statistic, p, biserial = (np.nan, np.nan, np.nan) if differences.size == 0 else (0.0, 1.0, 0.0)
    if unequal.size:
        statistic, p = (float(number) for number in stats.wilcoxon(unequal))
        ranks = stats.rankdata(np.abs(unequal))
        biserial = float((ranks * np.sign(unequal)).sum() / ranks.sum())
    decided = higher_is_better is not None and not np.isnan(biserial) and biserial != 0
    return PairedTest(
        images=int(differences.size),
        left_out=int((~both).sum()),
        equal=int(differences.size - unequal.size),
        median_difference=float(np.median(differences)) if differences.size else np.nan,
        rank_biserial=biserial,
        statistic=statistic,
        p=p,
        better=(biserial > 0) == higher_is_better if decided else None,
    )


def compare(scores: pd.DataFrame) -> pd.DataFrame:
    """Test the first method against each other one, on every set, under every condition and for every metric.

    Returns:
        A line for each test: set, condition, metric, the first method as ``method``, the ``other`` one, what a
        `PairedTest` has, and ``p_holm``: p after Holm's correction, for which all tests here form one family.
    """
    lines: list[dict[str, object]] = []
    for (name, condition), part in scores.groupby(["set", "condition"], observed=True, sort=True):
        columns = {metric: matrix(part, metric=metric) for metric in part["metric"].unique()}
        ours, *others = part["method"].unique()
        for number, other in enumerate(others, start=1):
            for metric, values in columns.items():
                place = {"set": name, "condition": condition, "metric": metric, "method": ours, "other": other}
                test = paired_test(values[0], values[number], higher_is_better(metric))
                lines.append(place | test._asdict())
    tests = pd.DataFrame(lines, columns=["set", "condition", "metric", "method", "other", *PairedTest._fields])
    tests["better"] = tests["better"].astype(object)
    tests.insert(tests.columns.get_loc("better"), "p_holm", holm(tests["p"].tolist()))
    return tests
