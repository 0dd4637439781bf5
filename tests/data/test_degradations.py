import itertools
import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor

from dream_if.data.degradations import (
    KINDS,
    Blur,
    Degradation,
    FixedDegradation,
    GaussianNoise,
    PoissonNoise,
    Rain,
    RandomDegradations,
    Resize,
    SpeckleNoise,
    applied,
    degrade_batch,
    sample_generator,
)
from dream_if.data.degradations.noise import poisson_quantile

ALL = [GaussianNoise, PoissonNoise, SpeckleNoise, Rain, Blur, Resize]
SHAPE = (3, 48, 40)


def picture(channels: int = 3, height: int = 48, width: int = 40, seed: int = 0) -> Tensor:
    """A smooth picture that covers [0, 1]."""
    noise = torch.rand(1, channels, 8, 8, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic")[0]
    return (large - large.min()) / (large.max() - large.min())


def corrupt(kind: Degradation, image: Tensor, seed: int = 0) -> Tensor:
    return kind(image, kind.draw(torch.Generator().manual_seed(seed), tuple(image.shape)))


def batch_of(indices: list[int]) -> dict[str, object]:
    return {
        "visible": torch.stack([picture(3, 32, 32, index) for index in indices]),
        "infrared": torch.stack([picture(1, 32, 32, index) for index in indices]),
        "index": torch.tensor(indices),
        "name": [str(index) for index in indices],
    }


# Every kind


def test_the_list_of_kinds_is_fixed():
    # codes are stored in batches and tables: a bit must keep its meaning
    assert KINDS == ("gaussian", "poisson", "speckle", "rain", "blur", "resize")
    assert tuple(kind.name for kind in ALL) == KINDS


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("shape", [(3, 48, 40), (1, 48, 40), (3, 17, 23), (1, 16, 16)])
def test_keeps_shape_range_and_type_and_changes_the_image(kind, shape):
    image = picture(*shape)
    changed = False
    for seed in range(5):
        degraded = corrupt(kind(), image, seed)
        assert degraded.shape == image.shape
        assert degraded.dtype == torch.float32
        assert degraded.min() >= 0
        assert degraded.max() <= 1
        changed |= not torch.equal(degraded, image)
    assert changed


@pytest.mark.parametrize("kind", ALL)
def test_a_draw_replays_and_leaves_the_input_alone(kind):
    degradation, image = kind(), picture()
    before = image.clone()
    drawn = degradation.draw(torch.Generator().manual_seed(3), SHAPE)
    kept = {key: value.clone() for key, value in drawn.items()}
    first = degradation(image, drawn)
    torch.rand(10)  # the global generator plays no part
    assert torch.equal(first, degradation(image, drawn))
    assert torch.equal(image, before)
    assert all(torch.equal(drawn[key], kept[key]) for key in kept)
    assert all(value.device.type == "cpu" for value in drawn.values())
    assert torch.equal(first, corrupt(kind(), image, 3))
    assert not torch.equal(first, corrupt(kind(), image, 4))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_computes_in_float32_whatever_the_precision_around_it(kind, dtype):
    degradation, image = kind(), picture().to(dtype)
    drawn = degradation.draw(torch.Generator().manual_seed(0), SHAPE)
    expected = degradation(image.float(), drawn)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        degraded = degradation(image, drawn)
    assert degraded.dtype == torch.float32
    assert torch.equal(degraded, expected)


@pytest.mark.parametrize("kind", ALL)
def test_severity_grows_with_the_level(kind):
    image = picture(3, 96, 96)
    errors = [
        np.mean([float((corrupt(kind.at_level(level), image, seed) - image).square().mean()) for seed in range(8)])
        for level in (1, 2, 3, 4)
    ]
    assert all(lower * 1.2 < higher for lower, higher in itertools.pairwise(errors)), errors


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("level", [0, 5, 1.5, "2", True])
def test_refuses_a_level_there_is_not(kind, level):
    with pytest.raises(ValueError, match="level from 1 to 4"):
        kind.at_level(level)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ALL)
