"""Flat areas and clipping: where the terms act, where they do not, and what descent does to an image."""

import pytest
import torch
from kornia.color import rgb_to_y

from dream_if.losses import FusionLoss, LossWeights, clipping_loss, flat_loss

TEXTURE = torch.rand(1, 1, 40, 60, generator=torch.Generator().manual_seed(0))
SKY = torch.full((1, 1, 40, 60), 0.9)
COLD = torch.full((1, 1, 40, 60), 0.1)


def test_flat_acts_where_both_are_flat() -> None:
    assert flat_loss(SKY, SKY, COLD) == 0
    assert flat_loss(SKY - 0.3, SKY, COLD).item() == pytest.approx(0.3)
    assert flat_loss(torch.zeros_like(SKY), SKY, TEXTURE) == flat_loss(COLD, TEXTURE, COLD) == 0
    half = torch.cat([SKY[..., :30], TEXTURE[..., :30]], dim=-1)
    assert flat_loss(half - 0.2, half, COLD).item() == pytest.approx(0.2 * 26 / 60, rel=1e-4)  # windows reach 4 pixels


def test_clipping_acts_beyond_the_sources() -> None:
    assert clipping_loss(TEXTURE.clamp(0.02, 0.98), SKY, COLD) == 0
    assert clipping_loss(torch.full_like(SKY, 1.1), SKY, COLD).item() == pytest.approx(0.1 + 5 / 255)
    assert clipping_loss(torch.full_like(SKY, -0.1), SKY, COLD).item() == pytest.approx(0.1 + 5 / 255)
    white, black = torch.ones_like(SKY), torch.zeros_like(SKY)
    assert clipping_loss(white, white, COLD) == clipping_loss(black, SKY, black) == 0  # a source is so, too


@pytest.mark.parametrize(("term", "after"), [("flat", 0.9), ("clipping", 250 / 255)])
def test_descent_ends_where_it_should(term: str, after: float) -> None:
    nothing = dict.fromkeys(vars(LossWeights()), 0.0)
    loss = FusionLoss(LossWeights(**(nothing | {term: 1.0})), warmup_epochs=0)
    fused = torch.full((1, 3, 40, 60), 1.05, requires_grad=True)
    optimizer = torch.optim.SGD([fused], lr=20)
    for _ in range(200):
        optimizer.zero_grad()
        loss(fused, SKY.expand(-1, 3, -1, -1), COLD, (), (), epoch=0)["total"].backward()
        optimizer.step()
    assert rgb_to_y(fused.detach()).mean().item() == pytest.approx(after, abs=0.01)
