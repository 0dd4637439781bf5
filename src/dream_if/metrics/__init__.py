"""Fusion metrics: torchmetrics classes and pure functions with named, calibrated conventions."""

from dream_if.metrics.agreement import SCD, CorrelationCoefficient
from dream_if.metrics.base import DEFAULT_CONVENTION, FusionMetric
from dream_if.metrics.fusion import METRICS, TABLE_METRICS, FusionMetrics, fusion_metrics
from dream_if.metrics.information import MutualInformation
from dream_if.metrics.levels import luminance, quantise
from dream_if.metrics.statistics import AverageGradient, EdgeIntensity, Entropy, SpatialFrequency, StandardDeviation
from dream_if.metrics.structure import SSIM
from dream_if.metrics.transfer import Qabf
from dream_if.metrics.vif import VIF, VIFF

__all__ = [
    "DEFAULT_CONVENTION",
    "METRICS",
    "SCD",
    "SSIM",
    "TABLE_METRICS",
    "VIF",
    "VIFF",
    "AverageGradient",
    "CorrelationCoefficient",
    "EdgeIntensity",
    "Entropy",
    "FusionMetric",
    "FusionMetrics",
    "MutualInformation",
    "Qabf",
    "SpatialFrequency",
    "StandardDeviation",
    "fusion_metrics",
    "luminance",
    "quantise",
]
