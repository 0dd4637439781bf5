"""Sets and conditions by the names of test sets, and means over sets."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from dream_if.reports.ablation import RESULT, with_spread
from dream_if.reports.ablation_document import ablation_document
from tests.reports.reading import made
from tests.runs.made_runs import change_config


def test_noise_raises_some_metrics_of_corrupted_sets(write_ablation):
    folder = write_ablation(seeds=(0,), sets={"road": 3, "road+noisy": 3})
    ablation = made(folder)
    assert ablation.direction("road", "AG") is True
    assert ablation.direction("road+noisy", "AG") is None
    assert ablation.direction("road+noisy", "Qabf") is True


def test_a_folder_with_a_plus_in_its_name_is_as_any_other(write_ablation):
    folder = write_ablation(seeds=(0,), sets={"a+b": 12, "a+b+noisy": 12})
    data = {"root": "data/a+b", "test_degradation": {"clean": None, "noisy": {"class_path": "x.Y"}}}
    for run in folder.rglob("config.yaml"):
        change_config(run.parent, lambda config: config["data"].update(data))
    ablation = made(folder)
    assert ablation.conditions == {"clean": ["a+b"], "noisy": ["a+b+noisy"]}
    assert ablation.direction("a+b", "AG") is True
    assert not math.isnan(ablation.effects.loc[("a+b", "rd", "base", "AG"), "p"])
    assert math.isnan(ablation.effects.loc[("a+b+noisy", "rd", "base", "AG"), "p"])
    text = ablation_document(ablation).markdown()
    assert "# Table 4, ablation on a+b, with" in text
    assert "| AG ↑ |" in text.split("### a+b, 12 image(s)")[1].split("\n\n")[1]


def test_the_sets_under_a_condition(write_ablation):
    folder = write_ablation(seeds=(0,), sets=dict.fromkeys(("tno", "tno+rain", "tno+haze+rain", "msrs+rain"), 3))
    ablation = made(folder)
    assert ablation.conditions == {"clean": ["tno"], "rain": ["tno+rain", "msrs+rain"], "haze+rain": ["tno+haze+rain"]}


def test_a_mean_over_sets_is_of_the_same_sets_for_every_row(write_ablation):
    folder = write_ablation(seeds=(0, 1), sets={"tno": 3, "msrs": 3})
    ablation = made(folder)
    nan = math.nan
    by_seed = {
        ("tno", "a", "x"): (1.0, 2.0), ("msrs", "a", "x"): (3.0, 6.0),
        ("tno", "b", "x"): (5.0, 5.0), ("msrs", "b", "x"): (nan, 7.0),
        ("tno", "c", "x"): (nan, nan), ("msrs", "c", "x"): (nan, nan),
    }  # fmt: skip
    index = pd.MultiIndex.from_tuples(by_seed, names=RESULT)
    results = with_spread(pd.DataFrame(list(by_seed.values()), index, ["seed_0", "seed_1"]))
    ablation, both = replace(ablation, results=results), ["tno", "msrs"]
    assert ablation.over_sets(both, ["a"], "x").loc["a"].tolist() == [3.0, pytest.approx(math.sqrt(2)), 2.0, 4.0]
    means = ablation.over_sets(both, ["a", "b", "c"], "x")
    assert means[["seed_0", "seed_1"]].loc[["a", "b"]].to_numpy().tolist() == [[1.0, 2.0], [5.0, 5.0]]
    assert math.isnan(means["mean"]["c"])
    assert math.isnan(ablation.over_sets(["msrs"], ["a", "b"], "x")["mean"]["a"])
