"""Nothing that runs on a GPU makes a tensor of another device: seen without one, on made-up tensors of CUDA."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.func import functional_call

from dream_if.baselines import BASELINES
from dream_if.compat import computing_nothing
from dream_if.data.degradations import KIND_CLASSES
from dream_if.losses import FusionLoss, LossWeights
from dream_if.metrics import METRICS
from dream_if.models import DreamIF
from tests.versions import MADE_UP_CUDA

pytestmark = MADE_UP_CUDA

COUNTS = "counts grey levels by bincount, whose result is as long as the largest level"
READS_VALUES = {
    **dict.fromkeys(["EN", "MI", "NMI", "CE", "Qncie"], COUNTS),
    **dict.fromkeys(["VIF", "VIFF"], "the taps of a window become numbers, on the CPU"),
    "guided": "kornia looks whether the width of a Gaussian is positive, of a tensor on the CPU",
    "poisson": "draws by another rule where there are few photons, so it looks where that is",
    "rain": "its two angles make a kernel on the CPU",
    "resize": "which interpolation was drawn decides what is called",
    "jpeg": "the codec works on the CPU",
}
"""What asks for values of a tensor, for which a GPU waits -> why it may. Metrics also ask once for each image's largest
value, to refuse grey levels of 0..255."""


def made_up(call: Callable[[Tensor, Tensor], Any]) -> Any:
    """What a call returns for sources (2, 3, 64, 80) and (2, 1, 64, 80) that have shapes, but no values."""
    with computing_nothing():
        return call(torch.rand(2, 3, 64, 80, device="cuda"), torch.rand(2, 1, 64, 80, device="cuda"))


def devices(result: Any) -> set[str]:
    """Where the tensors of a result are."""
    return {leaf.device.type for leaf in torch.utils._pytree.tree_leaves(result) if isinstance(leaf, Tensor)}


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"use_ce": False},
        {"use_se": False},
        {"use_rd": False, "use_ce": False, "use_se": False},
        {"frozen_dominance": True},
        {"dominance": "weighing", "near_identity": True, "stride": 2},
    ],
    ids=str,
)
def test_network_and_losses(switches: dict[str, Any]) -> None:
    net = DreamIF(dim=16, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, **switches)
    shapes = {name: weights.shape for name, weights in net.named_parameters()}
    terms = LossWeights(pixel=1, gradient=1, ssim=1, colour=1, dominance=1, activity=1, reliability=1, qabf=1, viff=1)

    def train(visible: Tensor, infrared: Tensor) -> Any:
        held = {name: torch.rand(shape, device="cuda") for name, shape in shapes.items()}
        out = functional_call(net, held, (visible, infrared))
        maps = (out.dominance_visible, out.dominance_infrared)
        losses = FusionLoss(weights=terms)(out.fused, visible, infrared, *maps, epoch=9, sources=(visible, infrared))
        return out, losses  # no backward pass: it asks the driver for the device

    assert devices(made_up(train)) == {"cuda"}


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(name: str) -> None:
    check(name, lambda visible, infrared: BASELINES[name]().to("cuda")(visible, infrared))


@pytest.mark.parametrize("name", [name for name in METRICS if not name.startswith("LPIPS")])
def test_metrics(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dream_if.metrics.levels._most", lambda _: 1.0)  # the guard asks for values, once a batch
    check(name, lambda visible, infrared: METRICS[name](per_image=True).to("cuda")(visible, visible, infrared))


@pytest.mark.parametrize("name", KIND_CLASSES)
def test_degradations(name: str) -> None:
    kind = KIND_CLASSES[name]()
    source = "infrared" if kind.SOURCES == ("infrared",) else "visible"
    channels = 1 if source == "infrared" else 3
    draw = kind.draw(torch.Generator().manual_seed(0), (channels, 64, 80))  # on the CPU, as it is in training

    def corrupt(visible: Tensor, infrared: Tensor) -> Tensor:
        return kind((infrared if source == "infrared" else visible)[0], draw)

    check(name, corrupt)


def check(name: str, call: Callable[[Tensor, Tensor], Any]) -> None:
    """All that comes out is on the GPU; what asks for values is listed, and nothing else is."""
    error = None
    try:
        found = devices(made_up(call))
    except RuntimeError as caught:
        error = caught
        if not isinstance(caught, DataDependentOutputException | DynamicOutputShapeException) and (
            ".numpy()" not in str(caught)
        ):
            raise
    if error is not None:
        assert name in READS_VALUES, f"{name} asks for values of a tensor: {error}"
    else:
        assert name not in READS_VALUES, f"{name} no longer asks for values: take it from the list"
        assert found == {"cuda"}
