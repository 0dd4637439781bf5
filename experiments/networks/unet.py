"""A plain U-Net (Ronneberger et al., 2015) that fuses: both sources go in as four channels, an image comes out."""

from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["UNet"]


def convolutions(channels: int, width: int) -> nn.Sequential:
    """Two convolutions of 3x3, each with a ReLU: (B, channels, H, W) -> (B, width, H, W)."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Fuses a visible and an infrared image.

    Args:
        width: channels at full resolution; they double at each level down.
        levels: how often height and width are halved.
    """

    def __init__(self, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        self.step = 2**levels  # dream-if pads height and width to a multiple of it
        widths = [width * 2**level for level in range(levels + 1)]
        self.first = convolutions(4, width)
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), convolutions(narrow, wide)) for narrow, wide in pairwise(widths)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, stride=2) for narrow, wide in pairwise(widths))
        self.merge = nn.ModuleList(convolutions(2 * narrow, narrow) for narrow in widths[:-1])
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Visible (B, 3, H, W) and infrared (B, 1, H, W), in [0, 1] -> the fused image (B, 3, H, W)."""
        features = [self.first(torch.cat([visible, infrared], dim=1))]
        for down in self.down:
            features.append(down(features[-1]))
        found = features.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            found = merge(torch.cat([up(found), features.pop()], dim=1))
        return self.last(found)
