"""Metrics that compare the fused image with its sources pixel by pixel: correlations."""

import torch
from torch import Tensor

from dream_if.metrics.functional._planes import metric_of_triple

__all__ = ["correlation_coefficient", "sum_of_correlations_of_differences"]


def _pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's r per image, NaN where one of the two is constant: two (B, H, W) to (B,)."""
    first, second = first.flatten(1), second.flatten(1)
    first = first - first.mean(1, keepdim=True)
    second = second - second.mean(1, keepdim=True)
    return (first * second).sum(1) / torch.sqrt(first.square().sum(1) * second.square().sum(1))


@metric_of_triple()
def correlation_coefficient(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """CC = (r(infrared, F) + r(visible, F)) / 2 with Pearson's r.

    Args:
        fused: (B, 1, H, W) or (B, H, W), any linear scale.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [-1, 1]; NaN where one image is constant.
    """
    return (_pearson(infrared, fused) + _pearson(visible, fused)) / 2


@metric_of_triple()
def sum_of_correlations_of_differences(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """SCD = r(F - visible, infrared) + r(F - infrared, visible) with Pearson's r.

    Aslantas and Bendes, "A new image quality metric for image fusion: the sum of the correlations of differences",
    AEU International J. Electronics and Communications 69(12), 2015.

    Args:
        fused: (B, 1, H, W) or (B, H, W), any one scale for the three.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [-2, 2]; NaN where a source or a difference is constant, so also where F is one of the sources.
    """
    return _pearson(fused - visible, infrared) + _pearson(fused - infrared, visible)
