"""Histograms and joint histograms of 8-bit levels for a whole batch at once."""

import torch
from torch import Tensor

from dream_if.metrics.functional._sharing import share

__all__ = ["cannot_be_stretched", "entropy_in_nats", "joint_histogram", "level_histogram", "stretch_levels"]

LEVELS = 256


@share
def _as_index(plane: Tensor) -> Tensor:
    """(B, H, W) levels to (B, H W) integers 0..255; what is no number becomes 0 and its image NaN later."""
    return plane.round().clamp_(0, LEVELS - 1).nan_to_num_(0.0).long().flatten(1)


def _count(index: Tensor, bins: int) -> Tensor:
    """Relative frequencies (B, bins) of a (B, N) index: one bincount for the batch, each image with its own bins."""
    batch, pixels = index.shape
    offset = torch.arange(batch, device=index.device).unsqueeze(1) * bins
    counts = torch.bincount((index + offset).flatten(), minlength=batch * bins).view(batch, bins)
    return counts.to(torch.float32 if counts.device.type == "mps" else torch.float64) / pixels


@share
def level_histogram(plane: Tensor) -> Tensor:
    """Relative frequency of each level: (B, H, W) to (B, 256)."""
    return _count(_as_index(plane), LEVELS)


@share
def joint_histogram(first: Tensor, second: Tensor) -> Tensor:
    """Relative frequency of each pair of levels: two (B, H, W) to (B, 256, 256)."""
    joint = _as_index(first) * LEVELS + _as_index(second)
    return _count(joint, LEVELS**2).view(-1, LEVELS, LEVELS)


def entropy_in_nats(probabilities: Tensor) -> Tensor:
    """-sum p ln p over all but the first axis, with 0 ln 0 = 0: (B, ...) to (B,)."""
    terms: Tensor = torch.special.entr(probabilities)
    return terms.flatten(1).sum(1)


@share
def stretch_levels(plane: Tensor) -> Tensor:
    """Stretch each image's range to 0..255 and round half up, as several codes do before they count levels.

    An image of one level becomes zero.
    """
    low = plane.amin(dim=(1, 2), keepdim=True)
    span = plane.amax(dim=(1, 2), keepdim=True) - low
    stretched = ((plane - low) / span).mul_(255).add_(0.5).floor_()
    return torch.where(span > 0, stretched, 0)


@share
def cannot_be_stretched(plane: Tensor) -> Tensor:
    """Images (B,) of one level other than 0, for which the codes of Liu et al. divide 0 by 0; black ones they leave."""
    low, high = plane.amin(dim=(1, 2)), plane.amax(dim=(1, 2))
    return (low == high) & (high != 0)
