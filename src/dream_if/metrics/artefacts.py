"""Metric classes of what people see first in a fused image: grey skies, grain in smooth areas, lost highlights."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["Clipping", "Dimming", "FlatNoise"]

OURS = "dream_if, 2026"


class Dimming(FusionMetric):
    """Dimming, the share of the visible source's bright and smooth areas, such as skies, that are much darker in F.

    Undefined where less than 0.5 % of the image is bright and flat.

    Example:
        >>> import torch
        >>> sky, cold = torch.full((1, 1, 64, 64), 0.9), torch.full((1, 1, 64, 64), 0.1)
        >>> metric = Dimming()
        >>> metric.update((sky + cold) / 2, sky, cold)
        >>> print(f"{metric.compute():.0f}")
        100
    """

    symbol = "Dimming"
    higher_is_better = False
    bounds = (0.0, 100.0)
    unit = "%"
    formula = (
        "share of pixels with visible - F > 40, among those with visible >= 200 around which both sources are flat"
    )
    citation = OURS
    conventions = published()
    function = staticmethod(F.dimming)


class FlatNoise(FusionMetric):
    """FlatNoise, how much the fused image varies where both sources are flat.

    Undefined where less than 0.5 % of the image is flat.

    Example:
        >>> import torch
        >>> grey = torch.full((1, 1, 64, 64), 0.5)
        >>> metric = FlatNoise()
        >>> noise = 10 / 255 * torch.randn(grey.shape, generator=torch.Generator().manual_seed(0))
        >>> metric.update(grey + noise, grey, grey)
        >>> print(f"{metric.compute():.0f}")
        10
    """

    symbol = "FlatNoise"
    higher_is_better = False
    bounds = (0.0, 127.5)
    unit = "levels"
    formula = "standard deviation of F in 9x9 windows in which neither source deviates by more than 4 levels"
    citation = OURS
    conventions = published()
    function = staticmethod(F.flat_noise)


class Clipping(FusionMetric):
    """Clipping, the share of pixels that fusion made black or white.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) / 2 + 0.25
        >>> metric = Clipping()
        >>> metric.update((2 * visible - 0.5).clamp(0, 0.8).ceil(), visible, infrared)
        >>> print(f"{metric.compute():.0f}")
        100
    """

    symbol = "Clipping"
    higher_is_better = False
    bounds = (0.0, 100.0)
    unit = "%"
    formula = "share of pixels with F = 0 where no source is 0, or F = 255 where no source is 255"
    citation = OURS
    conventions = published()
    function = staticmethod(F.clipping)
