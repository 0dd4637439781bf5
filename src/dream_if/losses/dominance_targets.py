"""Targets for a dominance map: which source has structure, which can be trusted, or both.

All targets are for the map of the visible source, (B, 1, H, W) in (0, 1); for the infrared source it is one minus this.
They come from the clean sources and from the sources as the network sees them, both known only in training. Images are
luminance, (B, 1, H, W) in [0, 1].
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor

from dream_if.losses.metric_forms import sobel

__all__ = ["activity_target", "local_error", "map_loss", "reliability_target", "trusted_activity_target"]

SIGMA = 2.0  # pixels, of the Gaussian that smooths energies and errors
SMALL_ENERGY = 1e-3  # squared Sobel units; where both sources are flat the target is one half
TEMPERATURE = 0.03  # difference of smoothed errors at which the target is .73; noise of sigma 35 has an error of .11


def activity_target(visible: Tensor, infrared: Tensor) -> Tensor:
    """Where the visible source has the stronger structure: its part of the smoothed squared gradients of both."""
    energy_visible, energy_infrared = _energy(visible), _energy(infrared)
    return energy_visible / (energy_visible + energy_infrared)


def reliability_target(error_visible: Tensor, error_infrared: Tensor) -> Tensor:
    """Where the visible source can be believed more: ``sigmoid((e_infrared - e_visible) / tau)`` of `local_error`.

    After Test-Time Dynamic Fusion (arXiv:2411.02840), where a weight is to fall with its source's own loss. The clean
    sources are known here, so the error is measured and not predicted.
    """
    return torch.sigmoid((error_infrared - error_visible) / TEMPERATURE)


def trusted_activity_target(visible: Tensor, infrared: Tensor, reliability: Tensor) -> Tensor:
    """Where the visible source has structure that can be believed: both targets multiplied, as a part of both sources.

    Args:
        visible: the clean source.
        infrared: likewise.
        reliability: `reliability_target`.
    """
    for_visible = _energy(visible) * reliability
    for_infrared = _energy(infrared) * (1 - reliability)
    return for_visible / (for_visible + for_infrared)


def local_error(source: Tensor, clean: Tensor) -> Tensor:
    """How far a source is from its clean self around each pixel: the smoothed absolute difference, in [0, 1]."""
    return _smooth((source - clean).abs())


def map_loss(visible: Sequence[Tensor], infrared: Sequence[Tensor], target: Tensor) -> Tensor:
    """Binary cross entropy of the maps of both sources with a target, mean over levels, pixels and sources.

    Args:
        visible: (B, 1, h, w) maps in (0, 1), as `dream_if.models.FusionOutput` has them.
        infrared: likewise.
        target: for the visible source; averaged over the pixels of a smaller map's pixel.
    """
    losses = []
    for of_visible, of_infrared in zip(visible, infrared, strict=True):
        wanted = F.interpolate(target, size=of_visible.shape[-2:], mode="area")
        losses.append(F.binary_cross_entropy(of_visible.float(), wanted))
        losses.append(F.binary_cross_entropy(of_infrared.float(), 1 - wanted))
    return torch.stack(losses).mean()


def _energy(luminance: Tensor) -> Tensor:
    return _smooth(sobel(luminance).square().sum(dim=1, keepdim=True)) + SMALL_ENERGY


def _smooth(image: Tensor) -> Tensor:
    size = min(13, *((side - 1) // 2 * 2 + 1 for side in image.shape[-2:]))
    return gaussian_blur2d(image, (size, size), (SIGMA, SIGMA), border_type="replicate")
