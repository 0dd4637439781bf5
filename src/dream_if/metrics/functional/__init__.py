"""The arithmetic of the metrics: pure, batched functions of grey images with levels 0..255, one value per image.

Arguments are (B, 1, H, W) or (B, H, W) tensors of any dtype on any device, in the order fused, visible, infrared; the
arithmetic is float64 for any input (float32 on a device without float64, and for LPIPS). An image that is too
small for a definition, holds a NaN, or has no value by the definition gets NaN. `shared_work` lets several functions
share common work.
"""

from dream_if.metrics.functional._sharing import KeptWork, shared_work
from dream_if.metrics.functional.agreement import (
    chroma_error,
    correlation_coefficient,
    mean_squared_error,
    peak_signal_noise_ratio,
    root_mean_squared_error,
    sum_of_correlations_of_differences,
)
from dream_if.metrics.functional.artefacts import clipping, dimming, flat_noise
from dream_if.metrics.functional.edges_kept_and_lost import labf, nabf, petrovic_qabf
from dream_if.metrics.functional.feature_information import feature_mutual_information
from dream_if.metrics.functional.information import (
    cross_entropy,
    mutual_information,
    nonlinear_correlation_information_entropy,
    normalized_mutual_information,
)
from dream_if.metrics.functional.learned import lpips
from dream_if.metrics.functional.multiscale import mef_ssim, ms_ssim
from dream_if.metrics.functional.perception import qcb, qcv
from dream_if.metrics.functional.saliency import piella_q, piella_qe, piella_qw, yang_qy
from dream_if.metrics.functional.statistics import (
    average_gradient,
    edge_intensity,
    entropy,
    spatial_frequency,
    standard_deviation,
)
from dream_if.metrics.functional.structure import ssim
from dream_if.metrics.functional.transfer import qabf, qg
from dream_if.metrics.functional.vif import vif, viff

__all__ = [
    "KeptWork",
    "average_gradient",
    "chroma_error",
    "clipping",
    "correlation_coefficient",
    "cross_entropy",
    "dimming",
    "edge_intensity",
    "entropy",
    "feature_mutual_information",
    "flat_noise",
    "labf",
    "lpips",
    "mean_squared_error",
    "mef_ssim",
    "ms_ssim",
    "mutual_information",
    "nabf",
    "nonlinear_correlation_information_entropy",
    "normalized_mutual_information",
    "peak_signal_noise_ratio",
    "petrovic_qabf",
    "piella_q",
    "piella_qe",
    "piella_qw",
    "qabf",
    "qcb",
    "qcv",
    "qg",
    "root_mean_squared_error",
    "shared_work",
    "spatial_frequency",
    "ssim",
    "standard_deviation",
    "sum_of_correlations_of_differences",
    "vif",
    "viff",
    "yang_qy",
]
