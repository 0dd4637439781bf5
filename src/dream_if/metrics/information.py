"""Metric classes from histograms."""

import math

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["CrossEntropy", "MutualInformation", "NormalizedMutualInformation", "Qncie"]


class MutualInformation(FusionMetric):
    """MI, the mutual information of the fused image with each source, summed.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = MutualInformation()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        7.482
    """

    symbol = "MI"
    higher_is_better = True
    bounds = (0.0, 16.0)
    unit = "bits"
    formula = "MI(infrared, F) + MI(visible, F); MI(S, F) = H(S) + H(F) - H(S, F) from 256 levels"
    citation = "Qu, Zhang and Yan, Electronics Letters 38(7), 2002"
    conventions = published(
        cddfuse={"unit": "nats"}, vifb={"unit": "nats", "stretch": True}, linfeng={"joint": "saturated"}, ivif_zoo={}
    )
    function = staticmethod(F.mutual_information)


class NormalizedMutualInformation(FusionMetric):
    """NMI, mutual information relative to the entropies.

    Undefined where an image has one level only.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = NormalizedMutualInformation()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.958
    """

    symbol = "NMI"
    higher_is_better = True
    bounds = (0.0, 2.0)
    formula = "2 sum over sources of MI(S, F) / (H(S) + H(F)); images stretched to 0..255 first"
    citation = "Hossny, Nahavandi and Creighton, Electronics Letters 44(18), 2008"
    conventions = published(liu={})
    function = staticmethod(F.normalized_mutual_information)


class CrossEntropy(FusionMetric):
    """CE, how much the histogram of the fused image differs from those of its sources.

    Levels that only one image has are left out, so a value near or below 0 can also mean disjoint histograms.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = CrossEntropy()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.396
    """

    symbol = "CE"
    higher_is_better = False
    bounds = (-math.inf, math.inf)
    unit = "bits"
    formula = "mean over sources of sum p_S log2(p_S / p_F), over the levels that both images have"
    citation = "Bulanon, Burks and Alchanatis, Biosystems Engineering 103(1), 2009"
    conventions = published(vifb={})
    function = staticmethod(F.cross_entropy)


class Qncie(FusionMetric):
    """Qncie, the nonlinear correlation information entropy of the three images.

    Undefined where an image has one level only (black images count).

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qncie()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.840
    """

    symbol = "Qncie"
    higher_is_better = True
    bounds = (1 - math.log(3, 256), 1.0)
    formula = "1 + sum r/3 log256(r/3), r the eigenvalues of the matrix of mutual information in base 256"
    citation = "Wang, Shen and Jin, in Image Fusion: Algorithms and Applications, 2008"
    conventions = published(liu={})
    function = staticmethod(F.nonlinear_correlation_information_entropy)
