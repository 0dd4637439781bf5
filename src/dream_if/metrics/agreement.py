"""Metric classes of pixel-wise agreement with the sources."""

import math

from torch import Tensor

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published
from dream_if.metrics.levels import quantise

__all__ = [
    "SCD",
    "ChromaError",
    "CorrelationCoefficient",
    "MeanSquaredError",
    "PeakSignalNoiseRatio",
    "RootMeanSquaredError",
]


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


class MeanSquaredError(FusionMetric):
    """MSE, the mean squared difference between the fused image and its sources.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = MeanSquaredError()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        2710.009
    """

    symbol = "MSE"
    higher_is_better = False
    bounds = (0.0, 65025.0)
    unit = "levels^2"
    formula = "(mean((infrared - F)^2) + mean((visible - F)^2)) / 2"
    citation = "Zhang, Ye and Xiao, VIFB, CVPR Workshops 2020"
    conventions = published(cddfuse={}, linfeng={"scale": 1.0}, ivif_zoo={"scale": 1.0})
    function = staticmethod(F.mean_squared_error)


class RootMeanSquaredError(FusionMetric):
    """RMSE, the root of MSE.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = RootMeanSquaredError()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        52.056
    """

    symbol = "RMSE"
    higher_is_better = False
    bounds = (0.0, 255.0)
    unit = "levels"
    formula = "sqrt(MSE), MSE being the mean over the two sources"
    citation = "Zhang, Ye and Xiao, VIFB, CVPR Workshops 2020"
    conventions = published(vifb={"form": "vifb"})
    function = staticmethod(F.root_mean_squared_error)


class PeakSignalNoiseRatio(FusionMetric):
    """PSNR, the error on a logarithmic scale.

    Undefined (infinite) where F equals both sources.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = PeakSignalNoiseRatio()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        13.802
    """

    symbol = "PSNR"
    higher_is_better = True
    bounds = (0.0, math.inf)
    unit = "dB"
    formula = "10 log10(255^2 / MSE), MSE being the mean over the two sources"
    citation = "Zhang, Ye and Xiao, VIFB, CVPR Workshops 2020"
    conventions = published(
        cddfuse={"form": "peak_of_fused"},
        vifb={"form": "vifb"},
        linfeng={"form": "mixed_scales"},
        ivif_zoo={"form": "mixed_scales"},
    )
    function = staticmethod(F.peak_signal_noise_ratio)


class ChromaError(FusionMetric):
    """Chroma, how far the fused image's colours are from the visible source's; what users mean by "keeps the colours".

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
        >>> metric = ChromaError()
        >>> metric.update(visible, visible, infrared)
        >>> print(f"{metric.compute():.1f}")
        0.0
    """

    symbol = "Chroma"
    higher_is_better = False
    bounds = (0.0, math.hypot(255, 255))
    unit = "levels"
    formula = "mean distance of (Cb, Cr) between F and visible"
    citation = "colours of ITU-R BT.601-7, 2011"
    conventions = published()
    function = staticmethod(F.chroma_error)

    def score(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
        """One value per image, (B,), for arguments as those of `update`."""
        return F.chroma_error(quantise(fused), quantise(visible))
