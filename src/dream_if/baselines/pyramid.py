"""Fusion of Laplacian pyramids.

P. J. Burt, E. H. Adelson: "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 31(4),
1983. The rule, the larger detail and the mean of the bases, is the customary one; P. J. Burt, R. J. Kolczynski:
"Enhanced image capture through fusion", ICCV 1993, weigh by neighbourhoods instead.
"""

import torch
from kornia.filters import filter2d_separable
from torch import Tensor

from dream_if.baselines.luminance import LuminanceFusion

__all__ = ["LaplacianPyramid"]

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # a = 0.375 in the paper; the binomial kernel


class LaplacianPyramid(LuminanceFusion):
    """At every scale the detail of larger magnitude; the mean of what is left at the coarsest.

    Args:
        levels: how many scales of detail; fewer in images so small that the coarsest would have sides below 4 pixels.
    """

    def __init__(self, levels: int = 4) -> None:
        super().__init__()
        self.levels = levels

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        details = []
        for _ in range(self.levels):
            if min(visible.shape[-2:]) < 8:
                break
            smaller = [_reduce(visible), _reduce(infrared)]
            of_visible, of_infrared = visible - _expand(smaller[0], visible), infrared - _expand(smaller[1], infrared)
            details.append(torch.where(of_visible.abs() >= of_infrared.abs(), of_visible, of_infrared))
            visible, infrared = smaller
        fused = (visible + infrared) / 2
        for detail in reversed(details):
            fused = _expand(fused, detail) + detail
        return fused


def _smooth(image: Tensor) -> Tensor:
    kernel = image.new_tensor([_KERNEL])
    smoothed: Tensor = filter2d_separable(image, kernel, kernel, border_type="reflect")
    return smoothed


def _reduce(image: Tensor) -> Tensor:
    """Every second pixel of the smoothed image, the first included: (B, 1, H, W) to (B, 1, ceil H/2, ceil W/2)."""
    return _smooth(image)[..., ::2, ::2]


def _expand(image: Tensor, like: Tensor) -> Tensor:
    """Back to the size of `like`, the pixels in between interpolated with the same kernel."""
    spread = torch.zeros_like(like)
    spread[..., ::2, ::2] = image
    return 4 * _smooth(spread)
