"""Metric classes of gradient transfer."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["Qabf"]


class Qabf(FusionMetric):
    """Qabf, the share of the sources' edges that is preserved in strength and orientation.

    A perfect result has 0.9753, not 1. Undefined where both sources are black.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qabf()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.279
    """

    symbol = "Qabf"
    higher_is_better = True
    bounds = (0.0, 0.9753)
    formula = "sum(Q_AF gA + Q_BF gB) / sum(gA + gB), Sobel strength g, two sigmoids per source"
    citation = "Xydeas and Petrovic, Electronics Letters 36(4), 2000"
    conventions = published(cddfuse={}, vifb={}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.qabf)
