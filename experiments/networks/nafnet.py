"""A U-shaped network of NAFNet blocks that fuses.

L. Chen, X. Chu, X. Zhang, J. Sun: "Simple Baselines for Image Restoration", ECCV 2022. Their block has no activation
function: features are gated by multiplying two halves of the channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NAFNet"]


class Norm(nn.Module):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """The shape stays."""
        channels_last = features.permute(0, 2, 3, 1)
        return F.layer_norm(channels_last, self.weight.shape, self.weight, self.bias).permute(0, 3, 1, 2)


def gate(features: Tensor) -> Tensor:
    """(B, 2C, H, W) -> (B, C, H, W), the product of the two halves."""
    first, second = features.chunk(2, dim=1)
    return first * second


class Block(nn.Module):
    """Convolution with channel attention, then a feed-forward network; each is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            Norm(width), nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        )
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1))
        self.project = nn.Conv2d(width, width, 1)
        self.expand = nn.Sequential(Norm(width), nn.Conv2d(width, 2 * width, 1))
        self.shrink = nn.Conv2d(width, width, 1)
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        mixed = gate(self.mix(features))
        features = features + self.beta * self.project(mixed * self.attention(mixed))
        return features + self.gamma * self.shrink(gate(self.expand(features)))


class NAFNet(nn.Module):
    """Fuses a visible and an infrared image, as a change of their mean.

    Args:
        width: channels at full resolution; they double at each level down.
        blocks: blocks at each level, full resolution first, on the way down and again on the way up.
    """

    def __init__(self, width: int = 16, blocks: tuple[int, ...] = (1, 1, 2, 2)) -> None:
        super().__init__()
        self.step = 2 ** (len(blocks) - 1)  # dream-if pads height and width to a multiple of it
        widths = [width * 2**level for level in range(len(blocks))]
        both = list(zip(widths, blocks, strict=True))
        self.first = nn.Conv2d(4, width, 3, padding=1)
        self.encoder = nn.ModuleList(nn.Sequential(*(Block(wide) for _ in range(count))) for wide, count in both)
        self.down = nn.ModuleList(nn.Conv2d(wide, 2 * wide, 2, stride=2) for wide in widths[:-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * wide, 4 * wide, 1, bias=False), nn.PixelShuffle(2)) for wide in widths[:-1]
        )
        self.decoder = nn.ModuleList(nn.Sequential(*(Block(wide) for _ in range(count))) for wide, count in both[:-1])
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Visible (B, 3, H, W) and infrared (B, 1, H, W), in [0, 1] -> the fused image (B, 3, H, W)."""
        found = self.first(torch.cat([visible, infrared], dim=1))
        skips = []
        for level, down in zip(self.encoder, self.down, strict=False):
            skips.append(level(found))
            found = down(skips[-1])
        found = self.encoder[-1](found)
        for up, level in zip(reversed(self.up), reversed(self.decoder), strict=True):
            found = level(up(found) + skips.pop())
        return (visible + infrared) / 2 + self.last(found)
