"""`OneSided` and `Mixed`: what the two images of a pair get, and that all else is as without them."""

from pathlib import Path

import jsonargparse
import numpy as np
import pytest
import torch
import yaml
from scipy import stats

from dream_if.data import FixedDegradation, FusionDataModule, Mixed, OneSided, RandomDegradations
from dream_if.data.degradations import (
    Blur,
    GaussianNoise,
    Haze,
    Jpeg,
    Local,
    Shift,
    applied,
    degrade_batch,
    sample_generator,
)
from dream_if.errors import InputError

NOISE = FixedDegradation(GaussianNoise(20))
BLUR = FixedDegradation(Blur(2.0))
JPEG = FixedDegradation(Jpeg(20))
KEYS = ("visible", "infrared", "visible_degradation", "infrared_degradation")


def batch_of(count: int, size: int = 24) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "visible": torch.rand(count, 3, size, size, generator=generator),
        "infrared": torch.rand(count, 1, size, size, generator=generator),
        "index": torch.arange(count),
    }


def codes(batch: dict[str, torch.Tensor]) -> list[tuple[int, int]]:
    return list(zip(batch["visible_degradation"].tolist(), batch["infrared_degradation"].tolist(), strict=True))


# One side


@pytest.mark.parametrize(("source", "other"), [("visible", "infrared"), ("infrared", "visible")])
def test_the_other_source_is_left_and_the_one_named_is_as_without(source, other):
    batch = batch_of(8)
    for of in (RandomDegradations(), NOISE):
        result = degrade_batch(batch, OneSided(of, source), 3, 1)
        both = degrade_batch(batch, of, 3, 1)
        assert torch.equal(result[source], both[source])
        assert torch.equal(result[f"{source}_degradation"], both[f"{source}_degradation"])
        assert torch.equal(result[other], batch[other])
        assert result[f"{other}_degradation"].tolist() == [0] * 8


def test_without_a_name_either_source_is_as_likely_and_never_both():
    batch = batch_of(400, 16)
    result = degrade_batch(batch, OneSided(NOISE), 0, 0)
    assert set(codes(result)) == {(1, 0), (0, 1)}
    assert stats.binomtest(int(result["visible_degradation"].sum()), 400, 0.5).pvalue > 0.01
    for source in ("visible", "infrared"):
        changed = (result[source] != batch[source]).flatten(1).any(1)
        assert changed.tolist() == (result[f"{source}_degradation"] > 0).tolist()


def test_what_does_not_apply_to_the_source_leaves_it():
    result = degrade_batch(batch_of(20), OneSided(FixedDegradation(Haze(1.5))), 0, 0)
    assert {tuple(map(applied, pair)) for pair in codes(result)} == {(("haze",), ()), ((), ())}


# Several


@pytest.mark.parametrize(
    ("shares", "expected"), [(None, [1, 1, 1]), ([2, 1, 1], [2, 1, 1]), ([0, 0.5, 0.25], [0, 2, 1])]
)
def test_shares_by_counting(shares, expected):
    result = degrade_batch(batch_of(600, 16), Mixed([NOISE, BLUR, JPEG], shares), 1, 0)
    assert all(visible == infrared for visible, infrared in codes(result))  # one choice for the pair
    counts = np.array(
        [sum(applied(code) == (name,) for code, _ in codes(result)) for name in ("gaussian", "blur", "jpeg")]
    )
    wanted = 600 * np.array(expected) / sum(expected)
    assert counts.sum() == 600
    assert stats.chisquare(counts[wanted > 0], wanted[wanted > 0]).pvalue > 0.01


def test_each_pair_is_as_by_the_composition_alone():
    batch = batch_of(30)
    result = degrade_batch(batch, Mixed([RandomDegradations(clean=0.0), Shift(3)]), 0, 0)
    alone = [degrade_batch(batch, of, 0, 0) for of in (RandomDegradations(clean=0.0), Shift(3))]
    moved = [int(visible == 0) for visible, _ in codes(result)]
    assert 5 < sum(moved) < 25
    for key in KEYS:
        assert torch.equal(result[key], torch.stack([alone[which][key][place] for place, which in enumerate(moved)]))


