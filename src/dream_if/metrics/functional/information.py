"""Metrics from histograms: how much the fused image says about its sources."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._histograms import entropy_in_nats, joint_histogram, stretch_levels
from dream_if.metrics.functional._planes import metric_of_triple

__all__ = ["mutual_information"]


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
