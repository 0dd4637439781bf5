"""The classes: from images in [0, 1] to means, counts and collections."""

import copy
import math
import pickle
import warnings

import pytest
import torch

from dream_if import metrics as M
from dream_if.metrics import METRICS, TABLE_METRICS, fusion_metrics, luminance, quantise
from dream_if.metrics import functional as F

NAMES = [name for name in METRICS if not name.startswith("LPIPS")]  # those need weights, and have a file of their own


@pytest.fixture(scope="module")
def batch(scenes):
    """A batch as the network gives it: float32 in [0, 1], visible and fused in colour."""
    fused, visible, infrared = (image.float() / 255 for image in scenes)
    fused, visible, infrared = (image.clone() for image in (fused, visible, infrared))
    visible[:, :, :20, :20], infrared[:, :, :20, :20] = 1, 0.2  # a bright sky, which is dimmed more from scene to scene
    for number, image in enumerate(fused):
        image[:, :20, :20] = 1
        image[:, :12, : 10 + number] = 0.6
        image[:, 0, number:] = 0
    tint = torch.tensor([1.0, 0.9, 0.8]).view(1, 3, 1, 1)
    return fused * tint, visible * tint, infrared


def _metric(name, **options):
    return METRICS[name](**options)


def _large_enough(name, batch):
    """MS-SSIM has a value from 161 pixels on; for all others smaller images are faster."""
    return tuple(image.repeat(1, 1, 2, 3) for image in batch) if name == "MS-SSIM" else batch


def test_quantise_rounds_and_clips_like_a_saved_file():
    image = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.7]).view(1, 1, 1, 7)
    assert quantise(image).flatten().tolist() == [0, 0, 0, 1, 254, 255, 255]
    assert torch.equal(quantise(torch.arange(256.0).view(1, 1, 16, 16) / 255).flatten(), torch.arange(256.0).double())


def test_luminance_of_golden_colour_files_is_the_golden_grey(golden):
    compared = 0
    for case in golden.values():
        grey = dict(zip(("fused", "vi"), case["triple"], strict=False))
        for key, colour in case["colour"].items():
            image = colour.permute(0, 3, 1, 2).float() / 255
            assert torch.equal(luminance(image), grey[key].double())
            compared += 1
    assert compared >= 10


def test_grey_is_its_own_luminance_and_quantised_before_mixing():
    levels = torch.arange(256.0).view(1, 1, 16, 16) / 255
    assert torch.equal(luminance(levels.expand(1, 3, 16, 16)), luminance(levels))
    colour = torch.tensor([10.6, 20.6, 30.6]).view(1, 3, 1, 1) / 255
    assert luminance(colour).item() == math.floor(0.298936 * 11 + 0.587043 * 21 + 0.114021 * 31 + 0.5)


@pytest.mark.parametrize("wrong", ["visible", "infrared"])
def test_grey_levels_in_place_of_unit_values_are_refused(wrong, batch):
    """SSIM of images in 0..255, all clipped to white, was 1.777 without a word."""
    images = dict(zip(("fused", "visible", "infrared"), batch, strict=True))
    images[wrong] = images[wrong] * 255
    with pytest.raises(ValueError, match=rf"in \[0, 1\], got {wrong} with values up to \d+.*; divide"):
        _metric("SSIM").update(**images)


def test_a_fused_image_in_grey_levels_is_warned_of(batch):
    fused, visible, infrared = batch
    with pytest.warns(UserWarning, match=r"fused has values up to \d+.* and is clipped"):
        _metric("SSIM").update(fused * 255, visible, infrared)


def test_a_network_may_leave_the_range_a_little(batch):
    fused, visible, infrared = batch
    metric = _metric("SSIM")
    metric.update(fused * 1.5 - 0.2, visible, infrared)
    assert metric.compute().isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_one_by_one_equals_batched(name, batch):
    batch = _large_enough(name, batch)
    whole, single = _metric(name), _metric(name, per_image=True)
    whole.update(*batch)
    for k in range(len(batch[0])):
        single.update(*(image[k : k + 1] for image in batch))
    assert single.compute().shape == (4,)
    assert whole.compute().item() == pytest.approx(single.compute().mean().item(), rel=1e-12)
    assert len(set(single.compute().tolist())) == 4


@pytest.mark.parametrize("name", NAMES)
def test_values_lie_within_the_stated_bounds(name, batch):
    batch = _large_enough(name, batch)
    low, high = METRICS[name].bounds
    values = _metric(name, per_image=True)(*batch)
    assert torch.all((values >= low) & (values <= high))


