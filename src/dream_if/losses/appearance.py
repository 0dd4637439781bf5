"""Terms against what people see first: grey skies and grain in smooth areas, and clipped highlights and shadows.

The metrics Dimming, FlatNoise and Clipping (`dream_if.metrics`) measure what these terms are for. Images are
(B, 1, H, W) in [0, 1], the sources clean.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["clipping_loss", "flat_loss"]

SIDE = 9  # pixels of the window that is flat or not
FLAT = 4 / 255  # standard deviation within it, at most
ROOM = 5 / 255  # from black and white that the fused image keeps, where the sources do


def flat_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """L1 to the brighter source where both are flat, mean over all pixels.

    Where neither source has structure, edges and contrast ask for nothing: noise may stay and a bright sky turn grey.
    The target has neither.
    """
    sources = torch.cat([visible, infrared], dim=1)
    sources = sources - sources.mean(dim=(2, 3), keepdim=True)  # so that variances lose no digits
    padded = F.pad(torch.cat([sources, sources.square()], dim=1), (SIDE // 2,) * 4, mode="replicate")
    means, squares = F.avg_pool2d(padded, SIDE, stride=1).chunk(2, dim=1)
    flat = ((squares - means.square()) <= FLAT**2).all(dim=1, keepdim=True)
    return ((fused - torch.maximum(visible, infrared)).abs() * flat).mean()


def clipping_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """How far the fused image comes nearer to black or white than 5 levels, beyond where the sources are; mean."""
    lowest = torch.minimum(visible, infrared).clamp(max=ROOM)
    highest = torch.maximum(visible, infrared).clamp(min=1 - ROOM)
    return (F.relu(lowest - fused) + F.relu(fused - highest)).mean()
