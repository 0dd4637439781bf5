"""Tiles that the network treats as parts of one image.

Two of its modules look at an image as a whole: attention by sums over all pixels, prompts by means over them and by the
position of a pixel. Tile by tile they would judge each tile on its own, and the tiles of one image would differ in
brightness. So the image goes through twice: first in parts, from which these modules collect statistics, then in tiles,
for which they use the statistics of all parts together.

A small difference remains: in the first pass, a module's input comes from modules that still see only the single part.
"""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Literal, Self

import torch
import torch.nn.functional as F
from einops import einsum
from torch import Tensor, nn

__all__ = ["TiledImage", "in_tiles", "of_whole_image", "stretched"]

_image: ContextVar["TiledImage | None"] = ContextVar("_image", default=None)


def in_tiles() -> bool:
    """Whether the network's input is a tile, or a part, of a `TiledImage`. Not so in compiled or exported code."""
    return _current() is not None


def _current() -> "TiledImage | None":
    return None if torch.compiler.is_compiling() else _image.get()


def of_whole_image(module: nn.Module, *statistics: Tensor, weight: float = 1) -> tuple[Tensor, ...]:
    """What a module of the network is to know of the whole image, if its input is a tile: the mean over all parts.

    Args:
        module: that asks.
        statistics: of its input: sums of which only the ratios matter, or means.
        weight: of this input in the mean over all: its number of pixels for means, one for sums.

    Returns:
        The statistics, of the same shapes and types; of the input itself if that is all there is.
    """
    image = _current()
    return statistics if image is None else image.averaged(module, statistics, weight)


def stretched(components: Tensor, height: int, width: int) -> Tensor:
    """What the input has of components that are stretched over the whole image, by bilinear interpolation.

    Args:
        components: (B, C, h, w).
        height: of the input.
        width: of the input.

    Returns:
        (B, C, height, width).
    """
    image = _current()
    if image is None:
        return F.interpolate(components, size=(height, width), mode="bilinear")
    return image.part_of_stretched(components, height)


class TiledImage:
    """One image that goes through a network in tiles. A context manager: within, the network's inputs are its tiles.

    What is noted lives here, by module, and in the context of the thread: the network itself stays as it is.

    Args:
        height: of the image, before padding.
        width: likewise.
        step: to a multiple of what the network pads it.
    """

    def __init__(self, height: int, width: int, step: int = 8) -> None:
        self.step = step
        self.height, self.width = padded(height, step), padded(width, step)
        self._phase: Literal["note", "apply"] = "note"
        self._rows, self._columns = slice(0, self.height), slice(0, self.width)
        self._sums: dict[nn.Module, tuple[Tensor, ...]] = {}
        self._weights: dict[nn.Module, float] = {}
        self._token: Token[TiledImage | None] | None = None

    def __enter__(self) -> Self:
        self._token = _image.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._token is not None:
            _image.reset(self._token)

    def next_input(self, phase: Literal["note", "apply"], rows: slice, columns: slice) -> None:
        """Say what the network gets next.

        Args:
            phase: ``note``: a part, whose statistics are noted. All parts come before the first tile, and together they
                are the image, without overlap. ``apply``: a tile, for which those of all parts count.
            rows: where it lies; it begins at a multiple of ``step``.
            columns: likewise.
        """
        self._phase = phase
        self._rows, self._columns = (slice(span.start, padded(span.stop, self.step)) for span in (rows, columns))

    def averaged(self, module: nn.Module, statistics: tuple[Tensor, ...], weight: float) -> tuple[Tensor, ...]:
        """See `of_whole_image`. Sums are kept in float32 at least."""
        if self._phase == "apply":
            whole = zip(self._sums[module], statistics, strict=True)
            return tuple((total / self._weights[module]).to(own.dtype) for total, own in whole)
        weighted = tuple(weight * own.to(torch.promote_types(own.dtype, torch.float32)) for own in statistics)
        before = self._sums.get(module)
        self._sums[module] = tuple(map(torch.add, before, weighted)) if before else weighted
        self._weights[module] = self._weights.get(module, 0) + weight
        return statistics

    def part_of_stretched(self, components: Tensor, height: int) -> Tensor:
        """See `stretched`, which over the whole image may not fit in memory.

        Bilinear interpolation is one along the rows and one along the columns, of which those of the tile are taken.
        """
        scale = (self._rows.stop - self._rows.start) // height  # pixels of the image to one of this level

        def along(count: int, side: int, span: slice) -> Tensor:
            identity = torch.eye(count, device=components.device, dtype=torch.float32)
            weights = F.interpolate(identity[None], size=side // scale, mode="linear")
            return weights[0, :, span.start // scale : span.stop // scale]

        down = along(components.shape[2], self.height, self._rows)
        across = along(components.shape[3], self.width, self._columns)
        with torch.autocast(components.device.type, enabled=False):
            part = einsum(components.float(), down, across, "b c y x, y h, x w -> b c h w")
        return part.to(components.dtype)


def padded(length: int, step: int) -> int:
    """The next multiple of a step, to which the network pads its input."""
    return -(-length // step) * step
