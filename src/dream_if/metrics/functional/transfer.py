"""Metrics of gradient transfer: how much of the sources' edges arrives in the fused image."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import sobel
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["qabf"]


@share
def _strength_and_orientation(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Edge strength sqrt(sx^2 + sy^2) and orientation arctan(sy / sx) in (-pi/2, pi/2] of the zero-padded plane."""
    horizontal, vertical = sobel(plane, "zero")
    orientation = torch.where(horizontal == 0, math.pi / 2, torch.atan(vertical / horizontal))
    return torch.sqrt(horizontal.square() + vertical.square()), orientation


def _preserved(source: Tensor, fused: Tensor, equality: str) -> Tensor:
    """Edge preservation Q_SF per pixel (B, H, W): a sigmoid of relative strength times one of relative orientation."""
    strength, orientation = _strength_and_orientation(source)
    fused_strength, fused_orientation = _strength_and_orientation(fused)
    ratio = torch.minimum(strength, fused_strength).div_(torch.maximum(strength, fused_strength))
    kept = torch.where(strength == fused_strength, fused_strength if equality == "strength" else 1.0, ratio)
    aligned = (orientation - fused_orientation).abs_().mul_(-2 / math.pi).add_(1)
    of_strength = kept.sub_(0.5).mul_(15).sigmoid_().mul_(0.9994)
    return aligned.sub_(0.8).mul_(22).sigmoid_().mul_(0.9879).mul_(of_strength)


@metric_of_triple()
def qabf(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, equality: Literal["strength", "one"] = "strength"
) -> Tensor:
    """Qabf = sum(Q_AF gA + Q_BF gB) / sum(gA + gB), edge preservation weighted by the sources' edge strength.

    Q_SF = 0.9994 / (1 + exp(-15 (G - 0.5))) * 0.9879 / (1 + exp(-22 (D - 0.8))), with the relative strength G and the
    relative orientation D of Sobel edges on the zero-padded image (Xydeas and Petrovic, "Objective image fusion
    performance measure", Electronics Letters 36(4), 2000).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255. The value depends on this scale through `equality`.
        visible: like `fused`.
        infrared: like `fused`.
        equality: the relative strength where both strengths are equal. "strength" is what all published codes do: the
            strength itself, which the sigmoid takes for 1 at integer levels; "one" is what is meant.

    Returns:
        (B,) values in [0, 0.9753]; NaN where neither source has an edge, not even at its frame.
    """
    kept, weight = torch.zeros_like(fused[:, 0, 0]), torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        strength, _ = _strength_and_orientation(source)
        kept = kept + (_preserved(source, fused, equality).mul_(strength)).sum(dim=(1, 2))
        weight = weight + strength.sum(dim=(1, 2))
    return kept / weight
