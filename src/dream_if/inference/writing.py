"""Writing pictures in the format that a file's ending names, with the metadata of the visible source."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dream_if.errors import InputError
from dream_if.inference.pictures import Picture, Pixels
from dream_if.storage import write_atomically

__all__ = ["ENDINGS", "check_ending", "image_of", "write_deep", "write_map", "write_picture"]

ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WEBP",
}
"""File ending -> format."""

OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},  # twice as fast as 6, and a few per cent larger
    "JPEG": {"quality": 95, "subsampling": 0},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
    "WEBP": {"quality": 95},
}
TRANSPARENT = ("PNG", "TIFF", "WEBP")
DEEP = ("PNG", "TIFF")


def check_ending(path: Path, depth: int = 8) -> str:
    """The format that a file's ending names.

    Raises:
        InputError: It names none that can be written, or none with so many bits.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"{path}: expected an output that ends in {', '.join(ENDINGS)}, got {path.suffix or 'no ending'!r}."
        )
    kind = ENDINGS[path.suffix.lower()]
    if depth == 16 and kind not in DEEP:
        raise InputError(f"{path}: {kind} has 8 bits; for a depth of 16 name a file that ends in .png, .tif or .tiff.")
    return kind


def image_of(picture: Picture) -> Image.Image:
    """An image of Pillow: L, LA, RGB or RGBA, 8 bit.

    Args:
        picture: uint8 pixels.
    """
    values = picture.pixels
    if picture.alpha is not None:
        values = np.concatenate([values, picture.alpha[:, :, None]], axis=2).astype(np.uint8)
    image = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    image.info.update(picture.metadata)
    return image


def write_picture(path: Path, picture: Picture) -> tuple[str, ...]:
    """Write a picture of 8 or 16 bit, whole or not at all.

    Args:
        path: where; its ending names the format.
        picture: uint8 or uint16 pixels.

    Returns:
        Sentences about what the format could not keep.

    Raises:
        InputError: The ending names no format or none of this depth, the picture is too large for the format, or the
            folder cannot be written to.
    """
    kind = check_ending(path, 8 * picture.pixels.dtype.itemsize)
    notes = []
    if picture.pixels.dtype == np.uint16:
        write_deep(path, picture.pixels, picture.alpha)
        if picture.metadata:
            notes.append(f"{path}: with 16 bits, metadata of the visible source are left out")
        return tuple(notes)
    if picture.alpha is not None and kind not in TRANSPARENT:
        picture = Picture(picture.pixels, None, picture.metadata)
        notes.append(f"{path}: {kind} has no transparency, so it was left out")
    image = image_of(picture)
    metadata = dict(picture.metadata)
    try:
        data = _encoded(image, kind, metadata)
    except Exception:  # a profile or EXIF block that is too long, or that only its reader put up with
        try:
            data = _encoded(image, kind, {})
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: {image.width}x{image.height} pixels cannot be written as {kind} ({error}); name a PNG or "
                "TIFF file."
            ) from error
        notes.append(f"{path}: {kind} does not take the metadata of the visible source, so they were left out")
    write_atomically(path, data)
    return tuple(notes)


def _encoded(image: Image.Image, kind: str, metadata: dict[str, Any]) -> memoryview:
    buffer = io.BytesIO()
    image.info.clear()  # some formats would write what they find there
    image.save(buffer, format=kind, **OPTIONS[kind], **metadata)
    return buffer.getbuffer()


def write_deep(path: Path, pixels: Pixels, alpha: npt.NDArray[np.uint8] | None = None) -> None:
    """Write more than 8 bits with OpenCV: Pillow has no colours of 16 bit.

    Args:
        path: a PNG or TIFF file.
        pixels: (H, W, 1 or 3).
        alpha: (H, W), for uint16 pixels; grey ones are then stored as colours.

    Raises:
        InputError: The folder cannot be written to.
    """
    import cv2  # half a second, for few files

    stored: npt.NDArray[Any] = pixels
    if alpha is not None:
        deep = alpha[:, :, None].astype(np.uint16) * 257
        stored = np.concatenate([np.broadcast_to(pixels, (*alpha.shape, 3))[:, :, ::-1], deep], axis=2)
    elif pixels.shape[2] == 3:
        stored = np.ascontiguousarray(pixels[:, :, ::-1])
    write_atomically(path, cv2.imencode(path.suffix, stored)[1].tobytes())


def write_map(path: Path, values: npt.NDArray[np.float32]) -> None:
    """Write a map as a grey PNG of 16 bit, black for 0 and white for 1.

    Args:
        path: where.
        values: (H, W) in [0, 1].

    Raises:
        InputError: The folder cannot be written to.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.round(values.clip(0, 1) * 65535).astype(np.uint16)).save(buffer, format="PNG", compress_level=4)
    write_atomically(path, buffer.getbuffer())
