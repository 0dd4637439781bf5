"""A user's picture: its pixels as `dream_if.decoding` reads them, and its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dream_if.decoding import MIN_SIZE, READABLE, Decoded, Pixels, decode, from_pillow

__all__ = ["MIN_SIZE", "READABLE", "Picture", "Pixels", "picture_of", "read_picture"]

# What a camera says of a scene. Tags that describe the old file's layout, such as strips or the size, and the
# thumbnail, which shows the picture before fusion, are not carried over.
KEPT_TAGS = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
KEPT_FOLDERS = (0x8769, 0x8825)  # Exif and GPS
DROPPED_IN_FOLDERS = (0xA002, 0xA003, 0xA005)  # width, height, an offset into the old file


@dataclass(frozen=True)
class Picture:
    """One picture, upright.

    Attributes:
        pixels: (H, W, 1) for a grey picture, (H, W, 3) for RGB. uint8 and uint16 span their type; int32 and float32
            are whatever a measuring camera wrote.
        alpha: (H, W) uint8, or None where nothing is transparent.
        metadata: `icc_profile`, `exif` and `xmp` in bytes and `dpi`, as far as there are any; keywords of Pillow's
            ``save``.
        notes: sentences about what was done on the way that its owner may want to know.
        name: what messages call it.
    """

    pixels: Pixels
    alpha: npt.NDArray[np.uint8] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    name: str = "picture"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read_picture(path: Path) -> Picture:
    """Read a picture file.

    Args:
        path: PNG, JPEG, TIFF, BMP or WebP file.

    Raises:
        InputError: As `dream_if.decoding.decode`.
    """
    return _picture(decode(path), str(path))


def picture_of(image: Image.Image, name: str = "picture") -> Picture:
    """Take a picture out of Pillow's hands.

    Args:
        image: any mode that has a conversion to RGB, and grey ones of 8, 16 or 32 bit and of floating point.
        name: what messages call it.

    Raises:
        InputError: As `dream_if.decoding.from_pillow`.
    """
    return _picture(from_pillow(image, name), name)


def _picture(decoded: Decoded, name: str) -> Picture:
    metadata, unread = _metadata(decoded.image)
    if decoded.image.mode == "CMYK":
        metadata["icc_profile"] = decoded.profile
    notes = (*decoded.notes, *(f"{name}: {thing} cannot be read and was left out" for thing in unread))
    return Picture(decoded.pixels, decoded.alpha, metadata, notes, name)


def _metadata(image: Image.Image) -> tuple[dict[str, Any], list[str]]:
    """What is carried over to the fused picture, and the names of what could not be read."""
    kept: dict[str, Any] = {}
    unread = []
    for key, kind in (("icc_profile", bytes), ("xmp", bytes), ("dpi", tuple)):
        if isinstance(image.info.get(key), kind):
            kept[key] = image.info[key]
    try:
        exif = _exif(image)
        if exif:
            kept["exif"] = exif
    except Exception:  # a damaged block raises anything, and says nothing about the pixels
        unread.append("its EXIF block")
    return kept, unread


def _exif(image: Image.Image) -> bytes:
    """The EXIF block without orientation, thumbnail and the layout of the old file; empty if nothing is left."""
    old, new = image.getexif(), Image.Exif()
    for tag in KEPT_TAGS:
        if tag in old:
            new[tag] = old[tag]
    for folder in KEPT_FOLDERS:
        entries = {tag: value for tag, value in old.get_ifd(folder).items() if tag not in DROPPED_IN_FOLDERS}
        if entries:
            new.get_ifd(folder).update(entries)
            new[folder] = new.get_ifd(folder)
    return new.tobytes() if len(new) else b""
