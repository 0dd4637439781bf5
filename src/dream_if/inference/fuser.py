"""`Fuser`: a network on a device that fuses pairs of any size within a memory limit."""

import math
from contextlib import nullcontext
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from dream_if.compat import multiplies_bfloat16
from dream_if.errors import InputError, out_of_memory
from dream_if.inference.memory import BETWEEN_TILES, SPARE, bytes_per_pixel
from dream_if.inference.tiles import SMALLEST, cut, parts, tile_size
from dream_if.machine import free_memory, return_what_was_freed, used_memory
from dream_if.models import FusionNetwork
from dream_if.models.contract import check_finite, check_shapes
from dream_if.models.tiled import TiledImage, in_tiles

__all__ = ["PRECISIONS", "Fused", "Fuser", "Precision", "check_depth"]

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


class Fused(NamedTuple):
    """What a `Fuser` returns, on the device of the sources.

    Attributes:
        image: (B, 3, H, W) float32 in [0, 1].
        dominance_visible: (B, 1, H, W) float32 in [0, 1], at full resolution; None if maps are not wanted, or the
            network has no RD.
        dominance_infrared: likewise for the infrared source.
        tile: height and width of the tiles; None where the image went through whole.
    """

    image: Tensor
    dominance_visible: Tensor | None
    dominance_infrared: Tensor | None
    tile: tuple[int, int] | None


