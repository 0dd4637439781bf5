"""Reading any user's picture: its pixels in the depth they are stored in, its transparency, and what it says of itself.

The reader of `dream_if.data` is for data sets: it is strict, quick, and keeps no more than pixels. Here Pillow reads,
which knows palettes, CMYK, transparency, colour profiles and EXIF. Only where Pillow would cut colours of 16 bit down
to 8 does OpenCV read the pixels.
"""

import io
import logging
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from dream_if.errors import InputError

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints of damaged files what the error says again

__all__ = ["MIN_SIZE", "READABLE", "Picture", "Pixels", "picture_of", "read_picture"]

MIN_SIZE = 16
"""Smallest height and width in pixels that the network takes."""

READABLE = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
"""Names of the formats, as Pillow has them. Others that Pillow knows would run rarely tested decoders."""

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]

ORIENTATION = 0x0112
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

    The format is taken from the content, not from the name; of several frames or pages the first is read. EXIF
    orientation is applied.

    Args:
        path: PNG, JPEG, TIFF, BMP or WebP file.

    Raises:
        InputError: The file cannot be opened, is empty, no picture of these formats, damaged, cut short, of a colour
            space that has no conversion, or smaller than 16 x 16 pixels.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes); copy or download it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage in what is not needed, and of pictures above 89 megapixels
            with Image.open(io.BytesIO(data), formats=READABLE) as image:
                _check_size(image, str(path))
                deep = _has_deep_colour(image)
                picture = picture_of(image, str(path))
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a picture of a known format. Expected PNG, JPEG, TIFF, BMP or WebP; convert or replace it."
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: has more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels; cut it up first."
        ) from error
    except Exception as error:  # decoders of damaged files raise anything: OSError, SyntaxError, struct.error, KeyError
        raise InputError(
            f"{path}: the picture is damaged or cut short ({error}); copy or download it again."
        ) from error
    return _with_deep_colour(picture, data) if deep else picture


def picture_of(image: Image.Image, name: str = "picture") -> Picture:
    """Take a picture out of Pillow's hands.

    Args:
        image: any mode that has a conversion to RGB, and grey ones of 8, 16 or 32 bit and of floating point.
        name: what messages call it.

    Raises:
        InputError: It is smaller than 16 x 16 pixels, or its colour space has no conversion.
    """
    _check_size(image, name)
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"{name}: the first of its frames or pages was taken")
    image.load()  # first, or what is asked for EXIF would meet the damage, and pixels asked for again come half decoded
    metadata, unread = _metadata(image)
    notes += [f"{name}: {thing} cannot be read and was left out" for thing in unread]
    upright = _upright(image)
    if upright.mode == "CMYK":
        upright, profile = _from_cmyk(upright)
        metadata["icc_profile"] = profile  # the old one described inks
        notes.append(f"{name}: CMYK was converted to RGB {'by its' if profile else 'without a'} colour profile")
    pixels, alpha = _pixels(upright, name)
    return Picture(pixels, alpha, metadata, tuple(notes), name)


def _check_size(image: Image.Image, name: str) -> None:
    if min(image.size) < MIN_SIZE:
        raise InputError(f"{name}: is {image.width}x{image.height} pixels; at least {MIN_SIZE}x{MIN_SIZE} are needed.")


def _upright(image: Image.Image) -> Image.Image:
    """The picture as it is to be seen. What Pillow cannot rotate for damage in the EXIF data stays as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return image


def _pixels(image: Image.Image, name: str) -> tuple[Pixels, npt.NDArray[np.uint8] | None]:
    """Grey or RGB values, and alpha."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, None], None
    if image.mode in ("I", "F"):
        return np.asarray(image)[:, :, None], None
    clear = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    grey = image.mode in ("1", "L", "LA", "La")
    mode = {(True, False): "L", (True, True): "LA", (False, False): "RGB", (False, True): "RGBA"}[grey, clear]
    try:
        values = np.asarray(image if image.mode == mode else image.convert(mode))
    except ValueError as error:
        raise InputError(f"{name}: pictures of mode {image.mode} cannot be read; convert it to RGB first.") from error
    values = values[:, :, None] if values.ndim == 2 else values
    return (values[:, :, :-1], values[:, :, -1]) if clear else (values, None)


def _from_cmyk(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Ink as light, and the profile of that light: by the picture's profile, or a formula if it has none that works."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            inks, light = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, inks, light, outputMode="RGB")
            assert converted is not None  # it would be if it were done in place
            return converted, ImageCms.ImageCmsProfile(light).tobytes()
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile is as good as none
    return image.convert("RGB"), None


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


def _has_deep_colour(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow would read 16 bit for each colour as 8. Rotated ones are left to it."""
    if image.mode not in ("RGB", "RGBA", "LA") or not image.tile:
        return False
    details = image.tile[0].args  # asked for before EXIF, for which Pillow may read all of the file
    layout = details if isinstance(details, str) else details[0] if details else ""
    return isinstance(layout, str) and ";16" in layout and image.getexif().get(ORIENTATION, 1) == 1


def _with_deep_colour(picture: Picture, data: bytes) -> Picture:
    """The picture with its pixels in 16 bit; in 8 bit, as it was, where OpenCV does not know the file."""
    import cv2  # half a second, for few files

    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        stored = None
    if stored is None or stored.dtype != np.uint16 or stored.shape[:2] != picture.size:
        return picture
    pixels = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB) if stored.ndim == 3 else stored[:, :, None]
    return Picture(cast(Pixels, pixels), picture.alpha, picture.metadata, picture.notes, picture.name)
