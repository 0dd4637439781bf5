"""Metric classes of visual information fidelity."""

import math

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["VIF", "VIFF"]


class VIF(FusionMetric):
    """VIF, the sum of the two pixel-domain VIF values; some papers print it as "VIFF".

    Undefined for images with a side below 41, and where a source is constant. 2 where F equals both sources.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = VIF()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.193
    """

    symbol = "VIF"
    higher_is_better = True
    bounds = (0.0, math.inf)
    formula = "VIFp(infrared, F) + VIFp(visible, F), four scales, noise variance 2"
    citation = "Sheikh and Bovik, IEEE Transactions on Image Processing 15(2), 2006"
    conventions = published(cddfuse={"empty": "one"}, linfeng={}, ivif_zoo={"window": "off_centre"})
    function = staticmethod(F.vif)


class VIFF(FusionMetric):
    """VIFF of Han et al.: at every position the source whose gain is smaller counts.

    1 for a perfect result, and also where the sources hold no information. Undefined for images with a side below 41.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = VIFF()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.246
    """

    symbol = "VIFF"
    higher_is_better = True
    bounds = (0.0, math.inf)
    formula = "(V1 + 0.15 V3 + V4) / 2.15, V = information kept / available per scale, noise variance 325.125"
    citation = "Han, Cai, Cao and Xu, Information Fusion 14(2), 2013"
    conventions = published(han={})
    function = staticmethod(F.viff)
