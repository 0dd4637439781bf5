"""Image files of 8 and 16 bit: read whole, with the channels asked for, or refused in a sentence."""

from pathlib import Path
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dream_if.decoding import MIN_SIZE, decode
from dream_if.errors import InputError
from dream_if.pixels import to_8_bit

__all__ = ["MIN_SIZE", "Image", "decode_image", "read_image", "to_image", "to_tensor"]

Image: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def decode_image(path: Path) -> Image:
    """Read an image file with the channels it stores.

    EXIF orientation is applied, alpha is dropped.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP file of 8 or 16 bit per channel.

    Returns:
        (H, W, 1) for a grey file, (H, W, 3) in RGB order for a colour file; uint8 or uint16.

    Raises:
        InputError: As `dream_if.decoding.decode`, or the file has another bit depth.
    """
    return _decoded(path, luminance=False)


def _decoded(path: Path, luminance: bool) -> Image:
    """As :func:`decode_image`; with ``luminance``, a JPEG gives the luminance it stores, (H, W, 1)."""
    pixels = decode(path, luminance).pixels
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: holds {pixels.dtype} values; expected 8 or 16 bit per channel. Convert the file.")
    return cast(Image, pixels)


def read_image(path: Path, channels: Literal[1, 3]) -> Image:
    """Read an image file with the number of channels asked for.

    A grey file read with three channels has them equal. A colour file read with one channel becomes its luminance
    (ITU-R BT.601 weights, which JPEG itself stores); where its channels are equal, as in many infrared files, their
    value is kept exactly.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP file.
        channels: 3 for visible (RGB), 1 for infrared.

    Returns:
        (H, W, channels), uint8 for an 8-bit file and uint16 for a 16-bit one.

    Raises:
        InputError: As :func:`decode_image`.
    """
    stored = _decoded(path, luminance=channels == 1)
    if stored.shape[2] == channels:
        return stored
    if channels == 3:
        return cast(Image, cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB))
    return cast(Image, cv2.cvtColor(stored, cv2.COLOR_RGB2GRAY)[:, :, None])


def to_tensor(image: Image) -> Tensor:
    """Convert an image to floating point.

    Args:
        image: (H, W, C), uint8 or uint16.

    Returns:
        (C, H, W) float32 in [0, 1]: the values over 255 or over 65535.
    """
    scale = np.float32(np.iinfo(image.dtype).max)
    return torch.from_numpy(np.divide(image.transpose(2, 0, 1), scale, dtype=np.float32, order="C"))


def to_image(tensor: Tensor) -> Image:
    """Convert floating point to what an 8-bit file holds, rounded to the nearest level.

    Args:
        tensor: (C, H, W) in [0, 1], on any device; what lies outside is clipped.

    Returns:
        (H, W, C) uint8. Of an image that :func:`to_tensor` made from 8 bit it is that image again.
    """
    return cast(Image, to_8_bit(tensor).permute(1, 2, 0).cpu().numpy())
