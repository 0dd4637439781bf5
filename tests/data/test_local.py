"""`Local`: exactly the kind inside its region, exactly the image outside, and regions of the shapes described."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor

from dream_if.data.degradations import (
    KIND_CLASSES,
    Degradation,
    FixedDegradation,
    GaussianNoise,
    Haze,
    Local,
    RandomDegradations,
    applied,
    sample_generator,
)
from dream_if.data.degradations.local import SHAPES
from dream_if.errors import InputError

HARD = ("box", "blob", "band")


def picture(channels: int, height: int = 48, width: int = 40) -> Tensor:
    noise = torch.rand(1, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(noise, (height, width), mode="bicubic")[0].clamp(0.05, 0.95)


def drawn(kind: Degradation, image: Tensor, seed: int) -> dict[str, Tensor]:
    return kind.draw(torch.Generator().manual_seed(seed), tuple(image.shape))


def mask_of(shape: str, share: float, seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    mask = drawn(Local(GaussianNoise(), shape, share), torch.zeros(1, *size), seed)["mask"]
    assert mask.shape == (1, *size)
    assert mask.min() >= 0
    assert mask.max() <= 1
    return mask[0].numpy()


# What a region does to any kind


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KIND_CLASSES.values(), ids=KIND_CLASSES)
def test_it_is_the_kind_inside_and_the_image_outside(kind, channels, shape):
    image = picture(channels)
    before = image.clone()
    whole, local = kind.at_level(3), Local(kind.at_level(3), shape)
    draw = drawn(local, image, 5)
    degraded, everywhere = local(image, draw), whole(image, drawn(whole, image, 5))
    assert degraded.shape == image.shape
    assert degraded.dtype == torch.float32
    assert torch.equal(image, before)
    mask = draw["mask"].expand_as(image)
    assert torch.equal(degraded[mask == 0], image[mask == 0])
    assert torch.equal(degraded[mask == 1], everywhere[mask == 1])
    assert not torch.equal(degraded[mask > 0.5], image[mask > 0.5])
    expected = (1 - mask.double()) * image.double() + mask.double() * everywhere.double()
    assert (degraded - expected).abs().max() < 1e-6


@pytest.mark.parametrize("shape", [None, *SHAPES])
def test_a_draw_replays_and_another_generator_draws_otherwise(shape):
    local, image = Local(GaussianNoise(20), shape), picture(3)
    first, again, other = (drawn(local, image, seed) for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(value.device.type == "cpu" for value in first.values())
    assert not torch.equal(first["mask"], other["mask"])
    result = local(image, first)
    torch.rand(10)  # the global generator plays no part
    assert torch.equal(result, local(image, first))


def test_it_has_the_code_and_the_source_of_its_kind():
    fog = FixedDegradation(Local(Haze(1.5)))
    degraded, code = fog(picture(3), sample_generator(0, 0, 1, "visible"))
    assert applied(code) == ("haze",)
    assert not torch.equal(degraded, picture(3))
    degraded, code = fog(picture(1), sample_generator(0, 0, 1, "infrared"))
    assert code == 0
    assert torch.equal(degraded, picture(1))


def test_a_draw_for_another_size_is_refused():
    local = Local(KIND_CLASSES["jpeg"]())
    with pytest.raises(ValueError, match="the draw is for an image"):
        local(picture(3), drawn(local, picture(3, 40, 48), 0))


# Regions


@pytest.mark.parametrize("size", [(48, 64), (97, 33), (16, 16)])
@pytest.mark.parametrize("share", [0.1, 0.35, 0.8, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_region_takes_its_share_of_the_area(shape, share, size):
    for seed in range(20):
        mask = mask_of(shape, share, seed, size)
        taken = (mask > 0.5).mean()
        rows_or_columns = 2 / min(size)  # a straight band or ramp, and a box, end with a whole row or column
        assert abs(taken - share) <= max(rows_or_columns, 0.02)
        if shape in HARD:
            assert set(np.unique(mask)) <= {0.0, 1.0}


def test_a_share_may_be_a_range():
    shares = [(drawn(Local(GaussianNoise(), "blob", (0.1, 0.5)), picture(1), i)["mask"]).mean() for i in range(300)]
    assert stats.kstest(shares, stats.uniform(0.1, 0.4).cdf).pvalue > 0.01


def test_each_shape_is_as_likely():
    generator = torch.Generator().manual_seed(0)
    local = Local(GaussianNoise(), None, 0.3)
    found = [local.draw(generator, (1, 24, 24))["mask"][0].numpy() for _ in range(600)]
    soft = sum(len(np.unique(mask)) > 2 for mask in found)
    boxes = sum(np.array_equal(mask, np.outer(mask.max(1), mask.max(0))) and mask[[0, -1]].sum() == 0 for mask in found)
    assert stats.binomtest(soft, 600, 0.25).pvalue > 0.01
    assert 30 < boxes < 200  # those that touch neither the upper nor the lower border; a band always does


def test_a_box_is_a_rectangle_of_any_proportion():
    proportions = []
    for seed in range(200):
        mask = mask_of("box", 0.2, seed)
        rows, columns = mask.max(axis=1), mask.max(axis=0)
        assert np.array_equal(mask, np.outer(rows, columns))
        assert all(ndimage.label(line)[1] == 1 for line in (rows, columns))
        proportions.append(columns.sum() / rows.sum())
    assert min(proportions) < 0.6
    assert max(proportions) > 3


def test_a_blob_is_a_few_smooth_patches():
    counts = []
    for seed in range(50):
        mask = mask_of("blob", 0.3, seed)
        counts.append(ndimage.label(mask)[1])
        border = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
        assert border < 0.12 * mask.size  # of a random half of the pixels, it would be 0.84
    assert max(counts) <= 8
    assert len(set(counts)) > 1


def test_a_band_is_a_strip_often_along_rows_or_columns():
    rows = columns = 0
    places = []
    for seed in range(400):
        mask = mask_of("band", 0.2, seed)
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        assert ndimage.label(1 - mask, np.ones((3, 3)))[1] <= 2
        if (mask == mask[:, :1]).all():
            rows += 1
            places.append(int(mask[:, 0].argmax()))
        columns += (mask == mask[:1]).all()
    assert stats.binomtest(rows, 400, 0.25).pvalue > 0.01
    assert stats.binomtest(int(columns), 400, 0.25).pvalue > 0.01
    assert min(places) < 5
    assert max(places) > 30  # of 48 rows, the strip has 10


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_gradient_is_a_linear_ramp_from_nothing_to_full_strength(share):
    directions = []
    for seed in range(100):
        mask = mask_of("gradient", share, seed).astype(np.float64)
        assert mask.min() < 1e-3
        assert mask.max() > 1 - 1e-3
        down, right = np.gradient(mask)
        inside = ndimage.minimum_filter((mask > 0) & (mask < 1), 3)
        assert down[inside].std() < 1e-4
        assert right[inside].std() < 1e-4
        directions.append(np.arctan2(mask[-1].sum() - mask[0].sum(), mask[:, -1].sum() - mask[:, 0].sum()))
    assert np.histogram(directions, bins=4, range=(-np.pi, np.pi))[0].min() > 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Local(GaussianNoise()),), "Local.kind: expected a kind such as GaussianNoise, not local already; got Local"),
        ((GaussianNoise,), "Local.kind: expected a kind such as GaussianNoise"),
        ((RandomDegradations(),), "Local.kind: expected a kind such as GaussianNoise"),
        (
            (GaussianNoise(), "disc"),
            "Local.shape: expected one of box, blob, band, gradient, or null for any; got 'disc'",
        ),
        ((GaussianNoise(), None, 0), "Local.share: expected values between 0.01 and 1"),
        ((GaussianNoise(), None, (0.5, 0.1)), "Local.share: expected values between 0.01 and 1, low before high"),
        ((GaussianNoise(), None, "all"), "Local.share: expected one finite number or a pair"),
    ],
)
def test_bad_arguments_name_themselves(arguments, message):
    with pytest.raises(InputError) as caught:
        Local(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# Drawn by `RandomDegradations`; with `local` 0 nothing else is drawn than before: test_further_degradations.py


def test_local_kinds_of_a_random_composition_computed_by_hand():
    """As without `local`, then whether the kinds are local, then each kind's own draw."""
    image = picture(3)
    kinds = [GaussianNoise(20), Haze(1.5), KIND_CLASSES["blur"](2.0)]
    composition = RandomDegradations(kinds, count=2, clean=0.2, local=0.5)
    outcomes = set()
    for index in range(40):
        generator = sample_generator(0, 0, index, "visible")
        expected, local = image, None
        if torch.rand((), generator=generator) >= 0.2:
            torch.randint(1, (), generator=generator)
            order = torch.randperm(3, generator=generator)[:2].tolist()
            local = bool(torch.rand((), generator=generator) < 0.5)
            for kind in [Local(kinds[position]) if local else kinds[position] for position in order]:
                expected = kind(expected, kind.draw(generator, tuple(image.shape)))
        outcomes.add(local)
        assert torch.equal(composition(image, sample_generator(0, 0, index, "visible"))[0], expected)
    assert outcomes == {None, False, True}


def test_how_many_images_of_a_random_composition_are_local():
    composition = RandomDegradations([GaussianNoise(20)], count=1, clean=0.0, local=0.3)
    image = torch.full((1, 24, 24), 0.5)
    results = [composition(image, sample_generator(0, 0, index, "infrared"))[0] for index in range(500)]
    assert stats.binomtest(sum(bool((result == 0.5).any()) for result in results), 500, 0.3).pvalue > 0.01


def test_a_kind_that_is_local_already_keeps_its_region():
    strip = Local(GaussianNoise(20), "band", 0.2)
    always = RandomDegradations([strip], count=1, clean=0.0, local=1.0)
    for index in range(5):
        degraded, _ = always(torch.full((1, 40, 40), 0.5), sample_generator(0, 0, index, "infrared"))
        assert abs(float((degraded != 0.5).float().mean()) - 0.2) < 0.06
