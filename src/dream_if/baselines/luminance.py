"""Fusion of luminance, with the visible image's chroma: shared by every method here."""

from abc import ABC, abstractmethod

import torch
from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
from torch import Tensor, nn

__all__ = ["LuminanceFusion"]


class LuminanceFusion(nn.Module, ABC):
    """Fuses two grey images and lends the result the visible image's colours.

    The published methods are for grey images. The infrared image has no colour, so the luminance of the visible one
    (ITU-R BT.601) is fused with it, and Cb and Cr are kept. A colour that leaves [0, 1] is clamped. Everything is
    computed in float32, also under autocast.
    """

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            visible: (B, 3, H, W) in [0, 1], RGB, height and width from 16 pixels up.
            infrared: (B, 1, H, W) in [0, 1].

        Returns:
            Fused (B, 3, H, W) in [0, 1].
        """
        with torch.autocast(visible.device.type, enabled=False):
            colour = rgb_to_ycbcr(visible.float())
            fused = self.fuse(colour[:, :1], infrared.float())
            return ycbcr_to_rgb(torch.cat([fused, colour[:, 1:]], dim=1)).clamp(0, 1)

    @abstractmethod
    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Fuse grey images (B, 1, H, W) in [0, 1] to one of the same shape, not necessarily in [0, 1]."""
