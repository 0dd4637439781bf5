"""From network output to the 8-bit levels that metrics use. Only this module decides that."""

import warnings

from torch import Tensor

from dream_if.metrics.functional._planes import working_dtype
from dream_if.metrics.functional._sharing import share

__all__ = ["check_triple", "luminance", "quantise"]

# ITU-R BT.601 with the digits of MATLAB's rgb2gray, which made the golden grey images.
_RED, _GREEN, _BLUE = 0.298936021293775, 0.587043074451121, 0.114020904255103


@share
def quantise(image: Tensor) -> Tensor:
    """Round and clip an image in [0, 1] to the levels that a saved 8-bit file of it would hold.

    Published numbers are all computed on saved files; on the unrounded output EN, MI, AG and Qabf change in the third
    digit.

    Args:
        image: floats (B, 1, H, W) or (B, 3, H, W), in [0, 1]; what lies outside is clipped.

    Returns:
        Integer levels 0..255 as float64 (float32 on a device without float64), same shape. NaN stays NaN.

    Raises:
        TypeError: if the image is not a floating-point tensor.
        ValueError: if it has another shape.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise TypeError(f"expected floating-point images in [0, 1], got {kind}; divide 8-bit levels by 255")
    if image.ndim != 4 or image.shape[1] not in (1, 3):
        raise ValueError(f"expected images of shape (B, 1, H, W) or (B, 3, H, W), got {tuple(image.shape)}")
    levels = image.to(working_dtype(image.device))
    return (levels * 255).add_(0.5).floor_().clamp_(0, 255)


@share
def luminance(image: Tensor) -> Tensor:
    """Grey levels of an image in [0, 1]: each channel is quantised, then mixed by ITU-R BT.601 and rounded half up.

    Args:
        image: as for `quantise`. One channel is taken as grey.

    Returns:
        Integer levels 0..255, (B, H, W).
    """
    levels = quantise(image)
    if levels.shape[1] == 1:
        return levels[:, 0]
    red, green, blue = levels.unbind(1)
    return (red * _RED).add_(green, alpha=_GREEN).add_(blue, alpha=_BLUE).add_(0.5).floor_()


ROUNDING = 1.01
"""Up to here a source's value is one that was rounded; beyond, it is no image in [0, 1]."""

MOST_OF_A_NETWORK = 16.0
"""A network may leave [0, 1], but hardly so far; grey levels of 0..255 do."""


@share
def _most(image: Tensor) -> float:
    return image.max().item() if image.numel() else 0.0


def check_triple(fused: Tensor, visible: Tensor, infrared: Tensor) -> None:
    """Refuse a triple whose batch or image sizes differ, whose infrared image has colour, or sources not in [0, 1].

    A fused image far outside of [0, 1] is warned of, as a training that goes wrong should not end in its metrics.

    Raises:
        ValueError: naming the three shapes, or the source with the values.
    """
    sizes = {(image.shape[0], *image.shape[2:]) for image in (fused, visible, infrared)}
    if len(sizes) != 1 or infrared.shape[1] != 1:
        raise ValueError(
            "expected fused and visible (B, 1 or 3, H, W) and infrared (B, 1, H, W) of one size, got "
            f"fused {tuple(fused.shape)}, visible {tuple(visible.shape)}, infrared {tuple(infrared.shape)}"
        )
    for name, source in (("visible", visible), ("infrared", infrared)):
        if source.is_floating_point() and _most(source) > ROUNDING:
            raise ValueError(
                f"expected images in [0, 1], got {name} with values up to {_most(source):g}; divide grey levels by 255"
            )
    if fused.is_floating_point() and _most(fused) > MOST_OF_A_NETWORK:
        warnings.warn(
            f"fused has values up to {_most(fused):g} and is clipped to [0, 1]; divide grey levels by 255", stacklevel=3
        )
