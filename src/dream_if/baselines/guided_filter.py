"""Fusion by guided filtering.

S. Li, X. Kang, J. Hu: "Image fusion with guided filtering", IEEE Transactions on Image Processing 22(7), 2013. The
filter: K. He, J. Sun, X. Tang: "Guided image filtering", IEEE TPAMI 35(6), 2013.
"""

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from dream_if.baselines.luminance import LuminanceFusion
from dream_if.baselines.windows import window_mean

__all__ = ["GuidedFilter", "guided_filter"]


class GuidedFilter(LuminanceFusion):
    """Two scales, each mixed by where a source is more salient, with borders that follow its own edges.

    The base is a mean over 31 x 31 pixels. Saliency is the magnitude of the Laplacian, smoothed by a Gaussian of 11 x
    11 pixels and standard deviation 5. The map of the more salient source is guided-filtered by that source: radius 45
    and eps 0.3 for the base, radius 7 and eps 1e-6 for the detail, as in the paper. Of equal saliencies each source
    has half, so that neither is preferred.
    """

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        sources = torch.cat([visible, infrared])
        base = window_mean(sources, 15)
        of_visible, of_infrared = _saliency(sources).chunk(2)
        chosen = (torch.sign(of_visible - of_infrared) + 1) / 2
        chosen = torch.cat([chosen, 1 - chosen])
        coarse = _shared(guided_filter(chosen, sources, 45, 0.3))
        fine = _shared(guided_filter(chosen, sources, 7, 1e-6))
        visible, infrared = (coarse * base + fine * (sources - base)).chunk(2)
        return visible + infrared


def _saliency(image: Tensor) -> Tensor:
    """Smoothed magnitude of the Laplacian with four neighbours, (B, 1, H, W)."""
    kernel = image.new_tensor([[[[0, 1, 0], [1, -4, 1], [0, 1, 0]]]])
    edges = F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernel).abs()
    smoothed: Tensor = gaussian_blur2d(edges, 11, (5.0, 5.0), border_type="reflect")
    return smoothed


def _shared(weights: Tensor) -> Tensor:
    """Weights (2 B, 1, H, W), visible first, cut to [0, 1] and made to sum to one over the sources."""
    of_visible, of_infrared = (weights.clamp(0, 1) + 1e-6).chunk(2)
    return torch.cat([of_visible, of_infrared]) / (of_visible + of_infrared).repeat(2, 1, 1, 1)


def guided_filter(image: Tensor, guide: Tensor, radius: int, eps: float) -> Tensor:
    """Smooth an image but for edges that a guide has as well: locally a linear function of the guide.

    Args:
        image: (B, 1, H, W).
        guide: (B, 1, H, W) in [0, 1].
        radius: of the windows; what of them lies outside the image is left out, as by He et al.
        eps: variance of the guide, of [0, 1], below which a window counts as flat.

    Returns:
        (B, 1, H, W).
    """
    # The variance of small windows is a difference of nearly equal numbers; those around 0 lose fewer digits.
    guide = guide - guide.mean(dim=(-2, -1), keepdim=True)
    guide_mean, image_mean = window_mean(guide, radius), window_mean(image, radius)
    variance = (window_mean(guide * guide, radius) - guide_mean**2).clamp(min=0)
    slope = (window_mean(guide * image, radius) - guide_mean * image_mean) / (variance + eps)
    offset = image_mean - slope * guide_mean
    return window_mean(slope, radius) * guide + window_mean(offset, radius)