@pytest.mark.parametrize("name", NAMES)
def test_states_of_processes_add_up(name, batch):
    """What DDP does: each process has its share, and sum states are added."""
    batch = _large_enough(name, batch)
    whole, first, second = _metric(name), _metric(name), _metric(name)
    whole.update(*batch)
    first.update(*(image[:3] for image in batch))
    second.update(*(image[3:] for image in batch))
    assert set(first._reductions) == {"total", "defined", "undefined"}
    for state, reduce in first._reductions.items():
        setattr(first, state, reduce(torch.stack([getattr(first, state), getattr(second, state)])))
    first._computed = None
    assert first.compute().item() == pytest.approx(whole.compute().item(), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_pickle_reset_forward_and_move(name, batch):
    batch = _large_enough(name, batch)
    metric = _metric(name)
    value = metric(*batch)
    assert value.dtype == torch.float64
    restored = pickle.loads(pickle.dumps(metric))
    assert restored.compute() == metric.compute() == value
    metric.half()
    assert metric.total.dtype == torch.float64
    metric.reset()
    assert metric.defined == 0
    assert metric.total == 0
    metric.to("meta")
    assert metric.total.device.type == "meta"


def test_a_device_without_float64_gets_a_single_precision_sum(batch, monkeypatch):
    from dream_if.metrics import base

    metric = M.Entropy()
    monkeypatch.setattr(base, "DEVICES_WITHOUT_FLOAT64", {"cpu"})
    metric.to("cpu")
    assert metric.total.dtype == torch.float32
    metric.reset()
    metric.update(*batch)
    assert metric.total.dtype == torch.float32
    assert metric.compute().item() == pytest.approx(F.entropy(luminance(batch[0])).mean().item(), rel=1e-6)


def test_undefined_images_are_counted_and_left_out(batch):
    fused, visible, infrared = (image.clone() for image in batch)
    infrared[1] = 0.5
    metric = M.CorrelationCoefficient()
    metric.update(fused, visible, infrared)
    with pytest.warns(UserWarning, match="CC is undefined for 1 of 4 images; the mean is over 3"):
        mean = metric.compute()
    assert (metric.defined, metric.undefined) == (3, 1)
    others = [0, 2, 3]
    assert mean == M.CorrelationCoefficient()(fused[others], visible[others], infrared[others])


def test_an_image_that_is_not_finite_is_undefined_for_every_metric(batch):
    fused = batch[0].clone()
    fused[2, 1, 5, 5] = torch.nan
    metrics = fusion_metrics([name for name in NAMES if name != "MS-SSIM"], per_image=True)
    metrics.update(fused, *batch[1:])
    for name, values in metrics.compute().items():
        assert values.isnan().tolist() == [False, False, True, False], name


def test_infinite_values_are_left_out_of_the_mean_and_kept_per_image(batch):
    fused, visible, infrared = batch
    same = infrared[:1].expand(1, 3, -1, -1)
    triple = (torch.cat([fused[:1], same]), torch.cat([visible[:1], same]), torch.cat([infrared[:1]] * 2))
    assert M.PeakSignalNoiseRatio(per_image=True)(*triple).isinf().tolist() == [False, True]
    with pytest.warns(UserWarning, match="PSNR is undefined for 1 of 2"):
        assert M.PeakSignalNoiseRatio()(*triple) == M.PeakSignalNoiseRatio()(fused[:1], visible[:1], infrared[:1])


def test_no_image_at_all_is_nan():
    metric = M.VIFF()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns that nothing was added
        assert metric.compute().isnan()


@pytest.mark.parametrize("name", NAMES)
def test_images_too_small_are_undefined_and_never_an_error(name):
    metric = _metric(name, per_image=True)
    for side in (1, 2, 5, 12):
        metric.update(*torch.rand(3, 2, 1, side, side))
    assert metric.compute().shape == (8,)


def test_collection_gives_what_its_members_give(batch):
    names = [name for name in NAMES if name != "MS-SSIM"]
    alone = {name: _metric(name)(*batch) for name in names}
    together = fusion_metrics(names, prefix="val/")
    assert together(*batch) == {f"val/{name}": value for name, value in alone.items()}
    assert together.compute() == {f"val/{name}": value for name, value in alone.items()}


def test_collection_converts_each_image_once(batch, monkeypatch):
    from dream_if.metrics import levels

    converted = []
    monkeypatch.setattr(levels, "working_dtype", lambda device: converted.append(device) or torch.float64)
    fusion_metrics(NAMES).update(*batch)
    assert len(converted) == 3


def test_collection_clones_with_a_prefix_and_resets(batch):
    validation = fusion_metrics()
    test = validation.clone(prefix="test/")
    test.update(*batch)
    assert set(test.compute()) == {f"test/{name}" for name in TABLE_METRICS}
    test.reset()
    assert all(metric.defined == 0 for metric in test.values())
    assert all(metric.defined == 0 for metric in copy.deepcopy(validation).values())


def test_conventions_differ_where_the_catalogue_says_so(batch):
    default = M.AverageGradient()(*batch)
    assert M.AverageGradient(convention="cddfuse")(*batch) == default
    pixels, interior = 83 * 70, 82 * 69
    assert M.AverageGradient(convention="vifb")(*batch).item() == pytest.approx(default.item() * pixels / interior)


def test_mistakes_are_named(batch):
    fused, visible, infrared = batch
    with pytest.raises(ValueError, match="no metric is called 'VIFFF', did you mean VIFF; there are AG, SF"):
        fusion_metrics(["VIFFF", "AG"])
    with pytest.raises(ValueError, match="no metric has a convention 'cdd'; there are dream_if, cddfuse"):
        fusion_metrics(["AG"], convention="cdd")
    with pytest.raises(ValueError, match="VIFF has no convention 'cddfuse': that code does not compute it"):
        fusion_metrics(["VIFF"], convention="cddfuse")
    with pytest.raises(ValueError, match="VIFF has no convention 'cddfuse'; it has dream_if, han"):
        M.VIFF(convention="cddfuse")
    with pytest.raises(TypeError, match=r"torch\.uint8; divide 8-bit levels by 255"):
        M.Entropy()((fused * 255).byte(), visible, infrared)
    with pytest.raises(ValueError, match=r"of one size, got fused \(4, 3, 83, 70\), visible \(4, 3, 83, 70\), infra"):
        M.SSIM().update(fused, visible, infrared[..., 1:])
    with pytest.raises(ValueError, match="of one size"):
        M.SSIM().update(fused, visible, visible)
    with pytest.raises(ValueError, match=r"shape \(B, 1, H, W\) or \(B, 3, H, W\), got \(4, 2, 83, 70\)"):
        luminance(visible[:, :2])
