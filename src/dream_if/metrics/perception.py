"""Metric classes from models of human contrast sensitivity."""

import math

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["Qcb", "Qcv"]


class Qcb(FusionMetric):
    """Qcb, the share of perceived local contrast that is kept.

    Undefined where an image has one level only.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qcb()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        0.562
    """

    symbol = "Qcb"
    higher_is_better = True
    bounds = (0.0, 1.0)
    formula = "mean of lam_A Q_A + lam_B Q_B: contrast ratios after a contrast sensitivity function"
    citation = "Chen and Blum, Image and Vision Computing 27(10), 2009"
    conventions = published(vifb={}, liu={})
    function = staticmethod(F.qcb)


class Qcv(FusionMetric):
    """Qcv, the perceived squared error in salient blocks.

    Undefined where an image has one level only.

    Example:
        >>> import torch
        >>> visible, infrared = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> metric = Qcv()
        >>> metric.update((visible + infrared) / 2, visible, infrared)
        >>> print(f"{metric.compute():.3f}")
        2240.928
    """

    symbol = "Qcv"
    higher_is_better = False
    bounds = (0.0, math.inf)
    unit = "levels^2"
    formula = (
        "sum(s_A e_A + s_B e_B) / sum(s_A + s_B) over 16 x 16 blocks, e the error after a contrast sensitivity function"
    )
    citation = "Chen and Varshney, Information Fusion 8(2), 2007"
    conventions = published(vifb={}, liu={})
    function = staticmethod(F.qcv)
