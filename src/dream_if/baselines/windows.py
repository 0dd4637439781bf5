"""Means over windows that end at the border."""

from torch import Tensor
from torch.nn import functional as F

__all__ = ["window_mean"]


def window_mean(image: Tensor, radius: int) -> Tensor:
    """Mean over a square window around each pixel, over the part of it that lies within the image.

    Args:
        image: (B, C, H, W).
        radius: r; the window has 2 r + 1 pixels a side, and may be larger than the image.

    Returns:
        (B, C, H, W).
    """
    size = 2 * radius + 1
    along = F.avg_pool2d(image, (1, size), stride=1, padding=(0, radius), count_include_pad=False)
    return F.avg_pool2d(along, (size, 1), stride=1, padding=(radius, 0), count_include_pad=False)
