"""Metrics of the fused image alone: gradients, spread and entropy."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import central_difference, sobel
from dream_if.metrics.functional._histograms import entropy_in_nats, level_histogram
from dream_if.metrics.functional._planes import metric_of_fused

__all__ = ["average_gradient", "edge_intensity", "entropy", "spatial_frequency", "standard_deviation"]


@metric_of_fused(at_least=2)
def average_gradient(fused: Tensor, *, divisor: Literal["pixels", "interior"] = "pixels") -> Tensor:
    """AG, the mean of sqrt((gx^2 + gy^2) / 2).

    gx and gy are central differences inside and one-sided differences on the border lines (Cui et al., "Detail
    preserved fusion of visible and infrared images using regional saliency extraction and multi-scale image
    decomposition", Optics Communications 341, 2015).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 2.
        divisor: "pixels" divides the sum by H W, "interior" by (H - 1)(W - 1), as the MATLAB codes do.

    Returns:
        (B,) values >= 0, in grey levels per pixel.
    """
    horizontal, vertical = central_difference(fused, 2), central_difference(fused, 1)
    strength = horizontal.square_().addcmul_(vertical, vertical).div_(2).sqrt_().sum(dim=(1, 2))
    height, width = fused.shape[1:]
    return strength / (height * width if divisor == "pixels" else (height - 1) * (width - 1))


@metric_of_fused(at_least=2)
def spatial_frequency(fused: Tensor, *, divisor: Literal["differences", "pixels"] = "differences") -> Tensor:
    """SF = sqrt(RF^2 + CF^2), the root mean squares of the horizontal and vertical first differences.

    Eskicioglu and Fisher, "Image quality measures and their performance", IEEE Trans. Communications 43(12), 1995.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 2.
        divisor: "differences" divides each sum by the number of its differences, "pixels" both by H W.

    Returns:
        (B,) values >= 0, in grey levels.
    """
    rows = fused.diff(dim=2).square_()
    columns = fused.diff(dim=1).square_()
    if divisor == "differences":
        return torch.sqrt(rows.mean(dim=(1, 2)) + columns.mean(dim=(1, 2)))
    return torch.sqrt((rows.sum(dim=(1, 2)) + columns.sum(dim=(1, 2))) / math.prod(fused.shape[1:]))


@metric_of_fused()
def entropy(fused: Tensor) -> Tensor:
    """EN = -sum p log2 p over the 256 levels (Roberts et al., J. Applied Remote Sensing 2, 2008).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255 (rounded to integers here).

    Returns:
        (B,) values in [0, 8], in bits.
    """
    return entropy_in_nats(level_histogram(fused)) / math.log(2)


@metric_of_fused()
def standard_deviation(fused: Tensor) -> Tensor:
    """SD, the population standard deviation sqrt(mean((F - mean F)^2)).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.

    Returns:
        (B,) values in [0, 127.5], in grey levels.
    """
    return fused.flatten(1).std(1, correction=0)


@metric_of_fused()
def edge_intensity(fused: Tensor, *, border: Literal["replicate", "zero"] = "replicate") -> Tensor:
    """EI, the mean Sobel magnitude sqrt(gx^2 + gy^2) with unnormalised kernels (about ten times AG).

    As used by VIFB (Zhang, Ye and Xiao, CVPR Workshops 2020).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        border: how the image continues outside; "zero" turns the frame of the image into an edge.

    Returns:
        (B,) values >= 0.
    """
    horizontal, vertical = sobel(fused, border)
    return torch.hypot(horizontal, vertical).mean(dim=(1, 2))
