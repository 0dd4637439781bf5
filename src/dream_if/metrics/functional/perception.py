"""Metrics from models of human contrast sensitivity: Qcb of Chen and Blum, Qcv of Chen and Varshney."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._filters import filter_valid, pad, sobel
from dream_if.metrics.functional._histograms import cannot_be_stretched, stretch_levels
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["qcb", "qcv"]

_BLOCK = 16


def _frequency(plane: Tensor, steps_per_cycle: float) -> Tensor:
    """Radial frequency (H, W) of each entry of the spectrum, in cycles of the model."""
    axes = []
    for size in plane.shape[1:]:
        index = torch.arange(size, dtype=plane.dtype, device=plane.device) - size // 2
        axes.append(torch.fft.ifftshift(index) / steps_per_cycle)
    return torch.hypot(axes[0][:, None], axes[1][None, :])


def _filtered(plane: Tensor, transfer: Tensor) -> Tensor:
    """The real image whose spectrum is that of `plane` times a real, even transfer function."""
    filtered: Tensor = torch.fft.ifft2(torch.fft.fft2(plane) * transfer).real
    return filtered


def _blurred(plane: Tensor, sigma: float) -> Tensor:
    """31 x 31 Gaussian with zero padding, scaled as the continuous one, not to sum 1."""
    taps = tuple(math.exp(-(k**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma) for k in range(-15, 16))
    return filter_valid(pad(plane, 15, "zero"), taps)


@share
def _masked_contrast(plane: Tensor) -> Tensor:
    """Perceived contrast of the stretched image after the contrast sensitivity function."""
    radius = _frequency(plane, 15.0)
    sensitivity = torch.exp(-((radius / 15.3870) ** 2)) - 0.7622 * torch.exp(-((radius / 1.3456) ** 2))
    perceived = _filtered(stretch_levels(plane), sensitivity)
    contrast = (_blurred(perceived, 2.0) / _blurred(perceived, 4.0) - 1).abs_()
    return contrast**3 / (contrast**2 + 0.0001)


@metric_of_triple()
def qcb(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Qcb, mean of lam_A Q_A + lam_B Q_B: the share of perceived local contrast that F keeps, weighted by saliency.

    Contrast is |blur_2 / blur_4 - 1| after a contrast sensitivity function, masked as C^3 / (C^2 + 0.0001); Q_S is the
    ratio of the smaller to the larger contrast, lam_S the share of squared contrast (Chen and Blum, "A new automated
    quality assessment algorithm for image fusion", Image and Vision Computing 27(10), 2009).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 1]; NaN where an image has one level only.
    """
    of_fused, of_infrared, of_visible = (_masked_contrast(plane) for plane in (fused, infrared, visible))
    salience, other_salience = of_infrared.square(), of_visible.square()
    kept, other_kept = (
        torch.minimum(of_source, of_fused) / torch.maximum(of_source, of_fused)
        for of_source in (of_infrared, of_visible)
    )
    quality = (salience * kept + other_salience * other_kept) / (salience + other_salience)
    values = quality.mean(dim=(1, 2))
    for plane in (fused, infrared, visible):
        values = torch.where(cannot_be_stretched(plane), torch.nan, values)
    return values


def _block_means(plane: Tensor) -> Tensor:
    """Means (B, rows, columns) of 16 x 16 blocks; the last ones are filled up with zeros, which count."""
    height, width = plane.shape[1:]
    return nnf.avg_pool2d(nnf.pad(plane, (0, -width % _BLOCK, 0, -height % _BLOCK)), _BLOCK)


@metric_of_triple()
def qcv(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Qcv = sum(s_A e_A + s_B e_B) / sum(s_A + s_B) over 16 x 16 blocks: perceived squared error; lower is better.

    e is the mean square of F - S after a contrast sensitivity function, s the block's sum of (Sobel strength)^5 (Chen
    and Varshney, "A human perception inspired quality metric for image fusion based on regional information",
    Information Fusion 8(2), 2007).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values >= 0, 0 for a perfect result; NaN where an image has one level only.
    """
    radius = 0.144 * _frequency(fused, 4.0)
    sensitivity = 2.6 * (0.0192 + radius) * torch.exp(-(radius**1.1))
    stretched = stretch_levels(fused)
    error, weight = torch.zeros_like(fused[:, 0, 0]), torch.zeros_like(fused[:, 0, 0])
    for source in (infrared, visible):
        plane = stretch_levels(source)
        horizontal, vertical = sobel(plane, "zero")
        salience = _block_means((horizontal.square() + vertical.square()) ** 2.5)
        seen_error = _block_means(_filtered(plane - stretched, sensitivity).square())
        error += (salience * seen_error).sum(dim=(1, 2))
        weight += salience.sum(dim=(1, 2))
    values = error / weight
    for plane in (fused, infrared, visible):
        values = torch.where(cannot_be_stretched(plane), torch.nan, values)
    return values
