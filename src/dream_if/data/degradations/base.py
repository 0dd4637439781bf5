"""What every degradation is: a draw that holds all chance, then pure arithmetic on the draw."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from dream_if.errors import InputError

__all__ = [
    "ALL_KINDS",
    "FURTHER",
    "KINDS",
    "OTHER",
    "SOURCES",
    "Degradation",
    "Level",
    "Source",
    "level_range",
    "source_of",
    "uniform",
]

KINDS: tuple[str, ...] = ("gaussian", "poisson", "speckle", "rain", "blur", "resize")
"""Names of the paper's kinds."""

FURTHER: tuple[str, ...] = ("low_light", "over_exposure", "low_contrast", "haze", "stripes", "jpeg")
"""Names of the kinds beyond the paper. New ones come last."""

ALL_KINDS = (*KINDS, *FURTHER)
"""The position is the bit in a degradation code. Append, never reorder: codes may be stored."""

OTHER = "other"
"""Any kind that is not ours, in a degradation code: the bit after those of `ALL_KINDS`."""

Source = Literal["visible", "infrared"]
SOURCES: tuple[Source, Source] = ("visible", "infrared")

Level = float | tuple[float, float]
"""A fixed level, or the (low, high) range from which it is drawn uniformly."""


def source_of(image: Tensor) -> Source:
    """The source that an image (C, H, W) is of: one channel is infrared."""
    return "infrared" if image.shape[0] == 1 else "visible"


def level_range(name: str, level: Level, low: float, high: float = math.inf) -> tuple[float, float]:
    """Read a level given by the user as a range.

    Args:
        name: The argument's name, for the message.
        level: One number, or two in ascending order.
        low: Smallest value allowed.
        high: Largest value allowed.

    Returns:
        The two ends; equal where one number was given.

    Raises:
        InputError: If it is neither, is not finite, descends, or leaves [low, high].
    """
    ends = list(level) if isinstance(level, (tuple, list)) else [level, level]
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) and math.isfinite(end) for end in ends)
    if len(ends) != 2 or not numbers:
        raise InputError(f"{name}: expected one finite number or a pair (low, high), got {level!r}")
    first, last = float(ends[0]), float(ends[1])
    if not low <= first <= last <= high:
        bounds = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise InputError(f"{name}: expected values {bounds}, low before high, got {level!r}")
    return first, last


def uniform(generator: torch.Generator, ends: tuple[float, float]) -> Tensor:
    """Draw one number uniformly between two ends, as a 0-d float32 tensor on the CPU."""
    low, high = ends
    return low + (high - low) * torch.rand((), generator=generator)


class Degradation(nn.Module, ABC):
    """One kind of corruption.

    `draw` takes every random decision, noise fields included, on the CPU; `forward` only computes. Therefore a
    corruption can be replayed, and it is the same on every device up to float rounding (for Poisson noise: up to one
    photon in a few pixels, where rounding falls on the other side of a step).

    Subclasses implement `draw` and `corrupt`. They may set `name`, by default that of the class, and `LEVELS`. Those
    that by nature apply to one source alone name it in `SOURCES`: compositions leave the other one as it is.
    """

    name: str
    SOURCES: tuple[Source, ...] = SOURCES
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the class a name, if it has none of its own."""
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__

    def applies_to(self, image: Tensor) -> bool:
        """Whether this kind applies to the source that an image (C, H, W) is of."""
        return source_of(image) in self.SOURCES

    @classmethod
    def at_level(cls, level: int) -> Self:
        """Build this kind at a fixed severity.

        Args:
            level: 1 (mild) to 4 (beyond the training range); `LEVELS[level - 1]` holds the arguments it stands for.

        Raises:
            InputError: If there is no such level.
        """
        if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= len(cls.LEVELS):
            raise InputError(f"{cls.__name__}: expected a level from 1 to {len(cls.LEVELS)}, got {level!r}")
        return cls(**cls.LEVELS[level - 1])

    @abstractmethod
    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Take every random decision for one image.

        Args:
            generator: A CPU generator; it is advanced.
            shape: The image's (C, H, W).

        Returns:
            Named tensors on the CPU, to be handed to `forward`.
        """

    @abstractmethod
    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Compute the corrupted image; `forward` cares for precision, devices and range."""

    def forward(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Corrupt one image as drawn, in float32 even under autocast.

        Args:
            image: (C, H, W), values in [0, 1], on any device.
            draw: What `draw` returned for this shape.

        Returns:
            (C, H, W) float32 in [0, 1], on the image's device.

        Raises:
            ValueError: If the image is not (C, H, W) of floats, or if the draw was made for another shape.
        """
        if image.ndim != 3 or not image.is_floating_point():
            raise ValueError(f"expected a float image (C, H, W), got {image.dtype} {tuple(image.shape)}")
        # settings stay on the CPU, where they are read without waiting for the device; 0-d ones combine with any device
        on_device = {key: value.to(image.device) if value.ndim > 1 else value for key, value in draw.items()}
        with torch.autocast(image.device.type, enabled=False):
            return self.corrupt(image.float(), on_device).clamp(0.0, 1.0)

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        settings = {key: value for key, value in vars(self).items() if not key.startswith("_") and key != "training"}
        return ", ".join(f"{key}={value}" for key, value in settings.items())
