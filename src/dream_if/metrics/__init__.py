"""Fusion metrics: torchmetrics classes and pure functions with named, calibrated conventions."""

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
from dream_if.metrics.catalogue import CODES, CatalogueEntry, catalogue
from dream_if.metrics.feature_information import FMIDCT, FMIGradient, FMIPixel, FMIWavelet
from dream_if.metrics.information import CrossEntropy, MutualInformation, NormalizedMutualInformation, Qncie
from dream_if.metrics.learned import LPIPS, LPIPSInfrared, LPIPSVisible
from dream_if.metrics.levels import luminance, quantise
from dream_if.metrics.perception import Qcb, Qcv
from dream_if.metrics.registry import (
    METRICS,
    TABLE_METRICS,
    FusionMetrics,
    find_metric,
    foreign_metrics,
    fusion_metrics,
    metrics_with_convention,
    register_metric,
)
from dream_if.metrics.saliency import Q0, Qe, Qw, Qy
from dream_if.metrics.statistics import AverageGradient, EdgeIntensity, Entropy, SpatialFrequency, StandardDeviation
from dream_if.metrics.structure import MEFSSIM, MSSSIM, SSIM
from dream_if.metrics.transfer import Labf, Nabf, PetrovicQabf, Qabf, Qg
from dream_if.metrics.vif import VIF, VIFF

__all__ = [
    "CODES",
    "DEFAULT_CONVENTION",
    "FMIDCT",
    "LPIPS",
    "MEFSSIM",
    "METRICS",
    "MSSSIM",
    "Q0",
    "SCD",
    "SSIM",
    "TABLE_METRICS",
    "VIF",
    "VIFF",
    "AverageGradient",
    "CatalogueEntry",
    "ChromaError",
    "Clipping",
    "CorrelationCoefficient",
    "CrossEntropy",
    "Dimming",
    "EdgeIntensity",
    "Entropy",
    "FMIGradient",
    "FMIPixel",
    "FMIWavelet",
    "FlatNoise",
    "FusionMetric",
    "FusionMetrics",
    "LPIPSInfrared",
    "LPIPSVisible",
    "Labf",
    "MeanSquaredError",
    "MutualInformation",
    "Nabf",
    "NormalizedMutualInformation",
    "PeakSignalNoiseRatio",
    "PetrovicQabf",
    "Qabf",
    "Qcb",
    "Qcv",
    "Qe",
    "Qg",
    "Qncie",
    "Qw",
    "Qy",
    "RootMeanSquaredError",
    "SpatialFrequency",
    "StandardDeviation",
    "catalogue",
    "find_metric",
    "foreign_metrics",
    "fusion_metrics",
    "luminance",
    "metrics_with_convention",
    "quantise",
    "register_metric",
]
