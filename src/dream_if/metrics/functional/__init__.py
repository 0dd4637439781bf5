"""The arithmetic of the metrics: pure, batched functions of grey images with levels 0..255, one value per image.

Arguments are (B, 1, H, W) or (B, H, W) tensors of any dtype on any device, in the order fused, visible, infrared; the
arithmetic is float64 whatever comes in (float32 on a device without float64). An image that is too small for a
definition, holds a NaN, or has no value by the definition gets NaN. `shared_work` lets several functions share what
they have in common.
"""

from dream_if.metrics.functional._sharing import shared_work
from dream_if.metrics.functional.agreement import correlation_coefficient, sum_of_correlations_of_differences
from dream_if.metrics.functional.information import mutual_information
from dream_if.metrics.functional.statistics import (
    average_gradient,
    edge_intensity,
    entropy,
    spatial_frequency,
    standard_deviation,
)
from dream_if.metrics.functional.structure import ssim
from dream_if.metrics.functional.transfer import qabf
from dream_if.metrics.functional.vif import vif, viff

__all__ = [
    "average_gradient",
    "correlation_coefficient",
    "edge_intensity",
    "entropy",
    "mutual_information",
    "qabf",
    "shared_work",
    "spatial_frequency",
    "ssim",
    "standard_deviation",
    "sum_of_correlations_of_differences",
    "vif",
    "viff",
]