def test_devices_agree(kind):
    image = picture(3, 96, 96)
    drawn = kind().draw(torch.Generator().manual_seed(0), (3, 96, 96))
    difference = (kind()(image, drawn) - kind()(image.cuda(), drawn).cpu()).abs()
    # a Poisson count may round to the other side of a step: few pixels, one photon each
    assert (difference > 1e-4).float().mean() < 1e-3


# Noise


@pytest.mark.parametrize("sigma", [5.0, 35.0])
def test_gaussian_noise_has_the_given_deviation_in_grey_levels(sigma):
    noise = (corrupt(GaussianNoise(sigma), torch.full((3, 200, 200), 0.5)) - 0.5) * 255
    assert noise.mean().abs() < 5 * sigma / math.sqrt(120_000)
    assert noise.std().item() == pytest.approx(sigma, rel=0.01)
    correlation = np.corrcoef(noise.flatten(1).numpy())
    assert np.abs(correlation - np.eye(3)).max() < 0.03  # independent per channel


def test_a_range_is_drawn_uniformly():
    generator = torch.Generator().manual_seed(0)
    sigmas = [float(GaussianNoise((5, 35)).draw(generator, (1, 1, 1))["sigma"]) for _ in range(500)]
    assert stats.kstest(sigmas, stats.uniform(5, 30).cdf).pvalue > 0.01


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.7, 3.0, 9.9, 10.1, 40.0, 300.0])
def test_poisson_quantile_is_that_of_scipy(rate):
    normal = torch.linspace(-4.5, 4.5, 9001)
    ours = poisson_quantile(torch.full_like(normal, rate), normal).numpy()
    expected = stats.poisson.ppf(stats.norm.cdf(normal.double().numpy()), rate)
    wrong = np.abs(ours - expected)
    assert wrong.max() <= 1
    # weighted as pixels would be; float32 moves the steps by little, the expansion by little more
    weight = stats.norm.pdf(normal.numpy())
    assert (weight * (wrong > 0)).sum() / weight.sum() < 1e-3


def test_poisson_quantile_has_no_outliers():
    extreme = torch.tensor([-20.0, 5.8, 20.0])
    last = stats.poisson.ppf(1 - 1e-6, 2.0)
    assert poisson_quantile(torch.full((3,), 2.0), extreme).tolist() == [0.0, last, last]
    assert torch.equal(poisson_quantile(torch.zeros(3), extreme), torch.zeros(3))


@pytest.mark.parametrize("value", [0.02, 0.5])
@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_poisson_variance_is_mean_over_peak(value, exponent):
    noisy = corrupt(PoissonNoise(exponent), torch.full((3, 200, 200), value))
    assert noisy.mean().item() == pytest.approx(value, rel=0.02)
    assert noisy.var().item() == pytest.approx(value / 10**exponent, rel=0.03)
    counts = noisy * 10**exponent
    assert torch.allclose(counts, counts.round(), atol=1e-3)


def test_speckle_is_proportional_to_the_signal():
    dark, bright = torch.full((3, 200, 200), 0.1), torch.full((3, 200, 200), 0.6)
    for image in (dark, bright):
        relative = corrupt(SpeckleNoise(25), image) / image - 1
        assert relative.std().item() == pytest.approx(25 / 255, rel=0.01)
    assert torch.equal(corrupt(SpeckleNoise(25), torch.zeros(SHAPE)), torch.zeros(SHAPE))


@pytest.mark.parametrize("kind", [GaussianNoise, PoissonNoise, SpeckleNoise, Rain])
def test_refuses_a_draw_for_another_shape(kind):
    drawn = kind().draw(torch.Generator().manual_seed(0), (1, 32, 30))
    with pytest.raises(ValueError, match="draw is for"):
        kind()(picture(3, 32, 32), drawn)


# Rain


def test_rain_only_brightens_and_has_no_colour():
    image = picture(3, 96, 96)
    change = corrupt(Rain(), image) - image
    assert change.min() >= 0
    assert 0.01 < (change > 0.02).float().mean() < 0.9
    black = corrupt(Rain(), torch.zeros(3, 96, 96))
    assert torch.equal(black[0], black[1])
    assert torch.equal(black[0], black[2])
    assert torch.equal(corrupt(Rain(), torch.ones(3, 96, 96)), torch.ones(3, 96, 96))


