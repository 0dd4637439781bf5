"""Fusion without learning, behind the network's own signature: what a trained network has to beat."""

from torch import nn

from dream_if.baselines.guided_filter import GuidedFilter
from dream_if.baselines.luminance import LuminanceFusion
from dream_if.baselines.pixelwise import Average, Maximum
from dream_if.baselines.pyramid import LaplacianPyramid
from dream_if.baselines.saliency import TwoScaleSaliency
from dream_if.baselines.wavelet import Wavelet

__all__ = [
    "BASELINES",
    "Average",
    "GuidedFilter",
    "LaplacianPyramid",
    "LuminanceFusion",
    "Maximum",
    "TwoScaleSaliency",
    "Wavelet",
]

BASELINES: dict[str, type[nn.Module]] = {
    "average": Average,
    "maximum": Maximum,
    "laplacian": LaplacianPyramid,
    "wavelet": Wavelet,
    "guided": GuidedFilter,
    "saliency": TwoScaleSaliency,
}
"""Every method by the name that tables and options know it by."""
