"""What training minimises: the paper's objective, and differentiable forms of two metrics as further terms."""

from dream_if.losses.appearance import clipping_loss, flat_loss
from dream_if.losses.dominance_targets import (
    activity_target,
    local_error,
    map_loss,
    reliability_target,
    trusted_activity_target,
)
from dream_if.losses.foreign import ForeignLoss
from dream_if.losses.metric_forms import qabf_loss, viff_loss
from dream_if.losses.objective import (
    FusionLoss,
    LossWeights,
    colour_loss,
    dominance_loss,
    gradient_loss,
    pixel_loss,
    ssim,
    ssim_loss,
)

__all__ = [
    "ForeignLoss",
    "FusionLoss",
    "LossWeights",
    "activity_target",
    "clipping_loss",
    "colour_loss",
    "dominance_loss",
    "flat_loss",
    "gradient_loss",
    "local_error",
    "map_loss",
    "pixel_loss",
    "qabf_loss",
    "reliability_target",
    "ssim",
    "ssim_loss",
    "trusted_activity_target",
    "viff_loss",
]
