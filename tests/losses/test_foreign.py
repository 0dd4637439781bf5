"""Objectives of any class."""

import pytest
import torch
from torch import Tensor, nn

from dream_if.errors import InputError
from dream_if.losses import ForeignLoss

IMAGES = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)


class Plain(nn.Module):
    def forward(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
        return (fused - visible).abs().mean()


class Named(nn.Module):
    def forward(self, fused: Tensor, visible: Tensor, infrared: Tensor, epoch: int, sources: object) -> dict:
        self.seen = epoch, sources
        return {"total": 2 * fused.mean(), "mean": fused.mean()}


class Wrong(nn.Module):
    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result

    def forward(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> object:
        return self.result


def test_a_scalar_is_the_total() -> None:
    terms = ForeignLoss(Plain())(*IMAGES, (), (), epoch=3)
    assert terms == {"total": (IMAGES[0] - IMAGES[1]).abs().mean()}


def test_it_computes_in_float32() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert ForeignLoss(Plain())(IMAGES[0].bfloat16(), *IMAGES[1:], (), (), epoch=0)["total"].dtype == torch.float32


def test_it_gets_what_it_asks_for_and_gives_terms_by_name() -> None:
    loss = Named()
    terms = ForeignLoss(loss)(*IMAGES, (), (), epoch=3, sources=IMAGES[1:])
    assert loss.seen == (3, IMAGES[1:])
    assert terms["total"] == 2 * terms["mean"]


@pytest.mark.parametrize("result", [None, 1.0, torch.ones(2), {"mean": torch.ones(())}, {"total": torch.ones(1)}])
def test_anything_else_is_refused(result: object) -> None:
    with pytest.raises(InputError, match=r"model.loss: Wrong returns a scalar"):
        ForeignLoss(Wrong(result))(*IMAGES, (), (), epoch=0)
