"""Visual information fidelity: the sum of pixel-domain VIF, and VIFF of Han et al."""

import math
from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._filters import centred_plane, filter_valid, gaussian_window, pad
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["vif", "viff"]

Window = Literal["valid", "off_centre"]

_SIZES = (17, 9, 5, 3)  # of the Gaussian at each scale; its sigma is a fifth of that
_SMALLEST = 41  # below, the fourth scale has no position where its window fits
_EPSILON = 1e-10
_SCALE_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
_HAN_NOISE = 0.005 * 255 * 255
_LN10 = math.log(10)


def _off_centre_window(size: int) -> tuple[float, ...]:
    """`size` samples of a Gaussian on an even grid from -(size + 1) / 2 to (size - 1) / 2, as IVIF_ZOO has it."""
    offsets = torch.linspace(-(size + 1) / 2, (size - 1) / 2, size, dtype=torch.float64)
    taps = torch.exp(-(offsets**2) / (2 * (size / 5) ** 2))
    return tuple((taps / taps.sum()).tolist())


def _average(plane: Tensor, size: int, window: Window, stride: int = 1) -> Tensor:
    if window == "valid":
        return filter_valid(plane, gaussian_window(size, size / 5), stride)
    return filter_valid(pad(plane, size // 2, "zero"), _off_centre_window(size), stride)


@share
def _pyramid(plane: Tensor, window: Window) -> list[Tensor]:
    """Four scales of (B, H, W), centred unless zeros are going to be added around them."""
    scales = [centred_plane(plane)[0] if window == "valid" else plane]
    for size in _SIZES[1:]:
        scales.append(_average(scales[-1], size, window, stride=2))
    return scales


@share
def _moments(plane: Tensor, window: Window) -> list[tuple[Tensor, Tensor]]:
    """Local mean and variance (not below 0) at each scale."""
    moments = []
    for level, size in zip(_pyramid(plane, window), _SIZES, strict=True):
        mean = _average(level, size, window)
        variance = _average(level.square(), size, window).sub_(mean.square()).clamp_(min=0)
        moments.append((mean, variance))
    return moments


@share
def _channel(source: Tensor, fused: Tensor, window: Window) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The distortion channel F = g S + noise at each scale: gain g, noise variance sv, source variance v1.

    g = max(cov / v1, 0) and 0 where a variance is below 1e-10, sv = max(v2 - g cov, 1e-10), v1 = 0 below 1e-10.
    """
    channel = []
    of_source = zip(_pyramid(source, window), _moments(source, window), strict=True)
    of_fused = zip(_pyramid(fused, window), _moments(fused, window), strict=True)
    for (level_s, (mean_s, v1)), (level_f, (mean_f, v2)), size in zip(of_source, of_fused, _SIZES, strict=True):
        covariance = _average(level_s * level_f, size, window).sub_(mean_s * mean_f)
        informative = ((v1 >= _EPSILON) & (v2 >= _EPSILON)).to(v1.dtype)
        gain = (covariance / (v1 + _EPSILON)).clamp_(min=0).mul_(informative)
        noise = torch.addcmul(v2, gain, covariance, value=-1).clamp_(min=_EPSILON)
        channel.append((gain, noise, nnf.threshold(v1, _EPSILON, 0)))
    return channel


def _information(gain: Tensor, noise: Tensor, variance: Tensor, neural_noise: float) -> tuple[Tensor, Tensor]:
    """Information kept, log10(1 + g^2 v1 / (sv + N0)), and available, log10(1 + v1 / N0), at every position."""
    kept = gain.square().mul_(variance).div_(noise + neural_noise).log1p_()
    available = (variance / neural_noise).log1p_()
    return kept.div_(_LN10), available.div_(_LN10)


@metric_of_triple(at_least=_SMALLEST)
def vif(
    fused: Tensor,
    visible: Tensor,
    infrared: Tensor,
    *,
    empty: Literal["nan", "one"] = "nan",
    window: Window = "valid",
) -> Tensor:
    """VIF = VIFp(infrared, F) + VIFp(visible, F), VIFp = information kept / information available over four scales.

    Pixel-domain VIF with noise variance 2 and the source as reference (Sheikh and Bovik, "Image information and visual
    quality", IEEE Trans. Image Processing 15(2), 2006). Several fusion codes print this sum as "VIFF".

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 41.
        visible: like `fused`.
        infrared: like `fused`.
        empty: what a source without information (a constant one) counts: NaN makes the image undefined, "one" is what
            the CDDFuse code does.
        window: "valid" has the Gaussian centred and only where it fits; "off_centre" is IVIF_ZOO's, off by half a pixel
            with zeros around the image, which gives 6 % more at 640 x 480.

    Returns:
        (B,) values >= 0, usually 0.3..1.3; 2 where F equals both sources.
    """
    total = torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        kept, available = torch.zeros_like(total), torch.zeros_like(total)
        for gain, noise, variance in _channel(source, fused, window):
            kept_here, available_here = _information(gain, noise, variance, neural_noise=2.0)
            kept = kept + kept_here.sum(dim=(1, 2))
            available = available + available_here.sum(dim=(1, 2))
        pair = kept / available
        total = total + (torch.where(available == 0, 1.0, pair) if empty == "one" else pair)
    return total


@metric_of_triple(at_least=_SMALLEST)
def viff(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, first: Literal["infrared", "visible"] = "infrared"
) -> Tensor:
    """VIFF: at each position the source whose gain is smaller counts; a weighted mean of the four scales' ratios.

    VIFF = (V1 + 0.15 V3 + V4) / 2.15, V = (sum kept + 1e-7 n) / (sum available + 1e-7 n), noise variance 0.005 255^2
    (Han, Cai, Cao and Xu, "A new image fusion performance metric based on visual information fidelity", Information
    Fusion 14(2), 2013).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 41.
        visible: like `fused`.
        infrared: like `fused`.
        first: the first source; positions with equal gains go to the other one.

    Returns:
        (B,) values >= 0, usually 0.2..1.0. 1 for a perfect result, but also where the sources hold no information.
    """
    one, other = (infrared, visible) if first == "infrared" else (visible, infrared)
    total = torch.zeros_like(fused[:, 0, 0])
    scales = zip(_channel(one, fused, "valid"), _channel(other, fused, "valid"), _SCALE_WEIGHTS, strict=True)
    for (gain, noise, variance), (other_gain, other_noise, other_variance), weight in scales:
        if weight == 0:
            continue
        smaller = (gain < other_gain).to(gain.dtype)  # lerp takes exactly one of two numbers, faster than where
        kept, available = _information(
            torch.minimum(gain, other_gain),
            torch.lerp(other_noise, noise, smaller),
            torch.lerp(other_variance, variance, smaller),
            _HAN_NOISE,
        )
        floor = 1e-7 * gain[0].numel()
        total = total + weight * (kept.sum(dim=(1, 2)) + floor) / (available.sum(dim=(1, 2)) + floor)
    return total