@pytest.mark.parametrize("angle", [-40.0, 0.0, 25.0])
def test_rain_falls_at_the_given_angle(angle):
    rain = corrupt(Rain(density=40, length=30, angle=angle), torch.zeros(1, 160, 160))[0].double().numpy()
    down, right = ndimage.sobel(rain, 0), ndimage.sobel(rain, 1)
    # the least eigenvector of the structure tensor runs along the streaks
    _, vectors = np.linalg.eigh([[(down**2).sum(), (down * right).sum()], [(down * right).sum(), (right**2).sum()]])
    assert math.degrees(math.atan(vectors[1, 0] / vectors[0, 0])) == pytest.approx(angle, abs=4)


def test_rain_streaks_are_a_plain_convolution_of_the_drops():
    kind = Rain(density=30, opacity=1.0)
    drawn = kind.draw(torch.Generator().manual_seed(1), (3, 40, 30))
    radius = (drawn["drops"].shape[-1] - 30) // 2
    expected = np.zeros((40, 30))
    for (size, brightness, _), drops, angle in zip(kind.LAYERS, drawn["drops"], drawn["angle"], strict=True):
        width = max(size * float(drawn["width"]), 0.45)
        streak = brightness * kind.streak(size * float(drawn["length"]), width, float(angle), radius)
        full = ndimage.convolve(drops.double().numpy(), streak.double().numpy(), mode="constant")
        expected += full[radius:-radius, radius:-radius]
    assert np.allclose(kind(torch.zeros(3, 40, 30), drawn)[0], np.clip(expected, 0, 1), atol=1e-5)


def test_rain_has_the_given_density():
    drawn = Rain(density=50).draw(torch.Generator().manual_seed(0), (3, 400, 400))
    per_pixel = (drawn["drops"] > 0).sum() / drawn["drops"][0].numel()
    assert float(per_pixel) * 10_000 == pytest.approx(50, rel=0.1)


def test_rain_is_weaker_in_the_infrared():
    visible = corrupt(Rain(infrared_share=0.25), torch.zeros(3, 96, 96))
    infrared = corrupt(Rain(infrared_share=0.25), torch.zeros(1, 96, 96))
    assert torch.allclose(infrared[0], visible[0] * 0.25, atol=1e-6)


# Blur and resolution


def test_blur_kernels_sum_to_one_and_have_the_drawn_shape():
    generator = torch.Generator().manual_seed(0)
    kernels = [Blur(anisotropic=1.0).draw(generator, SHAPE)["kernel"] for _ in range(200)]
    assert all(kernel.sum().item() == pytest.approx(1, abs=1e-5) for kernel in kernels)
    assert {len(kernel) for kernel in kernels} == set(range(7, 22, 2))
    assert all(torch.allclose(kernel, kernel.flip(0, 1), atol=1e-7) for kernel in kernels)


@pytest.mark.parametrize(("first", "second", "angle"), [(1.0, 1.0, 0.0), (2.5, 1.0, 0.0), (2.5, 1.0, 0.7)])
def test_blur_kernel_has_the_covariance_it_is_given(first, second, angle):
    kernel = Blur.kernel(21, first, second, angle).double().numpy()
    axis = np.arange(21) - 10
    down, right = np.meshgrid(axis, axis, indexing="ij")
    moments = [[(kernel * a * b).sum() for b in (right, down)] for a in (right, down)]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    assert np.allclose(moments, turn @ np.diag([first**2, second**2]) @ turn.T, atol=0.02)


def test_isotropic_blur_is_that_of_scipy():
    image = picture()
    expected = [
        ndimage.gaussian_filter(channel, 1.5, mode="mirror", truncate=10 / 1.5) for channel in image.double().numpy()
    ]
    assert np.allclose(corrupt(Blur(sigma=1.5, size=21), image), expected, atol=1e-5)


def test_blur_keeps_a_flat_image_and_lowers_contrast():
    flat, image = torch.full(SHAPE, 0.3), picture()
    assert torch.allclose(corrupt(Blur(), flat), flat, atol=1e-6)
    assert corrupt(Blur(sigma=2.5), image).std() < image.std()


