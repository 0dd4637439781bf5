"""Fusion pixel by pixel."""

import torch
from torch import Tensor

from dream_if.baselines.luminance import LuminanceFusion

__all__ = ["Average", "Maximum"]


class Average(LuminanceFusion):
    """The mean of both sources' luminance."""

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        return (visible + infrared) / 2


class Maximum(LuminanceFusion):
    """The brighter of both sources, pixel by pixel."""

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        return torch.maximum(visible, infrared)
