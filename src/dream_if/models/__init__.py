"""The fusion network. Imports nothing of ours beside itself, so that it can be used alone."""

from dream_if.models.contract import FusionOutput, check_finite
from dream_if.models.dream_if import DreamIF
from dream_if.models.foreign import ForeignNetwork, FusionNetwork

__all__ = ["DreamIF", "ForeignNetwork", "FusionNetwork", "FusionOutput", "check_finite"]
