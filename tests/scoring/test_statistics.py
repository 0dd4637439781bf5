"""Against definitions written a second way, and against tables worked by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from dream_if.metrics import METRICS
from dream_if.scoring.statistics import compare, holm, mean_ranks, summarise
from tests.scoring.made_scores import scores

NAN = math.nan


def compared(values, metrics=("AG",)):
    return list(compare(scores(values, metrics)).itertuples())


def exact_p(differences):
    """Two-sided p by counting all 2^n ways to sign the ranks."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = min(ranks[differences > 0].sum(), ranks[differences < 0].sum())
    signs = itertools.product((False, True), repeat=len(differences))
    below = sum(ranks[list(sign)].sum() <= observed for sign in signs)
    return observed, min(1.0, 2 * below / 2 ** len(differences))


def test_wilcoxon_is_the_count_over_all_signs():
    rng = np.random.default_rng(3)
    for n in (1, 4, 9):
        first, second = rng.normal(0.4, 1, n), rng.normal(0, 1, n)
        (comparison,) = compared([first, second])
        statistic, p = exact_p(first - second)
        assert comparison.statistic == statistic
        assert comparison.p == pytest.approx(p, rel=1e-12)
        assert comparison.p_holm == comparison.p
        assert comparison.images == n


def test_wilcoxon_with_zeros_is_the_normal_approximation_without_them():
    first = np.arange(60.0)
    second = first + np.array([0.0, 1.5, -0.5] * 20)
    (comparison,) = compared([first, second])
    assert comparison.equal == 20
    assert comparison.images == 60
    # 20 differences of -1.5 (ranks 21..40, mean 30.5) and 20 of +0.5 (ranks 1..20, mean 10.5)
    assert comparison.statistic == 20 * 10.5
    assert comparison.rank_biserial == pytest.approx((20 * 10.5 - 20 * 30.5) / 820)
    variance = 40 * 41 * 81 / 24 - 2 * (20**3 - 20) / 48
    z = (20 * 10.5 - 40 * 41 / 4) / math.sqrt(variance)
    assert comparison.p == pytest.approx(2 * stats.norm.cdf(z), rel=1e-9)


def test_undefined_images_are_left_out_of_their_pair_alone():
    values = [[1, 2, 3, 4, NAN], [2, 4, math.inf, 8, 1], [0, 1.5, 2, 3.2, 4]]
    second, third = compared(values)
    assert (second.images, second.left_out) == (3, 2)
    assert (third.images, third.left_out) == (4, 1)
    assert second.p == pytest.approx(2 / 2**3)
    assert third.p == pytest.approx(2 / 2**4)
    assert second.median_difference == -2.0


def test_the_direction_decides_who_is_better(monkeypatch):
    values = np.stack([np.tile([[2.0, 4, 6, 8]], (1, 1)), np.tile([[1.0, 2, 3, 4]], (1, 1))])
    table = np.repeat(values.reshape(2, 4, 1), 3, axis=2)
    monkeypatch.setattr(METRICS["EN"], "higher_is_better", None)
    up, down, neither = compared(table, ("AG", "Nabf", "EN"))
    assert (up.better, down.better, neither.better) == (True, False, None)
    assert up.rank_biserial == down.rank_biserial == 1.0


def test_equal_scores_are_no_difference_not_even_their_rounding():
    rng = np.random.default_rng(0)
    first = rng.uniform(1, 2, 40)
    second = first * (1 + rng.uniform(0, 4e-16, 40)) + 2e-16
    assert (first != second).any()
    (comparison,) = compared([first, second])
    assert (comparison.equal, comparison.p, comparison.rank_biserial, comparison.better) == (40, 1.0, 0.0, None)
    assert comparison.median_difference == 0
    ranks, _ = mean_ranks(np.stack([first, second]), True)
    assert ranks.tolist() == [1.5, 1.5]


def test_nothing_to_compare():
    assert compared([[1.0, 2.0]]) == []
    (comparison,) = compared([[1.0, NAN], [NAN, 2.0]])
    assert (comparison.images, comparison.left_out, comparison.better) == (0, 2, None)
    assert all(map(math.isnan, (comparison.p, comparison.p_holm, comparison.statistic, comparison.median_difference)))


def test_the_family_is_all_tests_together():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 30, 3)) + np.array([0.5, 0.2, 0, -0.1])[:, None, None]
    comparisons = compared(values, ("AG", "SF", "EN"))
    assert [(c.other, c.metric) for c in comparisons] == list(itertools.product(("m1", "m2", "m3"), ("AG", "SF", "EN")))
    assert [c.p_holm for c in comparisons] == holm([c.p for c in comparisons])
    assert max(c.p_holm / c.p for c in comparisons) == pytest.approx(9)


def holm_by_definition(p_values):
    """The largest (number of p at or above p_j) * p_j over all p_j at or below p; Wright, Biometrics 48, 1992."""
    known = [p for p in p_values if not math.isnan(p)]
    return [
        NAN if math.isnan(p) else min(1.0, max(q * sum(r >= q for r in known) for q in known if q <= p))
        for p in p_values
    ]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_is_the_second_formulation():
    rng = np.random.default_rng(5)
    for _ in range(50):
        p_values = rng.uniform(0, 1, rng.integers(1, 12)) ** 3
        p_values[rng.uniform(size=p_values.size) < 0.2] = NAN
        p_values[rng.uniform(size=p_values.size) < 0.2] = 0.02
        assert holm(p_values) == pytest.approx(holm_by_definition(p_values), nan_ok=True)


def test_mean_ranks_by_hand():
    values = np.array([[3.0, 1.0, 5.0, NAN], [2.0, 1.0, 5.0, 1.0], [1.0, 4.0, 5.0, 9.0]])
    ranks, images = mean_ranks(values, higher_is_better=True)
    assert images == 3
    assert ranks.tolist() == pytest.approx([(1 + 2.5 + 2) / 3, (2 + 2.5 + 2) / 3, (3 + 1 + 2) / 3])
    ranks, _ = mean_ranks(values, higher_is_better=False)
    assert ranks.tolist() == pytest.approx([(3 + 1.5 + 2) / 3, (2 + 1.5 + 2) / 3, (1 + 3 + 2) / 3])
    assert ranks.sum() == pytest.approx(6)


def test_mean_ranks_give_friedmans_statistic():
    values = np.random.default_rng(2).normal(size=(4, 25))
    ranks, n = mean_ranks(values, True)
    k = len(ranks)
    statistic = 12 * n / (k * (k + 1)) * ((ranks - (k + 1) / 2) ** 2).sum()
    assert statistic == pytest.approx(stats.friedmanchisquare(*values).statistic)


def test_mean_ranks_without_a_complete_image():
    ranks, images = mean_ranks(np.array([[NAN, 1.0], [1.0, NAN]]), True)
    assert images == 0
    assert np.isnan(ranks).all()


def test_means_are_over_the_defined_images():
    summary = summarise(scores([[1.0, 2.0, 6.0, NAN, math.inf]])).iloc[0]
    assert summary["mean"] == 3.0
    assert summary["std"] == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert summary.defined == 3
    assert summary.images == 5


def test_one_image_has_no_deviation_and_none_no_mean():
    one = summarise(scores([[1.0, NAN]])).iloc[0]
    assert (one["mean"], one.defined) == (1.0, 1)
    assert math.isnan(one["std"])
    none = summarise(scores([[NAN, NAN]])).iloc[0]
    assert math.isnan(none["mean"])
    assert math.isnan(none["std"])
    assert none.defined == 0