def test_one_within_the_other():
    batch = batch_of(300, 16)
    result = degrade_batch(batch, Mixed([OneSided(NOISE), BLUR], [2, 1]), 0, 0)
    found = {pair: codes(result).count(pair) for pair in set(codes(result))}
    blurred = 1 << 4
    assert set(found) == {(1, 0), (0, 1), (blurred, blurred)}
    assert stats.chisquare([found[1, 0], found[0, 1], found[blurred, blurred]]).pvalue > 0.01
    result = degrade_batch(batch, OneSided(Mixed([NOISE, BLUR])), 0, 0)
    found = [codes(result).count(pair) for pair in [(1, 0), (0, 1), (blurred, 0), (0, blurred)]]
    assert sum(found) == 300
    assert stats.chisquare(found).pvalue > 0.01


# What the choice depends on


def test_a_pair_is_degraded_alike_in_any_batch():
    batch = batch_of(12)
    composition = Mixed([OneSided(RandomDegradations(local=0.5)), RandomDegradations()])
    whole = degrade_batch(batch, composition, 5, 1)
    for part in ([3], list(range(11, -1, -1)), [0, 5, 9]):
        result = degrade_batch({key: value[part] for key, value in batch.items()}, composition, 5, 1)
        assert all(torch.equal(result[key], whole[key][part]) for key in KEYS)


def test_the_choice_differs_by_seed_epoch_and_split():
    batch, composition = batch_of(40), OneSided(NOISE)
    first = codes(degrade_batch(batch, composition, 0, 0))
    for arguments in ((1, 0), (0, 1), (0, 0, "val")):
        again = codes(degrade_batch(batch, composition, *arguments))
        assert 8 < sum(one == other for one, other in zip(first, again, strict=True)) < 32


def test_the_choice_never_changes():
    # stored: another value would silently change every experiment
    assert sample_generator(0, 0, 0, "pair").initial_seed() == 2925931396


@pytest.mark.parametrize("composition", [RandomDegradations(), NOISE, Shift(3)], ids=lambda one: type(one).__name__)
def test_compositions_without_a_choice_are_as_ever(composition):
    """Each image by a generator of its own, and no other."""
    batch = batch_of(6)
    result = degrade_batch(batch, composition, 2, 3, "val")
    for source in ("visible", "infrared"):
        for index, image in enumerate(batch[source]):
            expected, code = composition(image, sample_generator(2, 3, index, source, "val"))
            assert torch.equal(result[source][index], expected)
            assert int(result[f"{source}_degradation"][index]) == code


def test_one_image_alone_gets_what_its_source_would():
    image = torch.rand(1, 24, 24)
    for of, touched in (
        (OneSided(NOISE, "infrared"), True),
        (OneSided(NOISE, "visible"), False),
        (Mixed([NOISE]), True),
    ):
        degraded, code = of(image, sample_generator(0, 0, 0, "infrared"))
        assert torch.equal(degraded, image) != touched
        assert code == int(touched)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: OneSided(GaussianNoise()),
            "OneSided.of: expected a composition such as RandomDegradations, got Gauss",
        ),
        (lambda: OneSided(NOISE, "thermal"), "OneSided.source: expected visible or infrared, or null for either; got"),
        (lambda: Mixed([]), "Mixed.of: expected compositions such as RandomDegradations, got an empty list"),
        (lambda: Mixed([NOISE, None]), "Mixed.of: expected compositions such as RandomDegradations, got NoneType"),
        (lambda: Mixed([NOISE, BLUR], [1]), "Mixed.shares: expected 2 numbers, not all 0; got [1]"),
        (lambda: Mixed([NOISE, BLUR], [1, -1]), "Mixed.shares: expected values at least 0"),
        (lambda: Mixed([NOISE, BLUR], [0, 0]), "Mixed.shares: expected 2 numbers, not all 0; got [0, 0]"),
        (lambda: Mixed([NOISE, BLUR], [1, float("nan")]), "Mixed.shares: expected one finite number"),
        (lambda: Mixed([NOISE, BLUR], [1, "two"]), "Mixed.shares: expected one finite number"),
        (lambda: RandomDegradations(local=1.5), "RandomDegradations.local: expected values between 0 and 1"),
    ],
)
def test_bad_arguments_name_themselves(build, message):
    with pytest.raises(InputError) as caught:
        build()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# In a configuration

