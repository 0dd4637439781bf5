"""Metric classes of feature mutual information."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["FMIDCT", "FMIGradient", "FMIPixel", "FMIWavelet"]


class FMIPixel(FusionMetric):
    """FMI_pixel, mutual information of levels in 3 x 3 windows.

    Undefined for images with a side below 3.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = FMIPixel()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.378
    """

    symbol = "FMI_pixel"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "mean over 3 x 3 windows and sources of 2 I / (H + H) of levels"
    citation = "Haghighat and Razian, AICT 2014"
    conventions = published({"feature": "pixel"})
    function = staticmethod(F.feature_mutual_information)


class FMIGradient(FusionMetric):
    """FMI_gradient, mutual information of horizontal gradients in 3 x 3 windows.

    Undefined for images with a side below 3.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = FMIGradient()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.385
    """

    symbol = "FMI_gradient"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "mean over 3 x 3 windows and sources of 2 I / (H + H) of horizontal gradients"
    citation = "Haghighat and Razian, AICT 2014"
    conventions = published({"feature": "gradient"})
    function = staticmethod(F.feature_mutual_information)


class FMIDCT(FusionMetric):
    """FMI_dct, mutual information of DCT coefficients in 3 x 3 windows.

    Undefined for images with a side below 3.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = FMIDCT()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.384
    """

    symbol = "FMI_dct"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "mean over 3 x 3 windows and sources of 2 I / (H + H) of DCT coefficients"
    citation = "Haghighat and Razian, AICT 2014"
    conventions = published({"feature": "dct"})
    function = staticmethod(F.feature_mutual_information)


class FMIWavelet(FusionMetric):
    """FMI_wavelet, mutual information of Meyer wavelet coefficients in 3 x 3 windows.

    Undefined for images with a side below 3.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = FMIWavelet()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.390
    """

    symbol = "FMI_wavelet"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "mean over 3 x 3 windows and sources of 2 I / (H + H) of Meyer wavelet coefficients"
    citation = "Haghighat and Razian, AICT 2014"
    conventions = published({"feature": "wavelet"})
    function = staticmethod(F.feature_mutual_information)
