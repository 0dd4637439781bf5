"""The one reader of image files, for training, fusing and the app: pixels at their stored depth, or a short error.

Pillow reads most files: it knows palettes, CMYK, transparency and orientation, and refuses what it cannot decode to the
end. Two things need another library. Pillow ignores warnings of libjpeg, so simplejpeg decodes JPEG, with the same
library and to the same pixels, and treats a warning as damage. And Pillow reduces 16-bit colour to 8 bits, so OpenCV
reads that.
"""

import ctypes
import io
import logging
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, _imaging

from dream_if.errors import InputError

with suppress(AttributeError, OSError):  # where Pillow has libtiff within itself, as on Windows, or lacks it
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)  # it prints what Pillow raises
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints of damaged files what the error says again

__all__ = [
    "LIMIT",
    "MIN_SIZE",
    "READABLE",
    "Decoded",
    "Pixels",
    "alone_if_large",
    "check_size",
    "declared_pixels",
    "decode",
    "from_pillow",
]

MIN_SIZE = 16
"""Smallest height and width in pixels: the network halves its input three times and needs something left to see."""

READABLE = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
"""Names of the formats, as Pillow has them. Others that Pillow knows would run rarely tested decoders."""

LIMIT = "DREAM_IF_MAX_PIXELS"
"""The environment variable with the most pixels that a picture may have, `MOST_PIXELS` where it is not set."""

MOST_PIXELS = 100_000_000

LARGE = 16_000_000
"""Pixels from which on `alone_if_large` lets no two threads work at the same time."""

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]

ORIENTATION = 0x0112
COMPRESSION, JPEG_IN_TIFF, JPEG_TABLES, PACKBITS = 259, 7, 347, 32773
BITS, PLANES, STRIP_ROWS, TILE_COLUMNS, TILE_ROWS = 258, 284, 278, 322, 323
STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 273, 279, 324, 325

_pillow_limit, _opencv_level = Lock(), Lock()  # both are one for the process
_one_large = Lock()


@dataclass(frozen=True)
class Decoded:
    """A picture, upright.

    Attributes:
        pixels: (H, W, 1) for a grey picture, (H, W, 3) for RGB. uint8 and uint16 span their type; int32 and float32
            are whatever a measuring camera wrote.
        alpha: (H, W) uint8, or None where nothing is transparent.
        image: Pillow's, loaded and as it is stored, to be asked what it says of itself.
        profile: the colour profile of the pixels in bytes, or None.
        notes: sentences about what was done on the way that its owner may want to know.
    """

    pixels: Pixels
    alpha: npt.NDArray[np.uint8] | None
    image: Image.Image
    profile: bytes | None
    notes: tuple[str, ...]


def decode(path: Path, luminance: bool = False) -> Decoded:
    """Read a picture file.

    The format is taken from the content, not from the name; of several frames or pages the first is read. EXIF
    orientation is applied.

    Args:
        path: PNG, JPEG, TIFF, BMP or WebP file.
        luminance: whether a JPEG in colour may give the luminance that it stores, (H, W, 1), which is quicker.

    Raises:
        InputError: The file cannot be opened, is empty, no picture of these formats, damaged, cut short, of a colour
            space that has no conversion, smaller than 16 x 16 pixels, or larger than the limit.
    """
    data = _content(path)
    with _opened(path, data) as image:
        frames = getattr(image, "n_frames", 1)
        deep = _has_deep_colour(image)
        if image.format == "TIFF" and image.tag_v2.get(COMPRESSION) in (JPEG_IN_TIFF, PACKBITS):  # type: ignore[attr-defined]
            _check_strips(image, data)
        loaded = _jpeg(image, data, luminance) if image.format in ("JPEG", "MPO") else image
        decoded = from_pillow(loaded, str(path), frames)
    return _with_deep_colour(decoded, data) if deep else decoded


@contextmanager
def alone_if_large(*paths: Path) -> Iterator[None]:
    """Wait for other threads that work on large pictures, so that the memory for one suffices.

    Args:
        paths: files that the block works on. Those that cannot be read count as small.
    """
    try:
        large = any(declared_pixels(path) > LARGE for path in paths)
    except InputError:
        large = False
    with _one_large if large else nullcontext():
        yield


