"""The metrics by the names that tables use, and collections of them."""

from collections.abc import Sequence
from typing import Any

from torchmetrics import Metric, MetricCollection

from dream_if.metrics.agreement import SCD, CorrelationCoefficient
from dream_if.metrics.base import DEFAULT_CONVENTION, FusionMetric
from dream_if.metrics.functional import shared_work
from dream_if.metrics.information import MutualInformation
from dream_if.metrics.statistics import AverageGradient, EdgeIntensity, Entropy, SpatialFrequency, StandardDeviation
from dream_if.metrics.structure import SSIM
from dream_if.metrics.transfer import Qabf
from dream_if.metrics.vif import VIF, VIFF

__all__ = ["METRICS", "TABLE_METRICS", "FusionMetrics", "fusion_metrics"]

_CLASSES: tuple[type[FusionMetric], ...] = (
    AverageGradient,
    SpatialFrequency,
    Entropy,
    StandardDeviation,
    EdgeIntensity,
    MutualInformation,
    CorrelationCoefficient,
    SCD,
    Qabf,
    SSIM,
    VIF,
    VIFF,
)

METRICS: dict[str, type[FusionMetric]] = {metric.symbol: metric for metric in _CLASSES}
"""Every metric class by its symbol."""

TABLE_METRICS = ("AG", "SF", "Qabf", "SSIM", "VIFF")
"""The five columns of the tables in the Dream-IF paper."""


class FusionMetrics(MetricCollection):
    """Metrics updated together: what they have in common is computed once per batch.

    Made by `fusion_metrics`; used like any `torchmetrics.MetricCollection`.
    """

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Update every metric with (fused, visible, infrared)."""
        with shared_work():
            super().update(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Update every metric and return the values of this batch by name."""
        with shared_work():
            return super().forward(*args, **kwargs)


def fusion_metrics(
    names: Sequence[str] = TABLE_METRICS,
    prefix: str | None = None,
    *,
    convention: str = DEFAULT_CONVENTION,
    per_image: bool = False,
) -> FusionMetrics:
    """A collection of metrics by their symbols.

    Args:
        names: keys of `METRICS`.
        prefix: put before each name in the results, for example "val/".
        convention: one convention for all, see `FusionMetric.conventions`.
        per_image: results are vectors with one value per image, not means.

    Raises:
        ValueError: for an unknown name, or a metric that does not have the convention.

    Example:
        >>> import torch
        >>> metrics = fusion_metrics(["EN", "Qabf"], prefix="val/")
        >>> metrics.update(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
        >>> sorted(metrics.compute())
        ['val/EN', 'val/Qabf']
    """
    if isinstance(names, str):
        names = [names]
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f"no metric is called {', '.join(unknown)}; there are {', '.join(METRICS)}")
    metrics: dict[str, Metric | MetricCollection] = {
        name: METRICS[name](convention=convention, per_image=per_image) for name in names
    }
    # Grouping by equal states would merge metrics whose values happen to agree on the first batch.
    return FusionMetrics(metrics, prefix=prefix, compute_groups=False)
