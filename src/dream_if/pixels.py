"""Images and figures as 8 bit and as PNG files."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_png", "image_png", "to_8_bit"]


def to_8_bit(image: Tensor) -> Tensor:
    """Values of any shape in [0, 1], what lies outside clipped, as uint8: rounded to the nearest of 256 levels."""
    return (image.clamp(0, 1) * 255).round().to(torch.uint8)


def image_png(pixels: npt.NDArray[np.uint8], **options: Any) -> bytes:
    """An image (H, W), (H, W, 1) or (H, W, 3) as a PNG file.

    Args:
        pixels: the image.
        **options: of Pillow's ``save``.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def figure_png(figure: "Figure") -> bytes:
    """A figure of matplotlib as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
