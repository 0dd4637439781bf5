"""The differentiable forms against the metrics that they stand for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur, rgb_to_grayscale

from dream_if.data.pairs import to_tensor
from dream_if.data.scene_pairs import ScenePairs
from dream_if.losses import FusionLoss, LossWeights, qabf_loss, viff_loss
from dream_if.metrics import functional as F

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


@pytest.fixture(scope="module")
def sources() -> tuple[Tensor, Tensor]:
    visible, infrared, _ = ScenePairs("val", 2, 0, (480, 640)).read(0)
    return rgb_to_grayscale(to_tensor(visible)).unsqueeze(0), to_tensor(infrared).unsqueeze(0)


def fusions(visible: Tensor, infrared: Tensor) -> dict[str, Tensor]:
    mean = (visible + infrared) / 2
    return {
        "mean": mean,
        "maximum": torch.maximum(visible, infrared),
        "visible": visible,
        "infrared": infrared,
        "blurred": gaussian_blur(mean, [9, 9]),
        "stretched": ((mean - 0.5) * 1.4 + 0.5).clamp(0, 1),
    }


@pytest.mark.parametrize(("loss", "metric", "highest"), [(qabf_loss, F.qabf, 0.9753), (viff_loss, F.viff, 1.0)])
def test_it_is_the_metric_to_a_few_hundredths(
    sources: tuple[Tensor, Tensor], loss: Loss, metric: Loss, highest: float
) -> None:
    ours, theirs = {}, {}
    for name, fused in fusions(*sources).items():
        ours[name] = 1 - loss(fused, *sources).item()
        levels = ((image * 255).round() for image in (fused, *sources))
        theirs[name] = min(1.0, metric(*levels).item() / highest)
        assert ours[name] == pytest.approx(theirs[name], abs=0.06), name
    assert sorted(ours, key=ours.__getitem__) == sorted(theirs, key=theirs.__getitem__)


@pytest.mark.parametrize("loss", [qabf_loss, viff_loss])
def test_a_perfect_result_costs_nothing(sources: tuple[Tensor, Tensor], loss: Loss) -> None:
    visible, _ = sources
    assert loss(visible, visible, visible).item() == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("loss", [qabf_loss, viff_loss])
@pytest.mark.parametrize("start", ["mean", "flat", "maximum"])
def test_its_gradient_leads_to_a_better_metric(sources: tuple[Tensor, Tensor], loss: Loss, start: str) -> None:
    fused = torch.full_like(sources[0], 0.5) if start == "flat" else fusions(*sources)[start].clone()
    fused.requires_grad_()
    before = loss(fused, *sources)
    (gradient,) = torch.autograd.grad(before, fused)
    assert gradient.isfinite().all()
    if start == "flat":  # a plateau: nothing to follow, and nothing that could explode
        return
    after = loss(fused - 1e-3 * gradient / gradient.abs().max() * 10, *sources)
    assert after < before - 1e-4


def test_no_reward_for_more_than_the_sources_contrast(sources: tuple[Tensor, Tensor]) -> None:
    visible, _ = sources
    harder = (visible - 0.5) * 1.5 + 0.5
    assert F.viff(harder * 255, visible * 255, visible * 255) > 1.05
    assert viff_loss(harder, visible, visible) == 0


def test_small_images_are_refused_by_viff_alone() -> None:
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert qabf_loss(image, image, image).item() == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match=r"at least 41 x 41 pixels, got \(32, 32\)"):
        viff_loss(image, image, image)


def test_they_are_terms_of_the_objective(sources: tuple[Tensor, Tensor]) -> None:
    visible, infrared = sources
    colours = visible.expand(-1, 3, -1, -1)
    objective = FusionLoss(LossWeights(qabf=2.0, viff=0.5), warmup_epochs=1)
    terms = objective(colours, colours, infrared, (), (), epoch=1)
    plain = FusionLoss(warmup_epochs=1)(colours, colours, infrared, (), (), epoch=1)
    assert terms["qabf"] == pytest.approx(qabf_loss(visible, visible, infrared).item(), rel=1e-4)
    added = 2 * terms["qabf"] + 0.5 * terms["viff"]
    assert terms["total"].item() == pytest.approx((plain["total"] + added).item(), rel=1e-5)
    assert "qabf" not in objective(colours, colours, infrared, (), (), epoch=0)


def test_contrast_beyond_white_counts_nothing_but_can_come_back(sources: tuple[Tensor, Tensor]) -> None:
    visible, infrared = sources
    colours = (1.5 * visible).expand(-1, 3, -1, -1).clone().requires_grad_()
    weights = LossWeights(pixel=0, gradient=0, ssim=0, colour=0, dominance=0, qabf=1.0, viff=1.0)
    terms = FusionLoss(weights, warmup_epochs=0)(colours, visible.expand(-1, 3, -1, -1), infrared, (), (), epoch=0)
    # Where the image is plainly white both gains are 0, and rounding decides which source is meant.
    assert terms["viff"].item() == pytest.approx(
        viff_loss((1.5 * visible).clamp(0, 1), visible, infrared).item(), rel=5e-2
    )
    (gradient,) = torch.autograd.grad(terms["total"], colours)
    assert gradient[colours > 1.01].abs().mean() > 0
