"""What every fusion network takes and returns."""

from typing import NamedTuple

from torch import Tensor

from dream_if.errors import InputError

__all__ = ["MINIMUM_SIDE", "FusionOutput", "check_finite", "check_shapes"]

MINIMUM_SIDE = 16  # pixels; three halvings leave two, which is as little as a 3x3 convolution has use for


class FusionOutput(NamedTuple):
    """What `DreamIF` returns.

    Attributes:
        fused: (B, 3, H, W), near [0, 1] but not clamped, so that gradients pass everywhere; in the parameters'
            precision, also under autocast.
        dominance_visible: maps (B, 1, h, w) in (0, 1), at 1, 1/2 and 1/4 of the image's size, one for each level of
            the decoder; with ``dominance: weighing`` the fusion weight, at full size, comes before them. Empty
            without RD.
        dominance_infrared: likewise for the infrared source.
    """

    fused: Tensor
    dominance_visible: tuple[Tensor, ...]
    dominance_infrared: tuple[Tensor, ...]


def check_shapes(visible: Tensor, infrared: Tensor) -> None:
    """Raise InputError, with both shapes, unless this is a batch of pairs that the network takes."""
    batch, _, height, width = visible.shape if visible.ndim == 4 else (0, 0, 0, 0)
    expected = (batch, 3, height, width), (batch, 1, height, width)
    if (tuple(visible.shape), tuple(infrared.shape)) != expected or min(height, width) < MINIMUM_SIDE:
        raise InputError(
            f"DreamIF takes visible (B, 3, H, W) and infrared (B, 1, H, W) with H and W at least {MINIMUM_SIDE}, "
            f"got {tuple(visible.shape)} and {tuple(infrared.shape)}."
        )


def check_finite(fused: Tensor) -> Tensor:
    """The same tensor; raise InputError if a value is NaN or infinite: it would be black or white without a word."""
    if not fused.isfinite().all():
        raise InputError(
            "the fused image has NaN or infinite values; compute in float32, or take an earlier checkpoint."
        )
    return fused
