"""Metrics of gradient transfer: how much of the sources' edges arrives in the fused image."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import sobel
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["qabf", "qg"]


@share
def _strength_and_orientation(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Edge strength sqrt(sx^2 + sy^2) and orientation arctan(sy / sx) in (-pi/2, pi/2] of the zero-padded plane."""
    horizontal, vertical = sobel(plane, "zero")
    # Where the horizontal response is 0 the slope is +-inf or NaN, and the orientation pi / 2 by definition.
    slope = (vertical / horizontal).nan_to_num_(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)
    return horizontal.square().addcmul_(vertical, vertical).sqrt_(), slope.atan_()


def _preserved(source: Tensor, fused: Tensor, equality: str) -> Tensor:
    """Edge preservation Q_SF per pixel (B, H, W): a sigmoid of relative strength times one of relative orientation."""
    strength, orientation = _strength_and_orientation(source)
    fused_strength, fused_orientation = _strength_and_orientation(fused)
    # 0 / 0 becomes 0 here and counts nothing, because its weight is 0.
    larger = torch.maximum(strength, fused_strength).clamp_(min=torch.finfo(strength.dtype).tiny)
    kept = torch.minimum(strength, fused_strength).div_(larger)
    if equality == "strength":  # 1 becomes the strength, where both are equal
        equal = (strength == fused_strength).to(strength.dtype)
        kept.mul_(equal.mul_(fused_strength - 1).add_(1))
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


_TINY = 1e-5  # stands for zero in the code of Liu et al.


@share
def _relative_angle_edges(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Strength and orientation as for Qabf, but with a tiny number in place of a vertical response of zero."""
    horizontal, vertical = sobel(plane, "zero")
    orientation = torch.atan(vertical / torch.where(horizontal == 0, _TINY, horizontal))
    return torch.sqrt(horizontal.square() + vertical.square()), orientation


@metric_of_triple()
def qg(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Qg, gradient transfer pooled as the mean over pixels of (Q_AF gA + Q_BF gB) / (gA + gB).

    The idea of Qabf with other constants, 1 / (1 + exp(-10 (G - 0.5))) and 1 / (1 + exp(-20 (D - 0.75))), opposite
    edges taken for equal, and flat regions counted fully (Liu et al., "Objective assessment of multiresolution image
    fusion algorithms for context enhancement in night vision: a comparative study", IEEE Trans. PAMI 34(1), 2012).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 0.98666].
    """
    fused_strength, fused_orientation = _relative_angle_edges(fused)
    kept, weight = torch.zeros_like(fused), torch.zeros_like(fused)
    for source in (infrared, visible):
        strength, orientation = _relative_angle_edges(source)
        source_stronger = strength > fused_strength
        strength = torch.where(strength == 0, _TINY, strength)
        weaker_fused = fused_strength / strength
        # Replaced between the two divisions, and kept for the second source: the published values carry this order.
        fused_strength = torch.where(fused_strength == 0, _TINY, fused_strength)
        ratio = torch.where(source_stronger, weaker_fused, strength / fused_strength)
        aligned = ((orientation - fused_orientation).abs_() - math.pi / 2).abs_().mul_(2 / math.pi)
        preserved = ratio.sub_(0.5).mul_(10).sigmoid_().mul_(aligned.sub_(0.75).mul_(20).sigmoid_())
        kept += preserved * strength
        weight += strength
    return (kept / weight).mean(dim=(1, 2))
