"""Image files of 8 and 16 bit: read whole, with the channels asked for, or refused in a sentence."""

import zlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.pixels import to_8_bit

__all__ = ["MIN_SIZE", "Image", "decode_image", "read_image", "to_image", "to_tensor"]

Image: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MIN_SIZE = 16
"""Smallest height and width in pixels: the network halves its input three times and needs something left to see."""


class _QuietOpenCV:
    """Keeps OpenCV's own complaints off stderr while images are decoded: the error raised here says it better.

    The level is one for the process and several threads may decode at once, so the first in silences it and the last
    out restores it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._level = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._level = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.utils.logging.setLogLevel(self._level)


_quiet_opencv = _QuietOpenCV()


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the first scan is followed by an end-of-image marker.

    The header is walked segment by segment, because an embedded thumbnail has an end marker of its own. Inside the
    coded scan a byte 0xFF is always stuffed, so the marker cannot occur there by chance (ITU-T T.81, B.1.1.5).
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker == 0xDA:  # start of scan
            return data.find(b"\xff\xd9", position) >= 0
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _png_is_complete(data: bytes) -> bool:
    """Whether the chunks run unbroken to IEND and the critical ones match their checksum (PNG specification, 5.3)."""
    position = 8
    while position + 12 <= len(data):
        kind, end = (
            data[position + 4 : position + 8],
            position + 8 + int.from_bytes(data[position : position + 4], "big"),
        )
        if end + 4 > len(data):
            return False
        # An upper-case first letter marks the chunks that carry the picture; decoders pass over damage in the others.
        if kind[:1].isupper() and zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if kind == b"IEND":
            return True
        position = end + 4
    return False


def _webp_is_complete(data: bytes) -> bool:
    """Whether the file is as long as its RIFF header says."""
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


_JPEG = b"\xff\xd8"

_COMPLETENESS: tuple[tuple[bytes, Callable[[bytes], bool]], ...] = (
    (_JPEG, _jpeg_is_complete),
    (b"\x89PNG\r\n\x1a\n", _png_is_complete),
    (b"RIFF", _webp_is_complete),
)


def decode_image(path: Path) -> Image:
    """Read an image file with the channels it stores.

    The type is taken from the content, not from the name. EXIF orientation is applied, alpha is dropped.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP file of 8 or 16 bit per channel.

    Returns:
        (H, W, 1) for a grey file, (H, W, 3) in RGB order for a colour file; uint8 or uint16.

    Raises:
        InputError: The file cannot be opened, is empty, no image, incomplete, of another bit depth, or smaller than
            16 x 16 pixels. Some decoders return what they got of an incomplete file, grey below; this never does.
    """
    return _decoded(path, luminance=False)


def _decoded(path: Path, luminance: bool) -> Image:
    """As :func:`decode_image`; with ``luminance``, a JPEG gives the luminance it stores, (H, W, 1).

    That is less than half the work of decoding the colours and weighing them, and the same where there is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes); copy or download it again.")
    for signature, is_complete in _COMPLETENESS:
        if data.startswith(signature) and not is_complete(data):
            raise InputError(f"{path}: the image is damaged or cut short; copy or download it again.")
    # Not IMREAD_UNCHANGED, which would ignore the EXIF orientation.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    if luminance and data.startswith(_JPEG):
        flags = cv2.IMREAD_GRAYSCALE
    with _quiet_opencv:
        try:
            stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            stored = None
    if stored is None:
        raise InputError(
            f"{path}: not a readable image. Expected PNG, JPEG, BMP, TIFF or WebP, complete and undamaged; remove the "
            "file or replace it."
        )
    if stored.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: holds {stored.dtype} values; expected 8 or 16 bit per channel. Convert the file.")
    height, width = stored.shape[:2]
    if min(height, width) < MIN_SIZE:
        raise InputError(f"{path}: is {width}x{height} pixels; at least {MIN_SIZE}x{MIN_SIZE} are needed.")
    return cast(Image, stored[:, :, None] if stored.ndim == 2 else cv2.cvtColor(stored, cv2.COLOR_BGR2RGB))


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
