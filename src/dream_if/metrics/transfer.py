"""Metric classes of gradient transfer."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["Labf", "Nabf", "PetrovicQabf", "Qabf", "Qg"]


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


class PetrovicQabf(FusionMetric):
    """QabfP, the later form of Qabf, which completes Labf and Nabf to 1.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = PetrovicQabf()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.600
    """

    symbol = "QabfP"
    higher_is_better = True
    bounds = (0.0, 0.9997)
    formula = "sum(QA wA + QB wB) / sum(wA + wB), Q = sqrt(Qg Qo) of Sobel / 8, w = g^1.5 where g >= 2"
    citation = "Petrovic and Xydeas, ICCV 2005"
    conventions = published()
    function = staticmethod(F.petrovic_qabf)


class Labf(FusionMetric):
    """Labf, the share of the sources' gradients that is lost in the fused image.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Labf()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.400
    """

    symbol = "Labf"
    higher_is_better = False
    bounds = (0.0, 1.0)
    formula = "sum((1 - QA) wA + (1 - QB) wB where F is not stronger than both sources) / sum(wA + wB)"
    citation = "Petrovic and Xydeas, ICCV 2005"
    conventions = published()
    function = staticmethod(F.labf)


class Nabf(FusionMetric):
    """Nabf, the share of gradients that neither source has: artefacts of the fusion.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Nabf()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.000
    """

    symbol = "Nabf"
    higher_is_better = False
    bounds = (0.0, 1.0)
    formula = "sum((1 - QA) wA + (1 - QB) wB where F is stronger than both sources) / sum(wA + wB)"
    citation = "Kumar, Signal, Image and Video Processing 9(5), 2015"
    conventions = published(linfeng={"roles": "shifted"}, ivif_zoo={"faint_weight": 0.0})
    function = staticmethod(F.nabf)


class Qg(FusionMetric):
    """Qg, gradient transfer as the code of Liu et al. measures it: flat regions count fully.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qg()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.335
    """

    symbol = "Qg"
    higher_is_better = True
    bounds = (0.0, 0.9867)
    formula = "mean over pixels of (Q_AF gA + Q_BF gB) / (gA + gB), Sobel strength g, opposite edges equal"
    citation = "Xydeas and Petrovic, 2000; Liu et al., IEEE Transactions on PAMI 34(1), 2012"
    conventions = published(liu={})
    function = staticmethod(F.qg)
