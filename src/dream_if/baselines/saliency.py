"""Fusion weighted by saliency.

D. P. Bavirisetti, R. Dhuli: "Two-scale image fusion of visible and infrared images using saliency detection", Infrared
Physics & Technology 76, 2016.
"""

import torch
from kornia.filters import median_blur
from torch import Tensor
from torch.nn import functional as F

from dream_if.baselines.luminance import LuminanceFusion
from dream_if.baselines.windows import window_mean

__all__ = ["TwoScaleSaliency"]


class TwoScaleSaliency(LuminanceFusion):
    """The mean of the bases, and details weighted by how far each source stands out from its surroundings.

    The base is a mean over 35 x 35 pixels; saliency is its distance to the median over 3 x 3 pixels, as in the paper.
    Where neither source stands out, both count alike.
    """

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        sources = torch.cat([visible, infrared])
        base = window_mean(sources, 17)
        median = median_blur(F.pad(sources, (1, 1, 1, 1), mode="replicate"), 3)[..., 1:-1, 1:-1]
        saliency = (base - median).abs() + 1e-6
        weighted = torch.stack((saliency * (sources - base)).chunk(2)).sum(dim=0)
        total = torch.stack(saliency.chunk(2)).sum(dim=0)
        return torch.stack(base.chunk(2)).mean(dim=0) + weighted / total
