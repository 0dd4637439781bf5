"""Metric classes from histograms."""

from dream_if.metrics import functional as F
from dream_if.metrics.base import FusionMetric, published

__all__ = ["MutualInformation"]


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
