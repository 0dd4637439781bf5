"""Every value of the independent double-precision implementation in the golden set, case by case."""

import math

import pytest
import torch

from dream_if.metrics import functional as F
from dream_if.metrics.functional import _planes


def _unit_scale(function):
    return lambda fused, visible, infrared: function(*(image.double() / 255 for image in (fused, visible, infrared)))


def _of_fused(function, **options):
    return lambda fused, *_: function(fused, **options)


def _of_triple(function, **options):
    return lambda *triple: function(*triple, **options)


FORMULAS = {
    ("AG", "formula AG.mean"): _of_fused(F.average_gradient),
    ("AG", "formula AG.h1w1"): _of_fused(F.average_gradient, divisor="interior"),
    ("SF", "formula SF.valid"): _of_fused(F.spatial_frequency),
    ("SF", "formula SF.hw"): _of_fused(F.spatial_frequency, divisor="pixels"),
    ("EN", "formula"): _of_fused(F.entropy),
    ("SD", "formula"): _of_fused(F.standard_deviation),
    ("EI", "formula EI.replicate"): _of_fused(F.edge_intensity),
    ("EI", "formula EI.zero"): _of_fused(F.edge_intensity, border="zero"),
    ("MI", "formula MI.bits"): _of_triple(F.mutual_information),
    ("MI", "formula MI.nats"): _of_triple(F.mutual_information, unit="nats"),
    ("MI", "formula MI.bits_sat255"): _of_triple(F.mutual_information, joint="saturated"),
    ("MI", "formula MI.vifb"): _of_triple(F.mutual_information, unit="nats", stretch=True),
    ("CC", "formula"): _of_triple(F.correlation_coefficient),
    ("SCD", "formula"): _of_triple(F.sum_of_correlations_of_differences),
    ("SSIM", "formula gauss11_valid L255 sum"): _of_triple(F.ssim),
    ("SSIM", "formula gauss11 reflect L255 sum"): _of_triple(F.ssim, window="gauss11_reflect"),
    ("SSIM", "formula matlab_replicate L255 sum"): _of_triple(F.ssim, window="gauss11_replicate"),
    ("SSIM", "formula matlab_replicate L1 average"): _of_triple(
        F.ssim, window="gauss11_replicate", data_range=1.0, pooling="mean"
    ),
    ("SSIM", "formula uniform7 L255 sum"): _of_triple(F.ssim, window="uniform7"),
    ("SSIM", "formula uniform7 L2 sum"): _of_triple(F.ssim, window="uniform7", data_range=2.0),
    ("SSIM", "formula gauss11_valid L1 sum"): _of_triple(F.ssim, data_range=1.0),
    ("Qabf", "formula Qabf"): _of_triple(F.qabf),
    ("Qabf", "formula, equality rule G=1 (intended)"): _of_triple(F.qabf, equality="one"),
    ("VIF", "formula VIFp sum"): _of_triple(F.vif),
    ("VIFF_Han", "formula VIFF (ir,vi)"): _of_triple(F.viff),
    ("VIFF_Han", "formula VIFF (vi,ir)"): _of_triple(F.viff, first="visible"),
    ("VIFF_Han", "formula VIFF on 0..1 images"): _unit_scale(F.viff),
}

# Where a definition divides rounding noise by a tiny constant, the golden value itself carries that noise.
RELATIVE = {("SSIM", "formula uniform7 L2 sum"): 1e-8, ("VIFF_Han", "formula VIFF on 0..1 images"): 1e-8}
SINGLE_RELATIVE = {entry: 1e-2 for entry in FORMULAS if entry[0] == "SSIM" and "L255" not in entry[1]}


def number(value):
    """A golden entry as a float; None where the implementation refused the input."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}.get(value)
    return value


def _compare(golden, entry, relative, absolute):
    metric, name = entry
    compared = 0
    for case_name, case in golden.items():
        expected = number(case["metrics"].get(metric, {}).get(name))
        if expected is None:
            continue
        value = FORMULAS[entry](*case["triple"]).item()
        assert value == pytest.approx(expected, rel=relative, abs=absolute, nan_ok=True), case_name
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("entry", FORMULAS, ids=" ".join)
def test_formula(golden, entry):
    _compare(golden, entry, RELATIVE.get(entry, 1e-9), 1e-12)


@pytest.mark.parametrize("entry", [entry for entry in FORMULAS if "0..1" not in entry[1]], ids=" ".join)
def test_formula_in_single_precision(golden, entry, monkeypatch):
    monkeypatch.setattr(_planes, "DEVICES_WITHOUT_FLOAT64", {"cpu"})
    assert _planes.working_dtype(torch.device("cpu")) == torch.float32
    _compare(golden, entry, SINGLE_RELATIVE.get(entry, 1e-4), 1e-5)


def test_qabf_on_unit_scale_depends_on_rounding(golden):
    """The published function compares strengths for equality, which 1/255 steps break; flat sources are worse still."""
    for name, case in golden.items():
        expected = number(case["metrics"]["Qabf"]["EVAL-MAT function on 0..1 images"])
        if name[0] == "c":
            assert _unit_scale(F.qabf)(*case["triple"]).item() == pytest.approx(expected, abs=1e-2), name
