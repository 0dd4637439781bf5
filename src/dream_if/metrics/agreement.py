"""Metric classes of pixel-wise agreement with the sources."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["SCD", "CorrelationCoefficient"]


class CorrelationCoefficient(FusionMetric):
    """CC, the mean of the fused image's correlations with its sources.

    Undefined where an image is constant.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = CorrelationCoefficient()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.706
    """

    symbol = "CC"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    formula = "(r(infrared, F) + r(visible, F)) / 2 with Pearson's r"
    citation = "Deshmukh and Bhosale, International Journal of Image Processing 4(5), 2010"
    conventions = published(cddfuse={}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.correlation_coefficient)


class SCD(FusionMetric):
    """SCD, the sum of the correlations of differences.

    Undefined where a source or a difference F - S is constant, so also where F is one of the sources.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = SCD()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        1.417
    """

    symbol = "SCD"
    higher_is_better = True
    bounds = (-2.0, 2.0)
    formula = "r(F - visible, infrared) + r(F - infrared, visible) with Pearson's r"
    citation = "Aslantas and Bendes, AEU International Journal of Electronics and Communications 69(12), 2015"
    conventions = published(cddfuse={}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.sum_of_correlations_of_differences)
