"""The kinds beyond the paper against their formulas, the sources they apply to, and what follows what."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import Tensor

from dream_if.data.degradations import (
    ALL_KINDS,
    FURTHER,
    KIND_CLASSES,
    KINDS,
    Degradation,
    FixedDegradation,
    GaussianNoise,
    Haze,
    Jpeg,
    LowContrast,
    LowLight,
    OverExposure,
    RandomDegradations,
    Shift,
    StripeNoise,
    applied,
    degrade_batch,
    sample_generator,
)
from dream_if.data.scenes import generate_scene
from dream_if.errors import InputError

NEW = [LowLight, OverExposure, LowContrast, Haze, StripeNoise, Jpeg]
SOURCES = {
    "low_light": {3}, "over_exposure": {3}, "low_contrast": {1}, "haze": {3}, "stripes": {1}, "jpeg": {1, 3},
}  # fmt: skip


def scene(channels: int) -> Tensor:
    made = generate_scene(0, 1, (64, 96))
    levels = made.visible if channels == 3 else made.infrared[:, :, None]
    return torch.from_numpy(levels).permute(2, 0, 1) / 255


def corrupt(kind: Degradation, image: Tensor, seed: int = 0) -> Tensor:
    return kind(image, kind.draw(torch.Generator().manual_seed(seed), tuple(image.shape)))


# Every kind


def test_the_list_only_grows_at_its_end():
    assert FURTHER == ("low_light", "over_exposure", "low_contrast", "haze", "stripes", "jpeg")
    assert (*KINDS, *FURTHER) == ALL_KINDS
    assert tuple(KIND_CLASSES) == ALL_KINDS
    assert [kind.name for kind in NEW] == list(FURTHER)


@pytest.mark.parametrize("kind", NEW)
@pytest.mark.parametrize("shape", [(3, 48, 40), (1, 17, 23), (3, 16, 16)])
def test_keeps_shape_range_and_type_and_replays(kind, shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    before = image.clone()
    degraded = corrupt(kind(), image, 3)
    assert degraded.shape == image.shape
    assert degraded.dtype == torch.float32
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    assert torch.equal(image, before)
    assert torch.equal(degraded, corrupt(kind(), image, 3))
    assert not torch.equal(degraded, corrupt(kind(), image, 4))
    half = image.bfloat16()
    drawn = kind().draw(torch.Generator().manual_seed(0), shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(kind()(half, drawn), kind()(half.float(), drawn))


@pytest.mark.parametrize("kind", NEW)
def test_severity_grows_with_the_level(kind):
    image = scene(1 if kind.SOURCES == ("infrared",) else 3)
    errors = [
        np.mean([float((corrupt(kind.at_level(level), image, seed) - image).square().mean()) for seed in range(8)])
        for level in (1, 2, 3, 4)
    ]
    assert all(lower * 1.2 < higher for lower, higher in itertools.pairwise(errors)), errors


@pytest.mark.parametrize("kind", NEW)
def test_level_3_is_the_end_of_what_is_drawn(kind):
    drawn = vars(kind())
    for argument, value in kind.LEVELS[2].items():
        assert value in drawn[argument]
        milder = kind.LEVELS[0][argument]
        assert drawn[argument][0] <= milder <= drawn[argument][1]
        assert not drawn[argument][0] <= kind.LEVELS[3][argument] <= drawn[argument][1]


# Each kind


def test_low_light_is_a_power_and_a_gain():
    image = scene(3)
    expected = 0.7 * image.double().numpy() ** 2.5
    assert np.allclose(corrupt(LowLight(gamma=2.5, gain=0.7), image), expected, atol=1e-6)


def test_two_stops_and_a_fifth_double_what_is_displayed():
    image = torch.tensor([0.1, 0.3, 0.49, 0.51, 0.9]).repeat(3, 1)[:, None]
    degraded = corrupt(OverExposure(stops=2.2), image)
    assert torch.allclose(degraded[0, 0], torch.tensor([0.2, 0.6, 0.98, 1.0, 1.0]), atol=1e-6)


def test_low_contrast_keeps_the_mean_and_scales_the_deviation():
    image = scene(1)
    degraded = corrupt(LowContrast(contrast=0.25), image)
    assert degraded.mean().item() == pytest.approx(image.mean().item(), abs=1e-5)
    assert degraded.std().item() == pytest.approx(0.25 * image.std().item(), rel=1e-4)
    assert np.corrcoef(degraded.flatten(), image.flatten())[0, 1] == pytest.approx(1)


def test_haze_mixes_towards_one_grey_and_more_so_far_away():
    """Transmission from two pictures of one draw: their difference shrinks by it, whatever the airlight."""
    dark = torch.full((3, 80, 60), 0.2)
    dark[:, :, ::4] = 0.8
    light = dark.clone()
    light[:, :, 1::4] = 0.3
    kind = Haze(density=1.8, airlight=0.9, horizon=0.4)
    difference = corrupt(kind, light) - corrupt(kind, dark)
    passes = difference[:, :, 1::4] / 0.1
    far, near = np.exp(-1.8 * 1.25), np.exp(-1.8 * 0.75)
    assert far - 1e-4 < float(passes[:, :32].min()) <= float(passes[:, :32].max()) < near + 1e-4
    rows = passes.mean(dim=(0, 2))[32:]
    assert (rows.diff() > 0).all()
    hazy = corrupt(Haze(density=20, airlight=0.9, horizon=0.4), dark)
    assert torch.allclose(hazy[:, :30], torch.tensor(0.9 * 0.8), atol=1e-4)  # a quarter of the pixels has 0.8


def test_haze_has_no_light_of_its_own():
    black = torch.zeros(3, 32, 32)
    assert torch.equal(corrupt(Haze(), black), black)


def test_stripes_are_one_offset_for_each_column():
    flat = torch.full((1, 50, 4000), 0.5)
    offsets = corrupt(StripeNoise(sigma=15), flat) - flat
    assert torch.equal(offsets, offsets[:, :1].expand_as(offsets))
    columns = offsets[0, 0].numpy() * 255
    assert columns.std() == pytest.approx(15, rel=0.05)
    assert stats.kstest(columns / 15, "norm").pvalue > 0.01
    assert abs(np.corrcoef(columns[1:], columns[:-1])[0, 1]) < 0.05


def test_stripes_of_another_width_are_refused():
    kind = StripeNoise()
    with pytest.raises(ValueError, match="draw is for images 30 wide"):
        kind(torch.zeros(1, 32, 32), kind.draw(torch.Generator(), (1, 32, 30)))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_near_that_of_another_encoder(channels):
    image = scene(channels)
    levels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=30)
    other = np.asarray(Image.open(file), np.float64).reshape(levels.shape)
    ours = corrupt(Jpeg(quality=30), image).permute(1, 2, 0).numpy() * 255
    assert np.allclose(ours, ours.round(), atol=1e-3)
    loss = np.abs(other - levels).mean()
    assert loss > 1
    assert np.abs(ours - other).mean() < 0.2 * loss


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: LowLight(gamma=0.5), "LowLight.gamma"),
        (lambda: LowLight(gain=1.5), "LowLight.gain"),
        (lambda: OverExposure(-1), "OverExposure.stops"),
        (lambda: LowContrast(1.5), "LowContrast.contrast"),
        (lambda: Haze(airlight=2), "Haze.airlight"),
        (lambda: Haze(horizon=1), "Haze.horizon"),
        (lambda: StripeNoise((15, 4)), "StripeNoise.sigma"),
        (lambda: Jpeg(0), "Jpeg.quality"),
        (lambda: FixedDegradation([]), "FixedDegradation.kind"),
        (lambda: FixedDegradation([Haze(), "rain"]), "FixedDegradation.kind"),
        (lambda: FixedDegradation([Haze(), Haze()]), "expected each kind once, got haze, haze"),
        (lambda: Shift(-1), "Shift.pixels"),
        (lambda: Shift(256), "Shift.pixels"),
        (lambda: Shift(1.5), "Shift.pixels"),
        (lambda: Shift(True), "Shift.pixels"),
    ],
)
def test_bad_arguments_name_themselves(build, named):
    with pytest.raises(InputError, match=named):
        build()


# Compositions


@pytest.mark.parametrize("kind", NEW)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_kind_applies_to_the_source_that_it_is_of(kind, channels):
    image = scene(channels)
    degraded, code = FixedDegradation(kind.at_level(3))(image, sample_generator(0, 0, 1, "visible"))
    applies = channels in SOURCES[kind.name]
    assert torch.equal(degraded, image) != applies
    assert applied(code) == ((kind.name,) if applies else ())


def test_several_kinds_follow_each_other():
    image = scene(3)
    haze, noise = Haze.at_level(2), GaussianNoise(20)
    degraded, code = FixedDegradation([haze, noise])(image, sample_generator(0, 0, 4, "visible"))
    generator = sample_generator(0, 0, 4, "visible")
    hazy = haze(image, haze.draw(generator, (3, 64, 96)))
    assert torch.equal(degraded, noise(hazy, noise.draw(generator, (3, 64, 96))))
    assert applied(code) == ("gaussian", "haze")
    other, _ = FixedDegradation([noise, haze])(image, sample_generator(0, 0, 4, "visible"))
    assert not torch.equal(degraded, other)


def test_of_several_kinds_the_infrared_image_gets_its_own():
    image = scene(1)
    both, code = FixedDegradation([Haze.at_level(3), GaussianNoise(20)])(image, sample_generator(0, 0, 4, "infrared"))
    alone, _ = FixedDegradation(GaussianNoise(20))(image, sample_generator(0, 0, 4, "infrared"))
    assert torch.equal(both, alone)
    assert applied(code) == ("gaussian",)


def test_random_degradations_draw_the_papers_kinds_as_ever():
    """Stored: other codes would silently change every experiment. They are those from before there were others."""
    assert [kind.name for kind in RandomDegradations().kinds] == list(KINDS)
    batch = {"visible": torch.rand(12, 3, 24, 24), "infrared": torch.rand(12, 1, 24, 24), "index": torch.arange(12)}
    result = degrade_batch(batch, RandomDegradations(), 0, 0)
    assert result["visible_degradation"].tolist() == [0, 12, 16, 33, 2, 24, 20, 40, 36, 48, 18, 1]
    assert result["infrared_degradation"].tolist() == [17, 17, 4, 40, 0, 48, 6, 0, 0, 8, 12, 0]


def test_random_degradations_computed_by_hand():
    """The order of the draws, from the description: clean or not, how many, which, then each kind's own."""
    composition, image = RandomDegradations(local=0.0), scene(3)
    for index in range(12):
        generator = sample_generator(0, 0, index, "visible")
        expected = image
        if torch.rand((), generator=generator) >= 0.2:
            count = 1 + int(torch.randint(2, (), generator=generator))
            for position in torch.randperm(6, generator=generator)[:count].tolist():
                kind = KIND_CLASSES[KINDS[position]]()
                expected = kind(expected, kind.draw(generator, (3, 64, 96)))
        assert torch.equal(composition(image, sample_generator(0, 0, index, "visible"))[0], expected)


def test_random_degradations_choose_among_what_applies_to_the_source():
    composition = RandomDegradations([Haze(), StripeNoise()], count=2, clean=0)
    for channels, name in ((1, "stripes"), (3, "haze")):
        codes = {composition(scene(channels), sample_generator(0, 0, i, "visible"))[1] for i in range(5)}
        assert [applied(code) for code in codes] == [(name,)]
    nothing, code = RandomDegradations([Haze()], count=1, clean=0)(scene(1), sample_generator(0, 0, 0, "infrared"))
    assert torch.equal(nothing, scene(1))
    assert code == 0


def test_a_shift_moves_the_infrared_image_alone():
    visible, infrared = scene(3), scene(1)
    generator = sample_generator(0, 0, 0, "infrared")
    assert torch.equal(Shift(5)(visible, generator)[0], visible)
    moved, code = Shift(5)(infrared, generator)
    expected = np.pad(infrared.numpy(), ((0, 0), (0, 0), (5, 0)), mode="edge")[..., :-5]
    assert np.array_equal(moved.numpy(), expected)
    assert code == 0
    with pytest.raises(InputError, match="fewer than the 96 columns"):
        Shift(96)(infrared, generator)
