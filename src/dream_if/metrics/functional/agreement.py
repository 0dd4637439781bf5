"""Metrics that compare the fused image with its sources pixel by pixel: errors and correlations."""

import math
from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = [
    "chroma_error",
    "correlation_coefficient",
    "mean_squared_error",
    "peak_signal_noise_ratio",
    "root_mean_squared_error",
    "sum_of_correlations_of_differences",
]


@share
def _squared_error(source: Tensor, fused: Tensor) -> Tensor:
    """Mean squared difference of one pair, (B,)."""
    return (source - fused).square_().mean(dim=(1, 2))


@metric_of_triple()
def mean_squared_error(fused: Tensor, visible: Tensor, infrared: Tensor, *, scale: float = 255.0) -> Tensor:
    """MSE = (mean((infrared - F)^2) + mean((visible - F)^2)) / 2.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.
        scale: the value of level 255, so 1 for images in [0, 1].

    Returns:
        (B,) values in [0, scale^2], in squared units of `scale`.
    """
    error = (_squared_error(infrared, fused) + _squared_error(visible, fused)) / 2
    return error * (scale / 255) ** 2


@metric_of_triple()
def root_mean_squared_error(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Literal["standard", "vifb"] = "standard"
) -> Tensor:
    """RMSE = sqrt(MSE), MSE being the mean over the two sources.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.
        form: "vifb" takes the root of the sum and divides it by the number of pixels, for each source; the mean of the
            two is what VIFB (Zhang, Ye and Xiao, CVPR Workshops 2020) prints as RMSE.

    Returns:
        (B,) values >= 0, in levels ("vifb": no meaningful unit).
    """
    if form == "standard":
        return mean_squared_error(fused, visible, infrared).sqrt()
    roots = _squared_error(infrared, fused).sqrt() + _squared_error(visible, fused).sqrt()
    return roots / (2 * math.sqrt(math.prod(fused.shape[1:])))


@metric_of_triple()
def peak_signal_noise_ratio(
    fused: Tensor,
    visible: Tensor,
    infrared: Tensor,
    *,
    form: Literal["standard", "peak_of_fused", "mixed_scales", "vifb"] = "standard",
) -> Tensor:
    """PSNR = 10 log10(255^2 / MSE), MSE being the mean over the two sources.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.
        form: "peak_of_fused" has the largest level of F in place of 255; "mixed_scales" divides 255^2 by an error on
            the scale 0..1, which adds 48.13 dB; "vifb" is 20 log10(255 / sqrt(RMSE)) with the RMSE of that code.

    Returns:
        (B,) values in dB; infinite where F equals both sources.
    """
    if form == "vifb":
        return -10 * torch.log10(root_mean_squared_error(fused, visible, infrared, form="vifb") / 255**2)
    error = mean_squared_error(fused, visible, infrared, scale=1.0 if form == "mixed_scales" else 255.0)
    peak = fused.amax(dim=(1, 2)) if form == "peak_of_fused" else 255.0
    return 10 * torch.log10(peak**2 / error)


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


def chroma_error(fused: Tensor, visible: Tensor) -> Tensor:
    """Mean distance of the fused image's colours from the visible source's, in the plane of Cb and Cr.

    Cb = (B - Y) / 1.772 and Cr = (R - Y) / 1.402 with Y of ITU-R BT.601, full range. Luminance, which fusing is to
    change, has no part in it: 0 where all colours are kept, or where both images are grey.

    Args:
        fused: (B, 3, H, W) or, for grey, (B, 1, H, W); levels 0..255.
        visible: likewise.

    Returns:
        (B,) values in [0, 361], in levels.
    """
    colours = []
    for image in (fused, visible):
        red, green, blue = image.expand(-1, 3, -1, -1).unbind(1)
        luminance = 0.299 * red + 0.587 * green + 0.114 * blue
        colours.append(torch.stack([(blue - luminance) / 1.772, (red - luminance) / 1.402]))
    return (colours[0] - colours[1]).norm(dim=0).mean(dim=(1, 2))
