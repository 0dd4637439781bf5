"""What many scores say together: means, ranks, and whether a difference between methods may be chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from dream_if.evaluation.scores import Scores

__all__ = ["SIGNIFICANT", "Comparison", "Summary", "compare", "fewest_pairs", "holm", "mean_ranks", "summarise"]

SIGNIFICANT = 0.05

Values = npt.NDArray[np.float64]

_DIGITS = 9  # to which the metrics are calibrated; what differs beyond is rounding


def _without_noise(values: Values) -> Values:
    """Scores to the digits they are good for.

    Ranks see the order alone, so without this two scores that are equal by definition, such as the SSIM of one source
    and of the other, would be ranked by their rounding errors, and a test might find these significant.
    """
    return np.array([float(f"{value:.{_DIGITS - 1}e}") for value in values.flat], np.float64).reshape(values.shape)


@dataclass(frozen=True)
class Summary:
    """One metric of one method.

    Attributes:
        mean: over the images for which it is defined; NaN without any.
        std: sample standard deviation (divisor n - 1) over the same; NaN for fewer than two.
        defined: number of these images.
        undefined: names of the others.
    """

    mean: float
    std: float
    defined: int
    undefined: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The paired Wilcoxon signed-rank test of the first method against another, for one metric.

    Attributes:
        metric: symbol of the metric.
        method: the first method.
        other: the method it is compared with.
        images: pairs of scores, which is the number of images for which both are defined.
        left_out: images for which one of them is not.
        equal: pairs without a difference; the test leaves them out (Wilcoxon's treatment of zeros).
        median_difference: median of (first - other) over the pairs; NaN without any.
        rank_biserial: (W+ - W-) / (W+ + W-), the matched-pairs rank-biserial correlation: 1 where the first method's
            value is always the larger one, -1 where it never is, 0 where there is no difference at all.
        statistic: min(W+, W-); NaN without any pair.
        p: two-sided p-value; 1 where all pairs are equal, NaN without any pair.
        p_holm: p after Holm's correction over the family of all comparisons made together.
        better: whether the larger rank sum speaks for the first method; None for a draw, or a metric without direction.
    """

    metric: str
    method: str
    other: str
    images: int
    left_out: int
    equal: int
    median_difference: float
    rank_biserial: float
    statistic: float
    p: float
    p_holm: float
    better: bool | None


def summarise(scores: Scores) -> dict[str, dict[str, Summary]]:
    """Method -> metric -> summary over images."""
    summaries: dict[str, dict[str, Summary]] = {}
    for method, table in zip(scores.methods, scores.values, strict=True):
        summaries[method] = {}
        for metric, column in zip(scores.metrics, table.T, strict=True):
            finite = np.isfinite(column)
            kept = column[finite]
            summaries[method][metric] = Summary(
                mean=float(kept.mean()) if kept.size else np.nan,
                std=float(kept.std(ddof=1)) if kept.size > 1 else np.nan,
                defined=int(kept.size),
                undefined=tuple(name for name, there in zip(scores.names, finite, strict=True) if not there),
            )
    return summaries


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


def compare(scores: Scores, higher_is_better: Sequence[bool | None]) -> list[Comparison]:
    """Test the first method against each other one, for every metric (Wilcoxon, Biometrics Bulletin 1, 1945).

    Pairs are images. Those for which one of the two scores is undefined are left out, and counted. The p-values of all
    the comparisons returned form one family for Holm's correction. SciPy chooses between the exact distribution and the
    normal approximation by the number of pairs and whether there are ties.

    Args:
        scores: of at least one method; of one alone there is nothing to compare.
        higher_is_better: for each metric, None where it has no direction.

    Returns:
        One comparison for each other method and metric.
    """
    comparisons = []
    for other in range(1, len(scores.methods)):
        for column, better in enumerate(higher_is_better):
            first, second = _without_noise(scores.values[[0, other], :, column])
            both = np.isfinite(first) & np.isfinite(second)
            comparisons.append(
                _signed_rank(
                    first[both] - second[both],
                    scores.metrics[column],
                    (scores.methods[0], scores.methods[other]),
                    left_out=int((~both).sum()),
                    higher_is_better=better,
                )
            )
    corrected = holm([comparison.p for comparison in comparisons])
    return [replace(comparison, p_holm=p) for comparison, p in zip(comparisons, corrected, strict=True)]


def _signed_rank(
    differences: Values, metric: str, methods: tuple[str, str], *, left_out: int, higher_is_better: bool | None
) -> Comparison:
    """One test, not corrected yet."""
    unequal = differences[differences != 0]
    statistic, p, biserial = (np.nan, np.nan, np.nan) if differences.size == 0 else (0.0, 1.0, 0.0)
    if unequal.size:
        statistic, p = (float(number) for number in stats.wilcoxon(unequal))
        ranks = stats.rankdata(np.abs(unequal))
        biserial = float((ranks * np.sign(unequal)).sum() / ranks.sum())
    decided = higher_is_better is not None and not np.isnan(biserial) and biserial != 0
    return Comparison(
        metric=metric,
        method=methods[0],
        other=methods[1],
        images=int(differences.size),
        left_out=left_out,
        equal=int(differences.size - unequal.size),
        median_difference=float(np.median(differences)) if differences.size else np.nan,
        rank_biserial=biserial,
        statistic=statistic,
        p=p,
        p_holm=np.nan,
        better=(biserial > 0) == higher_is_better if decided else None,
    )
