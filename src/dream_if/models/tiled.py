"""Tiles that the network treats as parts of one image.

Two of its modules look at an image as a whole: attention by sums over all pixels, and prompts by means over them and by
the place where a pixel lies. Tile by tile they would judge each tile by itself, and tiles of one image come out in
different brightness. So the tiles go through twice: first these modules note their statistics of every tile, then they
take the averages over all tiles in place of a tile's own.

What is left of a difference: in the first round a module notes what comes of the ones before it, which still went by
the single tile.
"""

from types import TracebackType
from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from einops import einsum
from torch import Tensor, nn

__all__ = ["Place", "TiledImage", "WholeImage"]


class Place(NamedTuple):
    """Where a tile lies, in pixels of full resolution, all multiples of 8.

    Attributes:
        rows: of the image that the tile has.
        columns: likewise.
        height: of the image.
        width: of the image.
    """

    rows: slice
    columns: slice
    height: int
    width: int


class WholeImage(nn.Module):
    """What a module of the network knows of the whole image, where its input may be a tile. It has no parameters.

    Attributes:
        phase: ``alone``: the input is all there is. ``note``: it is a tile whose statistics are added to the others'.
            ``apply``: it is a tile, and the averages over all of them count.
        place: of the tile; None if the input is all there is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        """Take the next input for all there is."""
        self.phase: Literal["alone", "note", "apply"] = "alone"
        self.place: Place | None = None
        self.tiles = 0
        self.noted: tuple[Tensor, ...] = ()

    def forward(self, *statistics: Tensor) -> tuple[Tensor, ...]:
        """Statistics of the input -> those that count, of the same shapes and types.

        The average is one over tiles, which are of equal size but for a few pixels. So statistics are means, or sums
        of which only the ratios matter.
        """
        return statistics if self.phase == "alone" else self._of_all_tiles(*statistics)

    def stretch(self, prompt: Tensor, height: int, width: int) -> Tensor:
        """(B, C, h, w) components -> what the input has of them, (B, C, height, width), bilinearly interpolated.

        They are stretched over the whole image.
        """
        if self.phase == "alone":
            return F.interpolate(prompt, size=(height, width), mode="bilinear")
        return self._part_of_stretched(prompt, height)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # compiled code would be bound to one place and to one count
    def _of_all_tiles(self, *statistics: Tensor) -> tuple[Tensor, ...]:
        if self.phase == "apply":
            return tuple((sum_ / self.tiles).to(own.dtype) for sum_, own in zip(self.noted, statistics, strict=True))
        exact = tuple(own.to(torch.promote_types(own.dtype, torch.float32)) for own in statistics)
        self.noted = tuple(map(torch.add, self.noted, exact)) if self.noted else exact
        self.tiles += 1
        return statistics

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _part_of_stretched(self, prompt: Tensor, height: int) -> Tensor:
        """The tile's part alone: stretched over the image, prompts may not fit in memory.

        Bilinear interpolation is one along the rows and one along the columns, of which those of the tile are taken.
        """
        assert self.place is not None
        rows, columns = self.place.rows, self.place.columns
        shrunk = (rows.stop - rows.start) // height  # of the level

        def along(count: int, side: int, span: slice) -> Tensor:
            weights = F.interpolate(torch.eye(count, device=prompt.device)[None], size=side // shrunk, mode="linear")
            return weights[0, :, span.start // shrunk : span.stop // shrunk]

        down = along(prompt.shape[2], self.place.height, rows)
        across = along(prompt.shape[3], self.place.width, columns)
        with torch.autocast(prompt.device.type, enabled=False):
            return einsum(prompt.float(), down, across, "b c y x, y h, x w -> b c h w").to(prompt.dtype)


class TiledImage:
    """One image that goes through a network tile by tile. As a context manager, which ends with the network as before.

    Args:
        net: the network.
        height: of the image, before padding.
        width: likewise.
    """

    def __init__(self, net: nn.Module, height: int, width: int) -> None:
        self.modules = [module for module in net.modules() if isinstance(module, WholeImage)]
        self.height, self.width = padded(height), padded(width)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for module in self.modules:
            module.forget()

    def next(self, phase: Literal["note", "apply"], rows: slice, columns: slice) -> None:
        """Say which tile comes next, beginning at multiples of 8, and whether its statistics are noted or all applied.

        Every tile is to be noted before any takes what was noted.
        """
        rows, columns = (slice(span.start, padded(span.stop)) for span in (rows, columns))
        for module in self.modules:
            module.phase, module.place = phase, Place(rows, columns, self.height, self.width)


def padded(length: int) -> int:
    """The next multiple of 8, to which the network pads its input."""
    return -(-length // 8) * 8
