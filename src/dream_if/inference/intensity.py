"""From stored pixels to the network's input, [0, 1], and from its colours to the requested ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.inference.pictures import Picture, Pixels

__all__ = [
    "COLOURS",
    "Colour",
    "InfraredRange",
    "colour_map",
    "coloured",
    "infrared_values",
    "luminance",
    "tinted",
    "visible_values",
]

Colour = Literal["rgb", "ycbcr", "grey"]
COLOURS: tuple[str, ...] = get_args(Colour)

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG files and in the metrics
PERCENTILES = (0.1, 99.9)  # of a 640x480 image 307 pixels at each end: hot or dead pixels do not set the scale
FALSE_COLOUR = 8  # mean difference of channels, of 255 grey levels, from which on a picture is no grey one


@dataclass(frozen=True)
class InfraredRange:
    """Which stored infrared values become black and white.

    Attributes:
        kind: ``auto``: 8 bit and floats in [0, 1] as they are, everything else by percentiles; ``percentile``: the
            0.1 and 99.9 percentiles of each image; ``shared``: the outermost of these percentiles of all images, see
            `over`; ``full``: all that the type can hold; ``fixed``: `low` to `high`.
        low: stored value that becomes black, for ``fixed``.
        high: stored value that becomes white, for ``fixed``.
    """

    kind: Literal["auto", "percentile", "shared", "full", "fixed"] = "auto"
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def parse(cls, given: "str | tuple[float, float] | InfraredRange") -> "InfraredRange":
        """A range from ``auto``, ``percentile``, ``shared``, ``full``, ``LOW,HIGH`` or a pair of numbers.

        Raises:
            InputError: It is none of these, or low is not below high.
        """
        if isinstance(given, InfraredRange):
            return given
        kinds: tuple[Literal["auto", "percentile", "shared", "full"], ...] = ("auto", "percentile", "shared", "full")
        for kind in kinds:
            if given == kind:
                return cls(kind)
        try:
            low, high = (float(end) for end in (given.split(",") if isinstance(given, str) else given))
        except (TypeError, ValueError):
            low = high = float("nan")
        if not (low < high and np.isfinite(low) and np.isfinite(high)):
            raise InputError(
                f"infrared range: expected auto, percentile, shared, full, or two numbers LOW,HIGH with LOW below "
                f"HIGH, got {given!r}."
            )
        return cls("fixed", low, high)

    def __str__(self) -> str:
        return f"{self.low:g},{self.high:g}" if self.kind == "fixed" else self.kind

    def over(self, pictures: Iterable[Picture]) -> "InfraredRange":
        """The range of several pictures: the same for all of them if it is ``shared``, else this one.

        Args:
            pictures: infrared ones; they are read only if need be.

        Raises:
            InputError: Their values are not all of one type, or one is no number.
        """
        if self.kind != "shared":
            return self
        types: dict[str, str] = {}
        lows, highs = [], []
        for picture in pictures:
            _check_finite(picture.pixels, picture.name)
            types[str(picture.pixels.dtype)] = picture.name
            low, high = self.ends(picture.pixels, picture.name)
            lows.append(low)
            highs.append(high)
        if len(types) > 1:
            found = " and ".join(f"{name} has {kind}" for kind, name in types.items())
            raise InputError(f"infrared range: {found} values; a shared range needs one type. Fuse them apart.")
        return InfraredRange("fixed", min(lows), max(*highs, min(lows) + 1e-6)) if lows else self

    def ends(self, values: Pixels, name: str) -> tuple[float, float]:
        """The stored values that become black and white in this image.

        Args:
            values: of any shape, finite.
            name: what messages call the image.

        Raises:
            InputError: ``full`` is asked for values whose type has no range.
        """
        if self.kind == "fixed":
            return self.low, self.high
        whole = _span(values)
        if self.kind == "full" and whole is None:
            raise InputError(f"{name}: {values.dtype} values have no full range; give --infrared-range LOW,HIGH.")
        if whole is not None and (self.kind == "full" or (self.kind == "auto" and values.dtype != np.uint16)):
            return whole
        low, high = np.percentile(values, PERCENTILES)
        return float(low), float(high)


def _span(values: Pixels) -> tuple[float, float] | None:
    """What the type can hold; None where that says nothing about the picture."""
    kind: np.dtype[Any] = values.dtype
    if kind in (np.uint8, np.uint16):
        return 0.0, float(np.iinfo(kind).max)
    if values.dtype == np.float32 and values.min() >= 0 and values.max() <= 1:
        return 0.0, 1.0
    return None


def visible_values(picture: Picture) -> npt.NDArray[np.float32]:
    """(H, W, 1 or 3) in [0, 1].

    Raises:
        InputError: The pixels are neither of 8 or 16 bit nor floats in [0, 1].
    """
    values = picture.pixels
    _check_finite(values, picture.name)
    span = _span(values)
    if span is None and values.dtype == np.int32 and values.min() >= 0 and values.max() <= 65535:
        span = 0.0, 65535.0  # what some releases of Pillow make of 16-bit grey
    if span is None:
        raise InputError(
            f"{picture.name}: visible values from {values.min():g} to {values.max():g} of type {values.dtype}; "
            "expected 8 or 16 bit, or floats from 0 to 1. Scale it first."
        )
    return np.divide(values, span[1], dtype=np.float32)


def infrared_values(picture: Picture, span: InfraredRange) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """(H, W) in [0, 1], and sentences about how it came to them.

    Of colours the luminance is taken.

    Raises:
        InputError: A value is no number, or the range is none for this type.
    """
    values, notes = picture.pixels, []
    _check_finite(values, picture.name)
    low, high = span.ends(values, picture.name)
    if values.dtype != np.uint8 or (low, high) != (0.0, 255.0):
        how = (
            ", percentiles 0.1 and 99.9"
            if span.kind in ("auto", "percentile", "shared") and (low, high) != _span(values)
            else ""
        )
        notes.append(f"{picture.name}: infrared values from {low:g} (black) to {high:g} (white){how}")
    if values.shape[2] == 3 and (values[:, :, :1] == values).all():
        values = values[:, :, :1]  # grey, stored as colours
    scaled = values.astype(np.float32)
    scaled -= np.float32(low)
    scaled /= np.float32(max(high - low, 1e-12))
    scaled.clip(0, 1, out=scaled)
    if scaled.shape[2] == 1:
        return scaled[:, :, 0], tuple(notes)
    spread = float((scaled.max(axis=2) - scaled.min(axis=2)).mean())
    if spread * 255 > FALSE_COLOUR:
        notes.append(
            f"{picture.name}: the infrared picture has colours, of which the luminance was taken; in false colours "
            "that is not the temperature, so give a grey picture if there is one"
        )
    return scaled @ np.array(LUMA, np.float32), tuple(notes)


def _check_finite(values: Pixels, name: str) -> None:
    if values.dtype == np.float32 and not np.isfinite(values).all():
        raise InputError(f"{name}: holds NaN or infinite values; replace them first.")


def luminance(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB -> (B, 1, H, W), the Y of BT.601."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device)
    return torch.einsum("b c h w, c -> b h w", image, weights).unsqueeze(1)


def coloured(fused: Tensor, visible: Tensor, colour: Colour) -> Tensor:
    """Give the fused image the colours that are asked for.

    Args:
        fused: (B, 3, H, W) in [0, 1].
        visible: (B, 3, H, W) in [0, 1].
        colour: ``rgb``: the network's; ``ycbcr``: fused luminance, the visible source's Cb and Cr; ``grey``: fused
            luminance alone.

    Returns:
        (B, 3, H, W), or (B, 1, H, W) for ``grey``, in [0, 1].
    """
    if colour == "rgb":
        return fused
    if colour == "grey":
        return luminance(fused)
    # Red, green and blue are Y plus what depends on Cb and Cr alone: a change of Y is the same change of all three.
    return (visible + luminance(fused) - luminance(visible)).clamp(0, 1)


def tinted(fused: Tensor, infrared: Tensor, palette: str) -> Tensor:
    """Show heat by colour: the fused luminance stays, the colours become the palette's as far as a pixel is hot.

    With Y the fused luminance, P the palette's colour at the infrared value t, and Y(P) its luminance:
    (1 - t) x fused + t x (Y + P - Y(P)), cut off at 0 and 1.

    Args:
        fused: (B, 1 or 3, H, W) in [0, 1].
        infrared: (B, 1, H, W) in [0, 1].
        palette: of `colour_map`.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    fused = fused.expand(-1, 3, -1, -1)
    steps = (infrared * 255).round().long().squeeze(1)
    heat = colour_map(palette)[steps].permute(0, 3, 1, 2)
    return torch.lerp(fused, luminance(fused) + heat - luminance(heat), infrared).clamp(0, 1)


@cache
def colour_map(name: str) -> Tensor:
    """The colours of a map of matplotlib, (256, 3) in [0, 1].

    Raises:
        InputError: There is none of this name.
    """
    from matplotlib import colormaps

    if name not in colormaps:
        raise InputError(f"palette: expected a colour map of matplotlib such as inferno, hot or turbo, got {name!r}.")
    return torch.from_numpy(colormaps[name](np.linspace(0, 1, 256))[:, :3].astype(np.float32))
