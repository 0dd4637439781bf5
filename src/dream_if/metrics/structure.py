"""Metric classes of structural similarity."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["MEFSSIM", "MSSSIM", "SSIM"]


class SSIM(FusionMetric):
    """SSIM with the infrared plus SSIM with the visible source.

    Undefined for images with a side below 11.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = SSIM()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        1.317
    """

    symbol = "SSIM"
    higher_is_better = True
    bounds = (-2.0, 2.0)
    formula = "SSIM(infrared, F) + SSIM(visible, F), 11x11 Gaussian of sigma 1.5 where it fits, L = 255"
    citation = "Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004"
    conventions = published(
        cddfuse={"window": "uniform7", "data_range": 2.0},
        vifb={},
        linfeng={"window": "gauss11_replicate", "data_range": 1.0, "pooling": "mean"},
        ivif_zoo={"data_range": 1.0},
    )
    function = staticmethod(F.ssim)


class MSSSIM(FusionMetric):
    """MS-SSIM with the infrared plus MS-SSIM with the visible source.

    Undefined for images with a side below 161.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 192, 192, generator=torch.Generator().manual_seed(0))
        >>> metric = MSSSIM()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        1.451
    """

    symbol = "MS-SSIM"
    higher_is_better = True
    bounds = (0.0, 2.0)
    formula = "sum over sources of the product over five scales of mean contrast-structure, at the last of mean SSIM"
    citation = "Wang, Simoncelli and Bovik, Asilomar Conference 2003"
    conventions = published(ivif_zoo={"data_range": 1.0})
    function = staticmethod(F.ms_ssim)


class MEFSSIM(FusionMetric):
    """MEF-SSIM, similarity of every patch with the patch that keeps most of both sources.

    Undefined for images with a side below 41, and where a scale has a negative mean.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = MEFSSIM()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.931
    """

    symbol = "MEF-SSIM"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "product over three scales of the mean structural similarity with the desired patch"
    citation = "Ma, Zeng and Wang, IEEE Transactions on Image Processing 24(11), 2015"
    conventions = published(linfeng={})
    function = staticmethod(F.mef_ssim)
