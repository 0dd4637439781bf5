"""What maps could be told to say, on images of which it is plain, and against formulas written another way."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from dream_if.losses import (
    FusionLoss,
    LossWeights,
    activity_target,
    local_error,
    map_loss,
    reliability_target,
    trusted_activity_target,
)


def test_activity_is_the_share_of_smoothed_gradient_energy() -> None:
    torch.manual_seed(0)
    visible, infrared = torch.rand(1, 1, 40, 48), torch.rand(1, 1, 40, 48) / 2
    energies = []
    for image in (visible, infrared):
        pixels = image[0, 0].double().numpy()
        square = sum(ndimage.sobel(pixels, axis=axis, mode="nearest") ** 2 for axis in (0, 1))
        energies.append(ndimage.gaussian_filter(square, 2.0, mode="nearest", radius=6) + 1e-3)
    expected = energies[0] / (energies[0] + energies[1])
    np.testing.assert_allclose(activity_target(visible, infrared)[0, 0].numpy(), expected, atol=1e-4)


def test_flat_images_leave_the_choice_open() -> None:
    flat = torch.full((1, 1, 32, 32), 0.3)
    torch.testing.assert_close(activity_target(flat, flat + 0.4), torch.full_like(flat, 0.5))


def test_the_source_with_the_error_is_believed_less_where_it_has_it() -> None:
    torch.manual_seed(0)
    clean = torch.rand(1, 1, 48, 48)
    noisy = clean.clone()
    noisy[..., :16, :16] += 0.3 * torch.randn(16, 16)
    error, none = local_error(noisy, clean), local_error(clean, clean)
    for_visible = reliability_target(error, none)
    assert for_visible[..., 2:12, 2:12].max() < 0.1
    torch.testing.assert_close(for_visible[..., 30:, 30:], torch.full((1, 1, 18, 18), 0.5))
    torch.testing.assert_close(reliability_target(none, error), 1 - for_visible)


def test_trusted_activity_wants_both() -> None:
    torch.manual_seed(0)
    textured, flat = torch.rand(1, 1, 32, 32), torch.full((1, 1, 32, 32), 0.5)
    even = torch.full_like(flat, 0.5)
    torch.testing.assert_close(trusted_activity_target(textured, flat, even), activity_target(textured, flat))
    distrusted = trusted_activity_target(textured, flat, torch.full_like(flat, 1e-4))
    assert distrusted.mean() < activity_target(textured, flat).mean() - 0.3


def test_map_loss_is_least_for_the_target_itself() -> None:
    torch.manual_seed(0)
    target = torch.rand(2, 1, 16, 16).clamp(0.05, 0.95)
    half = torch.nn.functional.avg_pool2d(target, 2)
    best = map_loss((target, half), (1 - target, 1 - half), target)
    entropy = torch.stack([-(t * t.log() + (1 - t) * (1 - t).log()).mean() for t in (target, half)]).mean()
    torch.testing.assert_close(best, entropy)
    assert map_loss((target.flip(-1), half), (1 - target, 1 - half), target) > best + 0.01


@pytest.mark.parametrize("term", ["activity", "reliability", "trusted_activity"])
def test_the_objective_leads_maps_to_their_target(term: str) -> None:
    torch.manual_seed(0)
    visible, infrared = torch.rand(1, 3, 32, 32), torch.full((1, 1, 32, 32), 0.5)
    noisy = (visible + 0.3 * torch.randn_like(visible)).clamp(0, 1)
    level = torch.full((1, 1, 32, 32), 0.5, requires_grad=True)
    loss = FusionLoss(LossWeights(0, 0, 0, 0, 0, **{term: 1.0}), warmup_epochs=0)
    terms = loss(visible, visible, infrared, (level,), (1 - level,), epoch=0, sources=(noisy, infrared))
    assert set(terms) == {"total", term}
    terms["total"].backward()
    assert level.grad is not None
    away_from_visible = level.grad.mean() > 0  # descent lowers the map of the visible source
    assert away_from_visible == (term == "reliability")
    assert set(loss(visible, visible, infrared, (), (), epoch=0)) == {"total"}
