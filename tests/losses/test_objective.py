"""Each term against a formula written another way, and the warm-up against what it promises."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchmetrics.functional.image import structural_similarity_index_measure

from dream_if.losses import FusionLoss, LossWeights, dominance_loss, gradient_loss, pixel_loss, ssim, ssim_loss
from dream_if.losses.metric_forms import sobel


@pytest.fixture
def images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 1, 24, 20), torch.rand(2, 1, 24, 20), torch.rand(2, 1, 24, 20)


def test_sobel_is_scipys(images: tuple[torch.Tensor, ...]) -> None:
    image = images[0]
    for place in range(2):
        for axis, channel in ((1, 0), (0, 1)):
            expected = ndimage.sobel(image[place, 0].numpy(), axis=axis, mode="nearest")
            np.testing.assert_allclose(sobel(image)[place, channel].numpy(), expected, atol=1e-5)


def test_gradient_target_is_the_stronger_source_with_its_sign(images: tuple[torch.Tensor, ...]) -> None:
    fused, visible, infrared = images
    total = 0.0
    for f, v, i in zip(fused[:, 0].numpy(), visible[:, 0].numpy(), infrared[:, 0].numpy(), strict=True):
        for axis in (0, 1):
            gv, gi = (ndimage.sobel(x, axis=axis, mode="nearest") for x in (v, i))
            target = np.where(np.abs(gv) >= np.abs(gi), gv, gi)
            total += np.abs(ndimage.sobel(f, axis=axis, mode="nearest") - target).mean() / 4
    assert gradient_loss(fused, visible, infrared).item() == pytest.approx(total, rel=1e-5)
    assert gradient_loss(visible, visible, torch.zeros_like(visible)) == 0


def test_pixel_targets(images: tuple[torch.Tensor, ...]) -> None:
    _, visible, infrared = images
    assert pixel_loss(torch.maximum(visible, infrared), visible, infrared, "max") == 0
    assert pixel_loss((visible + infrared) / 2, visible, infrared, "mean") == 0
    assert pixel_loss(visible, visible, infrared, "max") > 0


def test_ssim_is_torchmetrics_inside_the_border(images: tuple[torch.Tensor, ...]) -> None:
    first, second, _ = images
    _, full = structural_similarity_index_measure(
        first, second, gaussian_kernel=True, sigma=1.5, data_range=1.0, return_full_image=True
    )
    assert ssim(first, second).item() == pytest.approx(full[..., 5:-5, 5:-5].mean().item(), rel=1e-4)


def test_ssim_loss_bounds_and_small_images(images: tuple[torch.Tensor, ...]) -> None:
    first = images[0]
    assert ssim_loss(first, first, first).item() == pytest.approx(0, abs=1e-6)
    assert 0 < ssim_loss(first, 1 - first, 1 - first).item() <= 2
    assert ssim(first[..., :6, :7], first[..., :6, :7]).item() == pytest.approx(1)


def test_dominance_is_a_distance_from_one() -> None:
    half = torch.full((1, 1, 4, 4), 0.5)
    assert dominance_loss((half, half), (half, half)) == 0
    assert dominance_loss((half + 0.3,), (half,)).item() == pytest.approx(0.09, rel=1e-5)


def colour_pair() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 3, 24, 24), torch.rand(2, 3, 24, 24), torch.rand(2, 1, 24, 24)


def test_total_is_the_weighted_sum() -> None:
    fused, visible, infrared = colour_pair()
    maps = (torch.rand(2, 1, 24, 24),), (torch.rand(2, 1, 24, 24),)
    weights = LossWeights(pixel=2, gradient=3, ssim=0.7, colour=1.1, dominance=5)
    terms = FusionLoss(weights, warmup_epochs=0)(fused, visible, infrared, *maps, epoch=0)
    expected = sum(getattr(weights, name) * value for name, value in terms.items() if name != "total")
    assert set(terms) == {"total", "pixel", "gradient", "ssim", "colour", "dominance"}
    assert terms["total"].item() == pytest.approx(float(expected), rel=1e-6)


def test_warm_up_has_no_gradient_term_and_ends_by_epoch() -> None:
    loss = FusionLoss(warmup_epochs=2)
    images = colour_pair()
    assert "gradient" not in loss(*images, (), (), epoch=1)
    assert "gradient" in loss(*images, (), (), epoch=2)
    assert "dominance" not in loss(*images, (), (), epoch=2)


def test_a_weight_of_zero_leaves_the_term_out_and_a_negative_one_is_refused() -> None:
    terms = FusionLoss(LossWeights(colour=0), warmup_epochs=0)(*colour_pair(), (), (), epoch=0)
    assert "colour" not in terms
    with pytest.raises(ValueError, match="colour must be 0 or more, got -1"):
        LossWeights(colour=-1)


def test_colour_is_about_chroma_alone() -> None:
    _, visible, infrared = colour_pair()
    loss = FusionLoss(LossWeights(pixel=0, gradient=0, ssim=0, dominance=0), warmup_epochs=0)
    assert loss(visible + 0.1, visible, infrared, (), (), epoch=0)["colour"].item() == pytest.approx(0, abs=1e-6)
    assert loss(visible.flip(1), visible, infrared, (), (), epoch=0)["colour"] > 0.01


def test_terms_are_float32_under_autocast() -> None:
    fused, visible, infrared = colour_pair()
    with torch.autocast("cpu", torch.bfloat16):
        terms = FusionLoss(warmup_epochs=0)(fused.bfloat16(), visible, infrared, (), (), epoch=0)
    assert {term.dtype for term in terms.values()} == {torch.float32}
    exact = FusionLoss(warmup_epochs=0)(fused.bfloat16().float(), visible, infrared, (), (), epoch=0)
    torch.testing.assert_close(terms, exact)


def test_contrast_beyond_black_and_white_is_not_sought_but_found_back_from() -> None:
    """An image optimised for edges alone: what is outside the range goes no further, and some of it comes back."""
    torch.manual_seed(0)
    visible, infrared = torch.rand(1, 3, 48, 48), torch.rand(1, 1, 48, 48)
    grey = torch.rand(1, 1, 48, 48) * 2 - 0.5
    fused = grey.repeat(1, 3, 1, 1).requires_grad_()
    none = dict.fromkeys(("pixel", "gradient", "ssim", "colour", "dominance"), 0.0)
    loss = FusionLoss(weights=LossWeights(**none, qabf=1.0, viff=1.0), warmup_epochs=0)
    loss(fused, visible, infrared, (), (), epoch=0)["total"].backward()
    step = -fused.grad.mean(dim=1, keepdim=True)
    above, below = grey > 1, grey < 0
    assert step[above].max() <= 0
    assert step[below].min() >= 0
    assert (step[above] < 0).float().mean() > 0.2
    assert (step[below] > 0).float().mean() > 0.2
    assert (step[~above & ~below] != 0).float().mean() > 0.9
