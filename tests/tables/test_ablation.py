"""Sets and conditions by the names of test sets, and means over sets."""

import math

import pytest

from dream_if.tables.ablation import Result, make_ablation, set_and_condition, stands_apart
from dream_if.tables.runs import find_runs


@pytest.mark.parametrize(
    ("name", "images", "condition"),
    [
        ("road", "road", "clean"),
        ("road+noisy", "road", "noisy"),
        ("road+haze+gaussian", "road", "haze+gaussian"),
    ],
)
def test_what_follows_the_first_plus_is_the_condition(name, images, condition):
    assert set_and_condition(name) == (images, condition)
    assert stands_apart(name, "AG") is (condition != "clean")
    assert not stands_apart(name, "Qabf")


def test_the_sets_under_a_condition(write_ablation):
    folder = write_ablation(seeds=(0,), sets=dict.fromkeys(("tno", "tno+rain", "tno+haze+rain", "msrs+rain"), 3))
    ablation = make_ablation(find_runs(folder), folder)
    assert ablation.conditions == {"clean": ["tno"], "rain": ["tno+rain", "msrs+rain"], "haze+rain": ["tno+haze+rain"]}


def test_a_mean_over_sets_is_of_the_same_sets_for_every_row(write_ablation):
    folder = write_ablation(seeds=(0, 1), sets={"tno": 3, "msrs": 3})
    ablation = make_ablation(find_runs(folder), folder)
    nan = math.nan
    by_seed = {
        ("tno", "a"): (1.0, 2.0), ("msrs", "a"): (3.0, 6.0),
        ("tno", "b"): (5.0, 5.0), ("msrs", "b"): (nan, 7.0),
        ("tno", "c"): (nan, nan), ("msrs", "c"): (nan, nan),
    }  # fmt: skip
    results = {(name, row, "x"): Result.of(values) for (name, row), values in by_seed.items()}
    both = ["tno", "msrs"]
    assert ablation.over_sets(results, both, ["a"], "x")["a"] == Result((2.0, 4.0), 3.0, pytest.approx(math.sqrt(2)))
    means = ablation.over_sets(results, both, ["a", "b", "c"], "x")
    assert [means[row].by_seed for row in ("a", "b")] == [(1.0, 2.0), (5.0, 5.0)]
    assert math.isnan(means["c"].mean)
    assert math.isnan(ablation.over_sets(results, ["msrs"], ["a", "b"], "x")["a"].mean)
