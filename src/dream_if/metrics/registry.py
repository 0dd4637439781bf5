"""The metrics by the names that tables use, and collections of them."""

import difflib
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from torchmetrics import Metric, MetricCollection

from dream_if.errors import InputError
from dream_if.metrics.agreement import (
    SCD,
    ChromaError,
    CorrelationCoefficient,
    MeanSquaredError,
    PeakSignalNoiseRatio,
    RootMeanSquaredError,
)
from dream_if.metrics.artefacts import Clipping, Dimming, FlatNoise
from dream_if.metrics.base import DEFAULT_CONVENTION, FusionMetric
from dream_if.metrics.feature_information import FMIDCT, FMIGradient, FMIPixel, FMIWavelet
from dream_if.metrics.functional import shared_work
from dream_if.metrics.information import CrossEntropy, MutualInformation, NormalizedMutualInformation, Qncie
from dream_if.metrics.learned import LPIPS, LPIPSInfrared, LPIPSVisible
from dream_if.metrics.perception import Qcb, Qcv
from dream_if.metrics.saliency import Q0, Qe, Qw, Qy
from dream_if.metrics.statistics import AverageGradient, EdgeIntensity, Entropy, SpatialFrequency, StandardDeviation
from dream_if.metrics.structure import MEFSSIM, MSSSIM, SSIM
from dream_if.metrics.transfer import Labf, Nabf, PetrovicQabf, Qabf, Qg
from dream_if.metrics.vif import VIF, VIFF

__all__ = [
    "METRICS",
    "TABLE_METRICS",
    "FusionMetrics",
    "find_metric",
    "foreign_metrics",
    "fusion_metrics",
    "metrics_with_convention",
    "register_metric",
]

_CLASSES: tuple[type[FusionMetric], ...] = (
    *(AverageGradient, SpatialFrequency, Entropy, StandardDeviation, EdgeIntensity),
    *(MutualInformation, NormalizedMutualInformation, CrossEntropy, Qncie),
    *(MeanSquaredError, RootMeanSquaredError, PeakSignalNoiseRatio, CorrelationCoefficient, SCD, ChromaError),
    *(SSIM, MSSSIM, MEFSSIM),
    *(Qabf, PetrovicQabf, Labf, Nabf, Qg),
    *(Q0, Qw, Qe, Qy),
    *(Qcb, Qcv),
    *(FMIPixel, FMIGradient, FMIDCT, FMIWavelet),
    *(VIF, VIFF),
    *(LPIPS, LPIPSVisible, LPIPSInfrared),
    *(Dimming, FlatNoise, Clipping),
)

METRICS: dict[str, type[FusionMetric]] = {metric.symbol: metric for metric in _CLASSES}
"""Every metric class by its symbol: ours, and those that `register_metric` or `find_metric` has added."""

ENTRY_POINTS = "dream_if.metrics"
"""The group of entry points under which an installed package offers metrics by their symbols."""

TABLE_METRICS = ("AG", "SF", "Qabf", "SSIM", "VIFF")
"""The five columns of the tables in the Dream-IF paper."""


def register_metric(metric: type[FusionMetric]) -> type[FusionMetric]:
    """Make a metric known by its symbol. May stand before a class as a decorator.

    Raises:
        InputError: It is no `FusionMetric` with a symbol and a direction, or another class has its symbol.
    """
    if not (isinstance(metric, type) and issubclass(metric, FusionMetric)):
        raise InputError(f"{metric!r}: expected a class that inherits from dream_if.metrics.FusionMetric.")
    symbol = getattr(metric, "symbol", "")
    if not symbol or set(symbol) & set("./") or not isinstance(metric.higher_is_better, bool):
        raise InputError(
            f"{metric.__name__}: expected a symbol, text without . and /, and higher_is_better, true or false; got "
            f"{symbol!r} and {metric.higher_is_better!r}."
        )
    there = METRICS.setdefault(symbol, metric)
    if (there.__module__, there.__qualname__) != (metric.__module__, metric.__qualname__):
        raise InputError(f"{metric.__name__}: another metric, {there.__name__}, has the symbol {symbol} already.")
    METRICS[symbol] = metric
    return metric


def find_metric(name: str) -> str:
    """The symbol of a metric, which is in `METRICS` from then on.

    Args:
        name: a symbol of ours, of a registered metric or of an entry point of an installed package; or the path of a
            class, ``package.module.Class``.

    Raises:
        InputError: There is no such metric, or it cannot be imported.
    """
    if name in METRICS:
        return name
    offered = entry_points(group=ENTRY_POINTS)
    try:
        if name in offered.names:
            return register_metric(offered[name].load()).symbol
        module, dot, attribute = name.rpartition(".")
        if dot:
            return register_metric(getattr(import_module(module), attribute)).symbol
    except InputError:
        raise
    except Exception as error:  # importing a foreign module may raise anything
        raise InputError(f"metric {name}: cannot be imported ({type(error).__name__}: {error}).") from error
    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.5)
    hint = f", did you mean {near[0]}" if near else ""
    raise InputError(f"no metric is called {name!r}{hint}; there are {', '.join((*METRICS, *offered.names))}")


def foreign_metrics(symbols: Sequence[str]) -> list[type[FusionMetric]]:
    """Those among metrics whose code is not part of this package."""
    return [METRICS[symbol] for symbol in symbols if symbol in METRICS and METRICS[symbol] not in _CLASSES]


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


def metrics_with_convention(convention: str) -> tuple[str, ...]:
    """Symbols of the metrics that have the convention.

    Raises:
        InputError: if no metric has it.

    Example:
        >>> metrics_with_convention("han")
        ('VIFF',)
    """
    names = tuple(name for name, metric in METRICS.items() if convention in metric.conventions)
    if not names:
        known = list(dict.fromkeys(key for metric in METRICS.values() for key in metric.conventions))
        raise InputError(f"no metric has a convention {convention!r}; there are {', '.join(known)}")
    return names


def fusion_metrics(
    names: Sequence[str] = TABLE_METRICS,
    prefix: str | None = None,
    *,
    convention: str = DEFAULT_CONVENTION,
    per_image: bool = False,
    lpips_weights: str | Path | None = None,
) -> FusionMetrics:
    """A collection of metrics by their symbols.

    Args:
        names: keys of `METRICS`, or what else `find_metric` takes.
        prefix: put before each name in the results, for example "val/".
        convention: one convention for all, see `FusionMetric.conventions`.
        per_image: results are vectors with one value per image, not means.
        lpips_weights: AlexNet weights for the LPIPS metrics, see `LPIPS`.

    Raises:
        InputError: for an unknown name, or a metric that does not have the convention.

    Example:
        >>> import torch
        >>> metrics = fusion_metrics(["EN", "Qabf"], prefix="val/")
        >>> metrics.update(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
        >>> sorted(metrics.compute())
        ['val/EN', 'val/Qabf']
    """
    names = [find_metric(name) for name in ([names] if isinstance(names, str) else names)]
    offered = set(metrics_with_convention(convention))
    metrics: dict[str, Metric | MetricCollection] = {}
    for name in names:
        if name not in offered:
            raise InputError(
                f"{name} has no convention {convention!r}: that code does not compute it. "
                f"{name} has {', '.join(METRICS[name].conventions)}; {convention} has {', '.join(sorted(offered))}"
            )
        options = {"weights": lpips_weights} if issubclass(METRICS[name], LPIPS) else {}
        metrics[name] = METRICS[name](convention=convention, per_image=per_image, **options)
    # Grouping by equal states would merge metrics whose values happen to agree on the first batch.
    return FusionMetrics(metrics, prefix=prefix, compute_groups=False)