def test_blur_refuses_an_image_smaller_than_its_radius():
    with pytest.raises(ValueError, match="reflects more"):
        corrupt(Blur(size=21), torch.zeros(3, 10, 40))


def test_resize_keeps_the_picture_in_place():
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(84.0), indexing="ij")
    blob = torch.exp(-((rows - 27) ** 2 + (columns - 45) ** 2) / 200)[None]
    kind = Resize()
    for down in range(len(kind.DOWN)):
        for up in range(len(kind.UP)):
            for factor in (2.0, 3.3, 4.0):
                drawn = {"factor": torch.tensor(factor), "down": torch.tensor(down), "up": torch.tensor(up)}
                mass = kind(blob, drawn)[0]
                centre = ((mass * rows).sum() / mass.sum(), (mass * columns).sum() / mass.sum())
                straight = ((blob[0] * rows).sum() / blob.sum(), (blob[0] * columns).sum() / blob.sum())
                shift = 0.55 if kind.DOWN[down] == "nearest-exact" else 0.25
                assert np.allclose(centre, straight, atol=shift), (kind.DOWN[down], kind.UP[up], factor)


def test_resize_draws_every_interpolation_and_loses_detail():
    generator = torch.Generator().manual_seed(0)
    draws = [Resize().draw(generator, SHAPE) for _ in range(200)]
    assert {int(drawn["down"]) for drawn in draws} == {0, 1, 2, 3}
    assert {int(drawn["up"]) for drawn in draws} == {0, 1, 2}
    detail = torch.rand(3, 64, 64, generator=generator)
    assert torch.equal(corrupt(Resize(1), detail, 1), detail)
    for drawn in draws[:20]:
        small = Resize()(detail, drawn)
        assert (small.diff(dim=-1).abs().mean()) < 0.8 * detail.diff(dim=-1).abs().mean()


# Composition


def test_generator_is_a_pure_function_of_all_its_arguments():
    base = {"seed": 1, "epoch": 2, "index": 3, "source": "visible", "split": "train"}
    changed = [{}, {"seed": 2}, {"epoch": 3}, {"index": 2}, {"source": "infrared"}, {"split": "val"}]
    values = {tuple(torch.rand(4, generator=sample_generator(**base | change)).tolist()) for change in changed}
    assert len(values) == len(changed)
    assert sample_generator(**base).initial_seed() == sample_generator(**base).initial_seed()
    # swapped numbers and joined digits are other keys
    assert sample_generator(1, 23, 4, "visible").initial_seed() != sample_generator(12, 3, 4, "visible").initial_seed()
    with pytest.raises(ValueError, match="source"):
        sample_generator(0, 0, 0, "thermal")


def test_first_draws_of_neighbouring_samples_are_uniform():
    firsts = [float(torch.rand((), generator=sample_generator(0, 0, index, "visible"))) for index in range(2000)]
    assert stats.kstest(firsts, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) < 0.07


def test_the_seed_of_a_sample_never_changes():
    # stored: another value would silently change every experiment
    assert sample_generator(0, 0, 0, "visible").initial_seed() == 2280253027


def test_random_composition_counts_and_shares():
    composition, image = RandomDegradations(count=(1, 3), clean=0.3), torch.full((1, 16, 16), 0.5)
    codes = [composition(image, sample_generator(0, 0, index, "visible"))[1] for index in range(1500)]
    numbers = np.bincount([len(applied(code)) for code in codes], minlength=4)
    assert len(numbers) == 4
    assert stats.chisquare(numbers, [450, 350, 350, 350]).pvalue > 0.01
    kinds = [sum(code >> bit & 1 for code in codes) for bit in range(6)]
    assert min(kinds) > 0.8 * 350
    assert max(kinds) < 1.2 * 350


