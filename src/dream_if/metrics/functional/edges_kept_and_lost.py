"""Edges of the sources that are kept, lost and made up (Petrovic and Xydeas 2005): QabfP, Labf and Nabf."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import sobel
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["labf", "nabf", "petrovic_qabf"]

_THRESHOLD = 2.0  # of the gradient strength, below which an edge hardly counts


class _Transfer(NamedTuple):
    """Per pixel (B, H, W): preservation and weight for each source, and whether F has the strongest gradient."""

    kept: Tensor
    other_kept: Tensor
    weight: Tensor
    other_weight: Tensor
    artefact: Tensor


@share
def _gradient(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Strength and orientation of the Sobel gradient / 8 with reflected borders."""
    horizontal, vertical = sobel(plane, "reflect")
    # The orientation is that of the published code: horizontal over (minus) vertical, 0 in flat places.
    orientation = torch.where((horizontal == 0) & (vertical == 0), 0, torch.atan(horizontal / -vertical))
    return torch.sqrt(horizontal.square() + vertical.square()) / 8, orientation


def _preserved(source: Tensor, fused: Tensor) -> Tensor:
    strength, orientation = _gradient(source)
    fused_strength, fused_orientation = _gradient(fused)
    low, high = torch.minimum(strength, fused_strength), torch.maximum(strength, fused_strength)
    relative = torch.where(low == 0, 0, low / high)
    aligned = ((orientation - fused_orientation).abs_() - math.pi / 2).abs_() * (2 / math.pi)
    of_strength = relative.sub_(0.5).mul_(19).sigmoid_().mul_(0.9999)
    of_orientation = aligned.sub_(0.5).mul_(22).sigmoid_().mul_(0.9995)
    return of_strength.mul_(of_orientation).sqrt_()


@share
def _transfer(fused: Tensor, first: Tensor, second: Tensor, faint: float) -> _Transfer:
    strengths = [_gradient(plane)[0] for plane in (first, second, fused)]
    weights = [torch.where(strength >= _THRESHOLD, strength**1.5, faint) for strength in strengths[:2]]
    artefact = (strengths[2] > strengths[0]) & (strengths[2] > strengths[1])
    return _Transfer(_preserved(first, fused), _preserved(second, fused), weights[0], weights[1], artefact)


def _weighted(transfer: _Transfer, first: Tensor, second: Tensor) -> Tensor:
    """Sum of per-pixel values, each times its source's weight, over the sum of weights."""
    total = (first * transfer.weight + second * transfer.other_weight).sum(dim=(1, 2))
    return total / (transfer.weight + transfer.other_weight).sum(dim=(1, 2))


@metric_of_triple(at_least=2)
def petrovic_qabf(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """QABF of 2004: the share of the sources' gradients preserved in F, with QABF + LABF + NABF = 1.

    Petrovic and Xydeas, "Objective image fusion performance characterisation", ICCV 2005. Q = sqrt(Qg Qo) from
    Sobel / 8 gradients, weights g^1.5 where g >= 2 and 0.001 elsewhere.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 2.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 0.9997].
    """
    transfer = _transfer(fused, infrared, visible, 0.001)
    return _weighted(transfer, transfer.kept, transfer.other_kept)


@metric_of_triple(at_least=2)
def labf(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """LABF, the share of the sources' gradients lost in F, where F is not stronger than both (see `petrovic_qabf`).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 2.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 1].
    """
    transfer = _transfer(fused, infrared, visible, 0.001)
    lost = ~transfer.artefact
    return _weighted(transfer, (1 - transfer.kept) * lost, (1 - transfer.other_kept) * lost)


@metric_of_triple(at_least=2)
def nabf(
    fused: Tensor,
    visible: Tensor,
    infrared: Tensor,
    *,
    form: Literal["kumar", "petrovic"] = "kumar",
    faint_weight: float = 0.001,
    roles: Literal["correct", "shifted"] = "correct",
) -> Tensor:
    """NABF, the share of gradients in F that neither source has: where F is stronger than both.

    Kumar, "Image fusion based on pixel significance using cross bilateral filter", Signal, Image and Video Processing
    9(5), 2015, after Petrovic and Xydeas, ICCV 2005 (see `petrovic_qabf`).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 2.
        visible: like `fused`.
        infrared: like `fused`.
        form: "kumar" sums (1 - QA) wA + (1 - QB) wB, "petrovic" (2 - QA - QB)(wA + wB).
        faint_weight: the weight of gradients below 2 levels. With 0, images without any gradient have no value.
        roles: "shifted" gives the function the infrared source as F and (visible, fused) as sources, which is what a
            published MATLAB script prints.

    Returns:
        (B,) values in [0, 1] ("petrovic": [0, 2]).
    """
    if roles == "shifted":
        fused, infrared, visible = infrared, visible, fused
    transfer = _transfer(fused, infrared, visible, faint_weight)
    missing, other_missing = (1 - transfer.kept) * transfer.artefact, (1 - transfer.other_kept) * transfer.artefact
    if form == "petrovic":
        missing = other_missing = missing + other_missing
    return _weighted(transfer, missing, other_missing)
