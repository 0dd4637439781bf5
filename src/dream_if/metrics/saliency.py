"""Metric classes of similarity weighted by local saliency."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["Q0", "Qe", "Qw", "Qy"]


class Q0(FusionMetric):
    """Q0, similarity with the locally more salient source (Piella and Heijmans' Q).

    Undefined for images with a side below 11.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Q0()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.662
    """

    symbol = "Q0"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    formula = "mean over windows of lam SSIM(infrared, F) + (1 - lam) SSIM(visible, F), lam by local variance"
    citation = "Piella and Heijmans, ICIP 2003; Liu et al., IEEE Transactions on PAMI 34(1), 2012"
    conventions = published(liu={}, piella={"form": "universal"})
    function = staticmethod(F.piella_q)


class Qw(FusionMetric):
    """Qw, as Q0 with salient windows weighted.

    Undefined for images with a side below 11.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qw()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.662
    """

    symbol = "Qw"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    formula = "as Q0, windows weighted by the larger local variance of the two sources"
    citation = "Piella and Heijmans, ICIP 2003; Liu et al., IEEE Transactions on PAMI 34(1), 2012"
    conventions = published(liu={}, piella={"form": "universal"})
    function = staticmethod(F.piella_qw)


class Qe(FusionMetric):
    """Qe, Qw of the images times Qw of their edges.

    Undefined for images with a side below 11.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qe()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.261
    """

    symbol = "Qe"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    formula = "Qw(images) Qw(Prewitt edges)"
    citation = "Piella and Heijmans, ICIP 2003; Liu et al., IEEE Transactions on PAMI 34(1), 2012"
    conventions = published(liu={"image_term": "Q"}, piella={"form": "universal"})
    function = staticmethod(F.piella_qe)


class Qy(FusionMetric):
    """Qy, similarity with both sources where they agree, with the nearer one where they do not.

    Undefined for images with a side below 7.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qy()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.679
    """

    symbol = "Qy"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    formula = (
        "mean of lam SSIM(infrared, F) + (1 - lam) SSIM(visible, F) where SSIM of the sources >= 0.75, else the larger"
    )
    citation = "Yang, Zhang, Wang and Li, Information Fusion 9(2), 2008"
    conventions = published(liu={})
    function = staticmethod(F.yang_qy)
