"""Metric classes of the fused image alone."""

import math

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["AverageGradient", "EdgeIntensity", "Entropy", "SpatialFrequency", "StandardDeviation"]


class AverageGradient(FusionMetric):
    """AG, the average gradient: fine detail and, equally, noise.

    Undefined for images of one row or column.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = AverageGradient()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        34.111
    """

    symbol = "AG"
    higher_is_better = True
    bounds = (0.0, math.inf)
    unit = "levels per pixel"
    formula = "mean of sqrt((gx^2 + gy^2) / 2); central differences inside, one-sided on the border"
    citation = "Cui et al., Optics Communications 341, 2015"
    conventions = published(cddfuse={}, vifb={"divisor": "interior"}, linfeng={"divisor": "interior"}, ivif_zoo={})
    function = staticmethod(F.average_gradient)
    needs_sources = False


class SpatialFrequency(FusionMetric):
    """SF, the spatial frequency: root mean square of the differences between neighbours.

    Undefined for images of one row or column.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = SpatialFrequency()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        103.904
    """

    symbol = "SF"
    higher_is_better = True
    bounds = (0.0, 255.0 * math.sqrt(2))
    unit = "levels"
    formula = "sqrt(mean of squared horizontal differences + mean of squared vertical differences)"
    citation = "Eskicioglu and Fisher, IEEE Transactions on Communications 43(12), 1995"
    conventions = published(cddfuse={}, vifb={"divisor": "pixels"}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.spatial_frequency)
    needs_sources = False


class Entropy(FusionMetric):
    """EN, the Shannon entropy of the grey levels.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Entropy()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        7.667
    """

    symbol = "EN"
    higher_is_better = True
    bounds = (0.0, 8.0)
    unit = "bits"
    formula = "-sum p log2 p over the 256 grey levels"
    citation = "Roberts, van Aardt and Ahmed, Journal of Applied Remote Sensing 2, 2008"
    conventions = published(cddfuse={}, vifb={}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.entropy)
    needs_sources = False


class StandardDeviation(FusionMetric):
    """SD, the standard deviation of the grey levels: global contrast.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = StandardDeviation()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        51.841
    """

    symbol = "SD"
    higher_is_better = True
    bounds = (0.0, 127.5)
    unit = "levels"
    formula = "sqrt(mean((F - mean F)^2))"
    citation = "Ma, Ma and Li (survey), Information Fusion 45, 2019"
    conventions = published(cddfuse={}, vifb={}, linfeng={}, ivif_zoo={})
    function = staticmethod(F.standard_deviation)
    needs_sources = False


class EdgeIntensity(FusionMetric):
    """EI, the mean Sobel magnitude.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = EdgeIntensity()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        228.182
    """

    symbol = "EI"
    higher_is_better = True
    bounds = (0.0, math.inf)
    formula = "mean of sqrt(sx^2 + sy^2) with unnormalised Sobel responses; replicated border"
    citation = "Zhang, Ye and Xiao, VIFB, CVPR Workshops 2020"
    conventions = published(vifb={}, ivif_zoo={"border": "zero"})
    function = staticmethod(F.edge_intensity)
    needs_sources = False
