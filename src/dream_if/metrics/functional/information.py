"""Metrics from histograms: how much the fused image says about its sources."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._histograms import (
    cannot_be_stretched,
    entropy_in_nats,
    joint_histogram,
    level_histogram,
    stretch_levels,
)
from dream_if.metrics.functional._planes import metric_of_triple

__all__ = [
    "cross_entropy",
    "mutual_information",
    "nonlinear_correlation_information_entropy",
    "normalized_mutual_information",
]


def _entropies(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """H(first), H(second) and H(first, second) in nats, each (B,)."""
    joint = joint_histogram(first, second)
    return entropy_in_nats(joint.sum(2)), entropy_in_nats(joint.sum(1)), entropy_in_nats(joint)


def _saturated_joint_entropy(first: Tensor, second: Tensor) -> Tensor:
    """H(first, second) in nats with levels 254 and 255 counted as one."""
    joint = joint_histogram(first, second)
    for axis in (1, 2):
        merged = joint.narrow(axis, 254, 2).sum(axis, keepdim=True)
        joint = torch.cat([joint.narrow(axis, 0, 254), merged], axis)
    return entropy_in_nats(joint)


@metric_of_triple()
def mutual_information(
    fused: Tensor,
    visible: Tensor,
    infrared: Tensor,
    *,
    unit: Literal["bits", "nats"] = "bits",
    joint: Literal["exact", "saturated"] = "exact",
    stretch: bool = False,
) -> Tensor:
    """MI = sum over the sources S of H(S) + H(F) - H(S, F), from 256-level histograms.

    Qu, Zhang and Yan, "Information measure for performance of image fusion", Electronics Letters 38(7), 2002.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.
        unit: bits, or nats (ln 2 times smaller).
        joint: "saturated" counts levels 254 and 255 as one in the joint histogram only, as MATLAB code that adds 1 to
            a uint8 does.
        stretch: stretch each image's range to 0..255 first.

    Returns:
        (B,) values >= 0.
    """
    if stretch:
        fused, visible, infrared = stretch_levels(fused), stretch_levels(visible), stretch_levels(infrared)
    total = torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        of_source, of_fused, together = _entropies(source, fused)
        if joint == "saturated":
            together = _saturated_joint_entropy(source, fused)
        total = total + of_source + of_fused - together
    return total / math.log(2) if unit == "bits" else total


def _undefined(values: Tensor, *planes: Tensor) -> Tensor:
    """NaN for images that the codes of Liu et al. cannot stretch."""
    for plane in planes:
        values = torch.where(cannot_be_stretched(plane), torch.nan, values)
    return values


@metric_of_triple()
def normalized_mutual_information(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """NMI = 2 sum over the sources S of MI(S, F) / (H(S) + H(F)), after stretching each image to 0..255.

    Hossny, Nahavandi and Creighton, "Comments on 'Information measure for performance of image fusion'", Electronics
    Letters 44(18), 2008.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 2]; NaN where an image has one level only, other than 0, or all are black.
    """
    stretched = stretch_levels(fused)
    total = torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        of_source, of_fused, together = _entropies(stretch_levels(source), stretched)
        total = total + 2 * (of_source + of_fused - together) / (of_source + of_fused)
    return _undefined(total, fused, visible, infrared)


@metric_of_triple()
def cross_entropy(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """CE = mean over the sources S of sum p_S log2(p_S / p_F), over the levels that occur in both images.

    Bulanon, Burks and Alchanatis, "Image fusion of visible and thermal images for fruit detection", Biosystems
    Engineering 103(1), 2009.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in bits, 0 for equal histograms; they can be negative because levels are left out.
    """
    p_fused = level_histogram(fused)
    total = torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        p_source = level_histogram(source)
        both = (p_source > 0) & (p_fused > 0)
        total = total + torch.where(both, p_source * torch.log2(p_source / p_fused), 0).sum(1)
    return total / 2


@metric_of_triple()
def nonlinear_correlation_information_entropy(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Qncie = 1 + sum over eigenvalues r of r/3 log256(r/3), of the 3 x 3 matrix of mutual information in base 256.

    The matrix has ones on its diagonal; images are stretched to 0..255 first (Wang, Shen and Jin, "Performance
    evaluation of image fusion techniques", in Image Fusion: Algorithms and Applications, Academic Press, 2008).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0.80188, 1]; NaN where an image has one level only, other than 0.
    """
    stretched = [stretch_levels(image) for image in (infrared, visible, fused)]
    matrix = torch.eye(3, dtype=fused.dtype, device=fused.device).repeat(len(fused), 1, 1)
    for row, column in ((0, 1), (0, 2), (1, 2)):
        first, second, together = _entropies(stretched[row], stretched[column])
        matrix[:, row, column] = matrix[:, column, row] = (first + second - together) / math.log(256)
    shares = torch.linalg.eigvalsh(matrix).clamp_(min=0) / 3
    return _undefined(1 - entropy_in_nats(shares) / math.log(256), fused, visible, infrared)