class Fuser:
    """Fuses pairs of tensors of any size from 16 x 16 pixels up, and gives back the same size.

    Args:
        net: the network, as `load_network` returns it. It is moved to the device and left in evaluation mode; call
            its `train()` before its training goes on.
        device: ``auto``: the first GPU of CUDA, else the CPU; or a device of torch, such as ``cpu`` or ``cuda:1``.
        precision: ``auto``: bfloat16 where the device computes in it, else float32.
        max_memory: bytes that this process may hold in all, main memory for the CPU and the device's own elsewhere.
            None for what is there, and four fifths of what is free. An image that needs more goes through in tiles,
            in twice the time.
        compiled: let `torch.compile` make the network faster: minutes for the first image, and for the first of another
            size, after which sizes are free.

    Raises:
        InputError: There is no such device, or it does not compute in this precision.
    """

    def __init__(
        self,
        net: FusionNetwork,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        max_memory: int | None = None,
        compiled: bool = False,
    ) -> None:
        self.device = find_device(device)
        self.precision = find_precision(precision, self.device)
        self.max_memory = max_memory
        self.net = net.eval().to(self.device)
        if compiled:
            self.net.compile()
        self.has_dominance = net.has_dominance
        value_bytes = 2 if self.precision == "bfloat16" else 4
        strips = self.device.type == "cpu" and not compiled
        self.bytes_per_pixel = bytes_per_pixel(net, value_bytes, strips, self.device.type == "cuda")

    @torch.inference_mode()
    def __call__(self, visible: Tensor, infrared: Tensor, maps: bool = True) -> Fused:
        """Fuse a batch of pairs.

        Args:
            visible: (B, 3, H, W) in [0, 1].
            infrared: (B, 1, H, W) in [0, 1].
            maps: also return the dominance maps, as far as the network has any.

        Raises:
            InputError: The shapes are not these, the limit of memory is too low for any tile, or the network made
                values that are no numbers.
        """
        try:
            check_shapes(visible, infrared)
        except ValueError as error:
            raise InputError(str(error)) from error
        count, _, height, width = visible.shape
        channels = 5 if maps and self.has_dominance else 3
        result_bytes = 4 * count * channels * height * width
        together = self._pixels_at_once(result_bytes) // (height * width)
        size = None
        if together < 1:
            size = self._tile_size(height, width, self._pixels_at_once(result_bytes + BETWEEN_TILES))
        result = visible.new_zeros((count, channels, height, width), dtype=torch.float32)
        try:
            if size is not None:
                for index in range(count):
                    self.add_tiles(result[index], visible[index : index + 1], infrared[index : index + 1], size)
            else:
                for start in range(0, count, together):
                    part = slice(start, start + together)
                    result[part] = self._fused(visible[part], infrared[part], channels).to(result.device)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise InputError(
                f"{width}x{height} pixels did not fit into the memory of {self.device}; lower max_memory or the batch "
                "size."
            ) from error
        result.clamp_(0, 1)  # the weights of tiles add up to one but for rounding
        if channels == 5:
            return Fused(result[:, :3], result[:, 3:4], result[:, 4:5], size)
        return Fused(result, None, None, size)

    def _pixels_at_once(self, beside: int) -> int:
        """How many pixels may go through the network together, with so many bytes beside it if it is on the CPU."""
        held = used_memory(self.device) + SPARE + (beside if self.device.type == "cpu" else 0)
        limit = self.max_memory or used_memory(self.device) + free_memory(self.device)
        return int((limit - held) / self.bytes_per_pixel)

    def _tile_size(self, height: int, width: int, pixels: int) -> tuple[int, int]:
        """Height and width of the tiles for an image that does not go through whole."""
        grid = self.net.step
        size = tile_size(height, width, pixels, grid)
        if size is None:
            tall, wide = (min(grid * math.ceil(side / grid), SMALLEST) for side in (height, width))
            wanted = min(height * width, tall * wide)
            more = math.ceil((wanted - pixels) * self.bytes_per_pixel / 2**20)
            tiles = f", not in tiles of {wide}x{tall} either" if wanted < height * width else ""
            raise InputError(
                f"{width}x{height} pixels do not fit into the available memory{tiles}: {more} MiB more are needed. "
                "Raise max_memory or free some."
            )
        return size

    def add_tiles(self, result: Tensor, visible: Tensor, infrared: Tensor, size: tuple[int, int]) -> None:
        """Fuse one pair in tiles, as parts of one image, and add them up. It goes through twice, see `TiledImage`.

        Args:
            result: (3, H, W) zeros for the fused image, or (5, H, W) for the dominance maps as well.
            visible: (1, 3, H, W) in [0, 1].
            infrared: (1, 1, H, W) in [0, 1].
            size: height and width of the tiles, as `tile_size` chose it.
        """
        height, width = result.shape[-2:]
        grid = self.net.step
        with TiledImage(height, width, grid) as image:
            for rows, columns in parts(height, width, size, grid):
                image.next_input("note", rows, columns)
                self._fused(visible[..., rows, columns], infrared[..., rows, columns], 3)
            for tile in cut(height, width, size, grid):
                image.next_input("apply", tile.rows, tile.columns)
                part = (..., tile.rows, tile.columns)
                fused = self._fused(visible[part], infrared[part], len(result))[0]
                result[part] += (fused * tile.weight.to(fused.device)).to(result.device)

    def _fused(self, visible: Tensor, infrared: Tensor, channels: int) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W) -> the fused image in [0, 1], and with 5 channels the maps."""
        if in_tiles() and self.device.type == "cpu":
            return_what_was_freed()
        visible, infrared = (source.to(self.device, torch.float32) for source in (visible, infrared))
        low = self.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16) if low else nullcontext():
            found = self.net(visible, infrared)
        image = check_finite(found.fused).float().clamp(0, 1)
        if channels == 3:
            return image
        maps = [levels[0].float() for levels in (found.dominance_visible, found.dominance_infrared)]
        return torch.cat([image, *maps], dim=1)


def find_device(name: str) -> torch.device:
    """The device that a name means; ``auto`` is the first GPU of CUDA, else the CPU.

    Raises:
        InputError: There is none of this name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # meta has tensors, but nothing in them
    except Exception as error:  # torch has another kind of error for each way in which a device can be missing
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"device {name!r}: expected auto, cpu, cuda or cuda:N, and one that this machine has ({first})."
        ) from error
    return device


def check_depth(depth: int, precision: Precision) -> Precision:
    """The precision for a picture of so many bits: ``auto`` is ``float32`` for 16, whose lower bits bfloat16 blurs.

    Raises:
        InputError: The depth is neither 8 nor 16.
    """
    if depth not in (8, 16):
        raise InputError(f"depth: expected 8 or 16 bits, got {depth!r}.")
    return "float32" if depth == 16 and precision == "auto" else precision


def find_precision(name: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """The precision that a name means on a device; ``auto`` is bfloat16 where there are instructions for it.

    Raises:
        InputError: There is none of this name.
    """
    if name not in PRECISIONS:
        raise InputError(f"precision: expected {', '.join(PRECISIONS)}, got {name!r}.")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has = device.type == "cpu" and multiplies_bfloat16()
    return "bfloat16" if has else "float32"
