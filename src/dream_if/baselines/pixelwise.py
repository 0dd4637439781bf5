"""Fusion pixel by pixel, on luminance, with the visible image's chroma."""

import torch
from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
from torch import Tensor, nn

__all__ = ["Average", "Maximum"]


class Average(nn.Module):
    """The mean of both sources' luminance."""

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W) in [0, 1] -> fused (B, 3, H, W) in [0, 1]."""
        return _with_chroma_of(visible, (_luminance(visible) + infrared) / 2)


class Maximum(nn.Module):
    """The brighter of both sources, pixel by pixel."""

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W) in [0, 1] -> fused (B, 3, H, W) in [0, 1]."""
        return _with_chroma_of(visible, torch.maximum(_luminance(visible), infrared))


def _luminance(visible: Tensor) -> Tensor:
    return rgb_to_ycbcr(visible)[:, :1]


def _with_chroma_of(visible: Tensor, luminance: Tensor) -> Tensor:
    chroma = rgb_to_ycbcr(visible)[:, 1:]
    return ycbcr_to_rgb(torch.cat([luminance, chroma], dim=1)).clamp(0, 1)