YAML = """
layout: folder
root: pairs
num_workers: 0
degradation:
  class_path: dream_if.data.Mixed
  init_args:
    of:
      - {class_path: dream_if.data.RandomDegradations, init_args: {clean: 0.5}}
      - class_path: dream_if.data.OneSided
        init_args: {of: {class_path: dream_if.data.RandomDegradations, init_args: {clean: 0.0, local: 1.0}}}
    shares: [2, 1]
test_degradation:
  clean: null
  visible:
    class_path: dream_if.data.OneSided
    init_args:
      source: visible
      of:
        class_path: dream_if.data.FixedDegradation
        init_args: {kind: {class_path: dream_if.data.degradations.GaussianNoise, init_args: {sigma: 50}}}
  local:
    class_path: dream_if.data.OneSided
    init_args:
      of:
        class_path: dream_if.data.RandomDegradations
        init_args:
          clean: 0.0
          count: 1
          kinds:
            - class_path: dream_if.data.degradations.Local
              init_args:
                kind: {class_path: dream_if.data.degradations.Blur, init_args: {sigma: 4}}
                shape: blob
                share: [0.3, 0.5]
"""


@pytest.mark.usefixtures("workspace")
def test_the_class_paths_of_a_configuration() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(FusionDataModule, "data")
    data = parser.instantiate_classes(parser.parse_object({"data": yaml.safe_load(YAML)})).data
    training = data.degradation
    assert training.shares == [2, 1]
    assert [type(one) for one in training.of] == [RandomDegradations, OneSided]
    assert training.of[1].source is None
    assert training.of[1].of.local == 1
    (local,) = data.test_degradation["local"].of.kinds
    assert isinstance(local, Local)
    assert (local.name, local.shape, local.share) == ("blur", "blob", (0.3, 0.5))

    data.setup("test")
    assert data.test_sets == ["pairs", "pairs+visible", "pairs+local"]
    found = []
    for number, loader in enumerate(data.test_dataloader()):
        batches = [data.on_before_batch_transfer(batch, number) for batch in loader]
        found.append({tuple(map(applied, pair)) for batch in batches for pair in codes(batch)})
    assert found[:2] == [{((), ())}, {(("gaussian",), ())}]
    assert found[2] <= {(("blur",), ()), ((), ("blur",))}


@pytest.mark.usefixtures("workspace")
def test_the_command_takes_them(run) -> None:
    Path("mixed.yaml").write_text(yaml.safe_dump({"data": yaml.safe_load(YAML)}))
    outcome = run("fit", "--config", "tiny.yaml", "--config", "mixed.yaml", "--print_config")
    assert outcome.status == 0, outcome.err
    told = yaml.safe_load(outcome.out)["data"]
    assert told["degradation"]["init_args"]["shares"] == [2, 1]
    assert told["test_degradation"]["visible"]["init_args"]["source"] == "visible"
    yaml_without_paths = outcome.out.replace("dream_if.data.OneSided", "dream_if.data.TwoSided")
    Path("wrong.yaml").write_text(yaml_without_paths)
    assert "TwoSided" in run("fit", "--config", "wrong.yaml", "--print_config").err