def test_clean_samples_are_exactly_clean_and_others_follow_their_code():
    composition, image = RandomDegradations([GaussianNoise(20), Blur(1.5)], count=1, clean=0.5), picture()
    seen = set()
    for index in range(40):
        degraded, code = composition(image, sample_generator(0, 0, index, "visible"))
        seen.add(code)
        rough = degraded.diff(dim=-1).std() / image.diff(dim=-1).std()
        if code == 0:
            assert torch.equal(degraded, image)
        elif applied(code) == ("gaussian",):
            assert rough > 1.05
        else:
            assert applied(code) == ("blur",)
            assert rough < 0.95
    assert seen == {0, 1 << 0, 1 << 4}


def test_kinds_are_applied_in_random_order():
    image = torch.full((1, 24, 24), 0.5)
    composition = RandomDegradations([GaussianNoise(30), Blur(3.0)], count=2, clean=0)
    spreads = [float(composition(image, sample_generator(0, 0, i, "visible"))[0].std()) for i in range(40)]
    smooth = sum(spread < 0.05 for spread in spreads)  # noise first, then blurred away
    assert 8 < smooth < 32
    assert all(spread < 0.05 or spread > 0.1 for spread in spreads)


def test_fixed_composition():
    image = picture()
    degraded, code = FixedDegradation(GaussianNoise(35))(image, sample_generator(0, 0, 5, "visible"))
    assert applied(code) == ("gaussian",)
    assert (degraded - image).std() > 20 / 255
    clean, code = FixedDegradation(None)(image, sample_generator(0, 0, 5, "visible"))
    assert code == 0
    assert torch.equal(clean, image)


def test_applied_names_the_bits():
    assert applied(0) == ()
    assert applied(0b100010) == ("poisson", "resize")
    assert applied(0b111111) == KINDS
    assert applied(1 << 9) == ("haze",)
    for code in (-1, 1 << 13):
        with pytest.raises(ValueError, match="code"):
            applied(code)


# Batches


def test_batch_follows_the_contract():
    batch = batch_of(list(range(20)))
    result = degrade_batch(batch, RandomDegradations(clean=0.4), 0, 0)
    assert set(batch) == {"visible", "infrared", "index", "name"}
    for source in ("visible", "infrared"):
        assert result[f"{source}_clean"] is batch[source]
        codes = result[f"{source}_degradation"]
        assert codes.dtype == torch.long
        assert codes.shape == (20,)
        assert result[source].shape == batch[source].shape
        for before, after, code in zip(batch[source], result[source], codes.tolist(), strict=True):
            assert torch.equal(before, after) == (code == 0)
        assert 0 < (codes > 0).sum() < 20
    assert result["name"] == batch["name"]


def test_a_sample_is_degraded_alike_in_any_batch_and_order():
    indices = list(range(12))
    composition = RandomDegradations()
    whole = degrade_batch(batch_of(indices), composition, 5, 1)
    for parts in ([[i] for i in indices], [indices[::-1]], [indices[:5], indices[5:]], [indices[1::2], indices[::2]]):
        for part in parts:
            result = degrade_batch(batch_of(part), composition, 5, 1)
            for key in ("visible", "infrared", "visible_degradation", "infrared_degradation"):
                assert torch.equal(result[key], whole[key][part])


def test_batches_differ_by_seed_epoch_split_and_source():
    composition = FixedDegradation(GaussianNoise(20))
    batch = batch_of([0, 1])
    batch["visible"] = batch["infrared"].repeat(1, 3, 1, 1) * 0 + 0.5
    batch["infrared"] = batch["infrared"] * 0 + 0.5
    first = degrade_batch(batch, composition, 0, 0)
    for arguments in ((1, 0, "train"), (0, 1, "train"), (0, 0, "val")):
        other = degrade_batch(batch, composition, *arguments)
        for source in ("visible", "infrared"):
            both = torch.stack([first[source].flatten(), other[source].flatten()])
            assert abs(torch.corrcoef(both)[0, 1]) < 0.1
    within = torch.stack([first["visible"][0, 0].flatten(), first["visible"][1, 0].flatten()])
    across = torch.stack([first["visible"][0, 0].flatten(), first["infrared"][0, 0].flatten()])
    assert abs(torch.corrcoef(within)[0, 1]) < 0.15
    assert abs(torch.corrcoef(across)[0, 1]) < 0.15


