"""Corruption of a part of the image: glare, a dirty lens, fog on one side, dead rows."""

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from dream_if.data.degradations.base import Degradation, Level, level_range, uniform
from dream_if.errors import InputError

__all__ = ["SHAPES", "Local", "Shape"]

Shape = Literal["box", "blob", "band", "gradient"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


class Local(Degradation):
    """Any kind, confined to a region: outside the image stays exactly as it is.

    Name, code and sources are those of the kind. The shapes:

    * box: an upright rectangle, from tall to wide, with hard edges;
    * blob: one or a few smooth patches with hard edges;
    * band: a strip across the image; half of them lie along the rows or the columns, the others at any angle;
    * gradient: a linear ramp in a direction drawn as for the band, from nothing to full strength. It is as long as the
      image allows, so that `share` of the image lies beyond half strength.

    Args:
        kind: What to confine, such as `Blur.at_level(3)`.
        shape: One of `SHAPES`; each as likely for None.
        share: Part of the image's area that the region takes, from 0.01 to 1.

    Raises:
        InputError: If the kind is none or local already, the shape is unknown, or the share is out of range.
    """

    LEVELS = ()
    BLOB_CELLS = 4  # independent values of the field behind a blob, down and across
    BOX_EXPONENTS = (0.2, 0.8)  # a box takes share ** e of the height and share ** (1 - e) of the width

    def __init__(self, kind: Degradation, shape: Shape | None = None, share: Level = (0.1, 0.5)) -> None:
        super().__init__()
        if not isinstance(kind, Degradation) or isinstance(kind, Local):
            found = type(kind).__name__
            raise InputError(f"Local.kind: expected a kind such as GaussianNoise, not local already; got {found}")
        if shape is not None and shape not in SHAPES:
            raise InputError(f"Local.shape: expected one of {', '.join(SHAPES)}, or null for any; got {shape!r}")
        self.kind = kind
        self.name = kind.name
        self.SOURCES = kind.SOURCES
        self.shape = shape
        self.share = level_range("Local.share", share, 0.01, 1.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw what the kind draws, and then the mask (1, H, W) in [0, 1]: how strong the corruption is."""
        drawn = self.kind.draw(generator, shape)
        region = self.shape or SHAPES[int(torch.randint(len(SHAPES), (), generator=generator))]
        share = float(uniform(generator, self.share))
        mask = {"box": self._box, "blob": self._blob, "band": self._band, "gradient": self._gradient}[region]
        return {**drawn, "mask": mask(generator, (shape[1], shape[2]), share)[None]}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Go from the image to what the kind makes of it, as far as the mask says."""
        mask = draw["mask"]
        if mask.shape[-2:] != image.shape[-2:]:
            raise ValueError(f"the draw is for an image {tuple(mask.shape[-2:])}, the image is {tuple(image.shape)}")
        return image.lerp(self.kind(image, draw), mask)

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        return f"shape={self.shape}, share={self.share}"

    @classmethod
    def _box(cls, generator: torch.Generator, size: tuple[int, int], share: float) -> Tensor:
        height, width = size
        rows = max(1, round(height * share ** float(uniform(generator, cls.BOX_EXPONENTS))))
        columns = min(width, max(1, round(share * height * width / rows)))
        top = int(torch.randint(height - rows + 1, (), generator=generator))
        left = int(torch.randint(width - columns + 1, (), generator=generator))
        mask = torch.zeros(size)
        mask[top : top + rows, left : left + columns] = 1.0
        return mask

    @classmethod
    def _blob(cls, generator: torch.Generator, size: tuple[int, int], share: float) -> Tensor:
        cells = torch.randn(1, 1, cls.BLOB_CELLS, cls.BLOB_CELLS, generator=generator)
        field = F.interpolate(cells, size, mode="bicubic", align_corners=True)[0, 0]
        return (field >= _quantile(field, 1 - share)).float()

    @classmethod
    def _band(cls, generator: torch.Generator, size: tuple[int, int], share: float) -> Tensor:
        slope = _slope(generator, size)
        start = float(uniform(generator, (0.0, 1 - share)))
        return ((slope >= _quantile(slope, start)) & (slope <= _quantile(slope, start + share))).float()

    @classmethod
    def _gradient(cls, generator: torch.Generator, size: tuple[int, int], share: float) -> Tensor:
        slope = _slope(generator, size)
        middle = _quantile(slope, 1 - share)
        reach = torch.minimum(middle, 1 - middle).clamp(min=1e-6)  # from half strength to either end of the ramp
        return (0.5 + (slope - middle) / (2 * reach)).clamp(0.0, 1.0)


def _slope(generator: torch.Generator, size: tuple[int, int]) -> Tensor:
    """A plane (H, W) that rises from 0 to 1 in a random direction, half of the time along the rows or columns."""
    straight = float(torch.rand((), generator=generator)) < 0.5
    quarters = 4 * float(torch.rand((), generator=generator))
    angle = (int(quarters) if straight else quarters) * math.pi / 2
    down, right = torch.meshgrid(*(torch.arange(length, dtype=torch.float32) for length in size), indexing="ij")
    # rounded, so that a straight one is exactly the same all along a row or column
    plane = round(math.sin(angle), 6) * down + round(math.cos(angle), 6) * right
    plane -= plane.min()
    return plane / plane.max().clamp(min=1e-6)


def _quantile(values: Tensor, share: float) -> Tensor:
    """The value that `share` of all values lie below; `torch.quantile` refuses large images."""
    rank = min(values.numel(), max(1, math.ceil(share * values.numel())))
    return values.flatten().kthvalue(rank).values