def declared_pixels(path: Path) -> int:
    """How many pixels a file says that it has, without decoding it.

    Raises:
        InputError: As `decode`, as far as the file's beginning shows it.
    """
    with _opened(path, _content(path)) as image:
        return image.width * image.height


def from_pillow(image: Image.Image, name: str = "picture", frames: int | None = None) -> Decoded:
    """Take a picture out of Pillow's hands.

    Args:
        image: any mode that has a conversion to RGB, and grey ones of 8, 16 or 32 bit and of floating point.
        name: what messages call it.
        frames: how many frames or pages it has; None to ask it.

    Raises:
        InputError: It is too small or too large, or its colour space has no conversion.
    """
    check_size(image.size, name)
    notes = []
    if (getattr(image, "n_frames", 1) if frames is None else frames) > 1:
        notes.append(f"{name}: the first of its frames or pages was taken")
    image.load()  # first, or what is asked for EXIF would meet the damage, and pixels asked for again come half decoded
    profile = image.info.get("icc_profile")
    upright = _upright(image)
    if upright.mode == "CMYK":
        upright, profile = _from_cmyk(upright)  # the old one described inks
        notes.append(f"{name}: CMYK was converted to RGB {'by its' if profile else 'without a'} colour profile")
    pixels, alpha = _pixels(upright, name)
    return Decoded(pixels, alpha, image, profile if isinstance(profile, bytes) else None, tuple(notes))


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuse pictures that are too small or too large.

    Args:
        size: width and height in pixels.
        name: what the message calls it.

    Raises:
        InputError: A side has fewer than `MIN_SIZE` pixels, the picture more than the limit, or the limit is no number.
    """
    width, height = size
    if min(size) < MIN_SIZE:
        raise InputError(f"{name}: is {width}x{height} pixels; at least {MIN_SIZE}x{MIN_SIZE} are needed.")
    given = os.environ.get(LIMIT, str(MOST_PIXELS))
    if not (given.isdecimal() and 0 < len(given) < 16):
        raise InputError(f"{LIMIT}: expected a whole number of pixels such as {MOST_PIXELS}, got {given[:40]!r}.")
    if width * height > int(given):
        raise InputError(
            f"{name}: says that it has {width}x{height} pixels, and {int(given)} are the most that are read. Cut it "
            f"up, or set the environment variable {LIMIT} higher."
        )


def _content(path: Path) -> bytes:
    """The bytes of a regular file: a pipe could keep its reader waiting for ever."""
    try:
        kind = path.stat().st_mode
        data = path.read_bytes() if stat.S_ISREG(kind) else b""
    except (OSError, ValueError) as error:  # a name with a null byte is no OSError
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "a pipe or device"
        raise InputError(f"{path}: cannot be read (it is {what}, not a file).")
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes); copy or download it again.")
    return data


@contextmanager
def _opened(path: Path, data: bytes) -> Iterator[Image.Image]:
    """The picture in a file's content, not yet decoded; what the block's decoders raise becomes an InputError."""
    try:
        with _pillow_limit:  # ours is asked in its place, below
            kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                opened = Image.open(io.BytesIO(data), formats=READABLE)
            finally:
                Image.MAX_IMAGE_PIXELS = kept
        with opened as image:
            check_size(image.size, str(path))
            yield image
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{path}: there is not enough memory to read it; make it smaller, or more memory free."
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a picture of a known format. Expected PNG, JPEG, TIFF, BMP or WebP; convert or replace it."
        ) from error
    except Exception as error:  # decoders of damaged files raise anything: OSError, SyntaxError, struct.error, KeyError
        raise InputError(
            f"{path}: the picture is damaged or cut short ({error}); copy or download it again."
        ) from error


def _jpeg(image: Image.Image, data: bytes, luminance: bool) -> Image.Image:
    """A JPEG with its pixels, decoded without a warning.

    Raises:
        ValueError: The decoder had something to warn of.
    """
    kind = "GRAY" if image.mode == "L" or (luminance and image.mode == "RGB") else image.mode
    pixels = simplejpeg.decode_jpeg(data, colorspace=kind)
    if kind == "CMYK":
        return image  # Pillow's way with inverted inks
    decoded = Image.fromarray(pixels.squeeze(2) if kind == "GRAY" else pixels)
    decoded.info = dict(image.info)
    return decoded


def _check_strips(image: Image.Image, data: bytes) -> None:
    """Look at the strips or tiles of a TIFF whose decoder, JPEG or PackBits, tells Pillow of no warning.

    Raises:
        ValueError: The decoder has something to warn of.
    """
    tags = image.tag_v2  # type: ignore[attr-defined]
    tables, kind = tags.get(JPEG_TABLES, b"")[2:-2], "CMYK" if image.mode == "CMYK" else "GRAY"
    starts, sizes = (tags.get(one) or tags[other] for one, other in ((STRIPS, TILES), (STRIP_SIZES, TILE_SIZES)))
    rows = tags.get(TILE_ROWS) or min(tags.get(STRIP_ROWS, image.height), image.height)
    bits = tags.get(BITS, (1,))[: 1 if tags.get(PLANES) == 2 else None]
    bytes_of_row = (tags.get(TILE_COLUMNS, image.width) * sum(bits) + 7) // 8
    last, across = image.height % rows or rows, -(-image.height // rows)
    for number, (start, size) in enumerate(zip(starts, sizes, strict=True), start=1):
        strip = data[start : start + size]
        if tags[COMPRESSION] == JPEG_IN_TIFF:
            simplejpeg.decode_jpeg(strip[:2] + tables + strip[2:], colorspace=kind)
        elif image.mode != "YCbCr":  # whose colours may have fewer pixels
            _check_packed(strip, bytes_of_row * (last if TILES not in tags and number % across == 0 else rows))


def _check_packed(strip: bytes, length: int) -> None:
    """Walk through the runs of a strip packed by PackBits (TIFF 6.0, section 9), up to its length when unpacked.

    Raises:
        ValueError: A run goes on beyond it; libtiff then leaves out the rest, with a warning.
    """
    place = unpacked = 0
    while unpacked < length and place < len(strip):
        head = strip[place]
        unpacked += head + 1 if head < 128 else 257 - head if head > 128 else 0
        place += head + 2 if head < 128 else 2 if head > 128 else 1
    if unpacked > length:
        raise ValueError("a run of equal bytes is longer than the strip it is in")


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


def _has_deep_colour(image: Image.Image) -> bool:
    """Whether Pillow would read 16 bit for each colour as 8. Rotated ones are left to it."""
    tile = getattr(image, "tile", None)
    if image.mode not in ("RGB", "RGBA", "LA") or not tile:
        return False
    details = tile[0][3]  # its arguments; asked for before EXIF, for which Pillow may read all of the file
    layout = details if isinstance(details, str) else details[0] if details else ""
    return isinstance(layout, str) and ";16" in layout and image.getexif().get(ORIENTATION, 1) == 1


def _with_deep_colour(decoded: Decoded, data: bytes) -> Decoded:
    """The picture with its pixels in 16 bit; in 8 bit, as it was, where OpenCV does not know the file."""
    import cv2  # half a second, for few files

    log = getattr(cv2.utils, "logging", cv2)  # which has them in OpenCV 4
    with _opencv_level:
        level = log.getLogLevel()
        log.setLogLevel(0)  # silent: Pillow has found nothing wrong with the pixels
        try:
            stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
        except cv2.error:
            stored = None
        finally:
            log.setLogLevel(level)
    if stored is None or stored.dtype != np.uint16 or stored.shape[:2] != decoded.pixels.shape[:2]:
        return decoded
    pixels = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB) if stored.ndim == 3 else stored[:, :, None]
    return Decoded(cast(Pixels, pixels), decoded.alpha, decoded.image, decoded.profile, decoded.notes)