def test_a_source_that_is_not_named_stays_clean():
    batch = batch_of([0, 1])
    result = degrade_batch(batch, FixedDegradation(GaussianNoise(20)), 0, 0, sources=["visible"])
    assert torch.equal(result["infrared"], batch["infrared"])
    assert result["infrared_degradation"].tolist() == [0, 0]
    assert result["visible_degradation"].tolist() == [1, 1]


def test_batch_of_half_precision_becomes_float32():
    batch = batch_of([0, 1])
    batch |= {source: batch[source].bfloat16() for source in ("visible", "infrared")}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = degrade_batch(batch, RandomDegradations(), 0, 0, sources=["visible"])
    for key in ("visible", "infrared", "visible_clean", "infrared_clean"):
        assert result[key].dtype == torch.float32


def test_batch_with_a_missing_index_is_refused():
    batch = batch_of([0, 1, 2])
    batch["index"] = batch["index"][:2]
    with pytest.raises(ValueError, match="one index per visible image"):
        degrade_batch(batch, None, 0, 0)


# Arguments


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: GaussianNoise(-1), "GaussianNoise.sigma"),
        (lambda: GaussianNoise((35, 0)), "GaussianNoise.sigma"),
        (lambda: GaussianNoise((1, 2, 3)), "GaussianNoise.sigma"),
        (lambda: GaussianNoise(float("nan")), "GaussianNoise.sigma"),
        (lambda: GaussianNoise("35"), "GaussianNoise.sigma"),
        (lambda: PoissonNoise(100), "PoissonNoise.log10_peak"),  # a peak given where its exponent belongs
        (lambda: SpeckleNoise((-2, 25)), "SpeckleNoise.epsilon"),
        (lambda: Rain(opacity=1.5), "Rain.opacity"),
        (lambda: Rain(length=0), "Rain.length"),
        (lambda: Rain(infrared_share=-0.1), "Rain.infrared_share"),
        (lambda: Blur(size=8), "Blur.size"),
        (lambda: Blur(size=(7, 20)), "Blur.size"),
        (lambda: Blur(sigma=0), "Blur.sigma"),
        (lambda: Blur(anisotropic=2), "Blur.anisotropic"),
        (lambda: Resize(0.5), "Resize.factor"),
        (lambda: RandomDegradations([]), "RandomDegradations.kinds"),
        (lambda: RandomDegradations(["rain"]), "RandomDegradations.kinds"),
        (lambda: RandomDegradations(count=0), "RandomDegradations.count"),
        (lambda: RandomDegradations(count=(1, 7)), "RandomDegradations.count"),
        (lambda: RandomDegradations(count=1.5), "RandomDegradations.count"),
        (lambda: RandomDegradations(clean=1.2), "RandomDegradations.clean"),
        (lambda: FixedDegradation("rain"), "FixedDegradation.kind"),
    ],
)
def test_bad_arguments_name_themselves(build, named):
    with pytest.raises(ValueError, match=named):
        build()


@pytest.mark.parametrize(
    "image", [torch.zeros(2, 3, 16, 16), torch.zeros(16, 16), torch.zeros(3, 16, 16, dtype=torch.uint8)]
)
def test_refuses_what_is_not_one_float_image(image):
    kind = GaussianNoise()
    with pytest.raises(ValueError, match="float image"):
        kind(image, kind.draw(torch.Generator(), (3, 16, 16)))


class Salt(Degradation):
    """A kind that is not ours, with nothing but what it needs."""

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        return {"white": torch.rand(shape, generator=generator) < 0.5}

    def corrupt(self, image: Tensor, draw: dict[str, Tensor]) -> Tensor:
        return torch.where(draw["white"], 1.0, image)


def test_a_kind_of_ones_own_stands_beside_ours() -> None:
    composition = FixedDegradation([Salt(), Blur(sigma=1.0)])
    image, code = composition(torch.zeros(3, 16, 16), torch.Generator().manual_seed(0))
    assert Salt.name == "Salt"
    assert applied(code) == ("blur", "other")
    assert 0.2 < float(image.mean()) < 0.8
