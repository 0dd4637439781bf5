"""What becomes of inputs without information: the rows of the table in docs/metrics.md."""

import math

import pytest
import torch

from dream_if.metrics import functional as F

NAN = math.nan


@pytest.fixture(scope="module")
def images(scenes):
    fused, visible, infrared = (image[:1, :, :64, :70] for image in scenes)
    flat = torch.full_like(fused, 128)
    return {"fused": fused, "visible": visible, "infrared": infrared, "flat": flat, "black": flat * 0}


TRIPLES = {  # fused, visible, infrared
    "all flat": ("flat", "flat", "flat"),
    "all black": ("black", "black", "black"),
    "identical": ("visible", "visible", "visible"),
    "flat fused": ("flat", "visible", "infrared"),
    "fused is visible": ("visible", "visible", "infrared"),
    "flat sources": ("fused", "flat", "flat"),
}
BOUND = 0.9753328  # of Qabf
EXPECTED = {
    F.correlation_coefficient: (NAN, NAN, 1, NAN, ..., NAN),
    F.sum_of_correlations_of_differences: (NAN, NAN, NAN, ..., NAN, NAN),
    F.peak_signal_noise_ratio: (math.inf, math.inf, math.inf, ..., ..., ...),
    F.mutual_information: (0, 0, ..., 0, ..., 0),
    F.normalized_mutual_information: (NAN, NAN, 2, NAN, ..., NAN),
    F.ssim: (2, 2, 2, ..., ..., ...),
    F.vif: (NAN, NAN, 2, 0, ..., NAN),
    F.viff: (1, 1, 1, 0, ..., 1),
    F.qabf: (BOUND, NAN, BOUND, ..., ..., ...),
    F.nabf: (0, 0, 0, 0, 0, ...),
    F.qg: (0.98666, 0.98666, 0.98666, ..., ..., ...),
    F.qcb: (NAN, NAN, 1, NAN, ..., NAN),
    F.qcv: (NAN, NAN, 0, NAN, ..., NAN),
    F.piella_q: (1, 1, 1, ..., ..., ...),
    F.yang_qy: (1, 1, 1, ..., 1, ...),
    F.feature_mutual_information: (1, 1, 1, 0, ..., 0),
    F.mef_ssim: (1, 1, 1, ..., ..., ...),
}


@pytest.mark.parametrize("function", EXPECTED, ids=lambda function: function.__name__)
def test_values_without_information(function, images):
    for (case, names), expected in zip(TRIPLES.items(), EXPECTED[function], strict=True):
        value = function(*(images[name] for name in names)).item()
        if expected is ...:
            assert math.isfinite(value), case
        else:
            assert value == pytest.approx(expected, abs=1e-5, nan_ok=True), case


def test_black_infrared_gives_a_perfect_viff_and_no_vif(images):
    triple = (torch.floor((images["visible"] + 1) / 2), images["visible"], images["black"])
    assert F.viff(*triple).item() == pytest.approx(1, abs=1e-6)
    assert F.vif(*triple).isnan().item()
    assert F.vif(*triple, empty="one").item() == pytest.approx(1 + F.vif(triple[0], triple[1], triple[1]).item() / 2)


def test_swapping_the_sources_matters_only_for_viff(images):
    fused, visible, infrared = images["fused"], images["visible"], images["infrared"]
    for function in EXPECTED:
        straight, swapped = function(fused, visible, infrared).item(), function(fused, infrared, visible).item()
        if function is F.viff:
            assert swapped == F.viff(fused, visible, infrared, first="visible").item()
        else:
            assert straight == pytest.approx(swapped, rel=1e-9), function.__name__
