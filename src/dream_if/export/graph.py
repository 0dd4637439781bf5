"""The graph that is exported: the network with padding, cropping and clamping, for any batch, height and width."""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from dream_if.compat import drop_guards, sizes_stay_free
from dream_if.errors import InputError
from dream_if.models import DreamIF, FusionNetwork
from dream_if.models.contract import MINIMUM_SIDE
from dream_if.models.enhancement import halves

__all__ = ["FREE_SIZES", "INPUTS", "OUTPUTS", "ExportedFusion", "trace"]

INPUTS = ("visible", "infrared")
OUTPUTS = ("fused", "dominance_visible", "dominance_infrared")
FREE_SIZES = {0: "batch", 2: "height", 3: "width"}  # axis -> its name
EXAMPLE = (2, 40, 56)  # pairs, rows, columns; all different, so that the trace does not take one for another


class ExportedFusion(nn.Module):
    """A network as it is exported: what comes out is a picture, and of the size that went in.

    Sizes that depend on the input are written here so that they can be proved to be multiples of the network's step: a
    trace then needs no conditions on the sizes. The numbers are those of ``DreamIF.forward``.

    Args:
        net: the network.
        dominance: also return the dominance maps at full resolution.
    """

    def __init__(self, net: FusionNetwork, dominance: bool = False) -> None:
        super().__init__()
        self.net = net
        self.dominance = dominance

    def forward(self, visible: Tensor, infrared: Tensor) -> tuple[Tensor, ...]:
        """Fuse a batch of pairs.

        Args:
            visible: (B, 3, H, W) in [0, 1], H and W at least 16.
            infrared: (B, 1, H, W) in [0, 1].

        Returns:
            The fused images, (B, 3, H, W) in [0, 1]; and with ``dominance`` the maps of the visible and the infrared
            source, (B, 1, H, W) in (0, 1).
        """
        if not isinstance(self.net, DreamIF):
            found = self.net(visible, infrared)
            image = found.fused.clamp(0, 1)
            return (image, found.dominance_visible[0], found.dominance_infrared[0]) if self.dominance else (image,)
        height, width = visible.shape[-2:]
        sources = torch.cat([visible, infrared.expand(visible.shape)])  # which tells a trace that they are as large
        sources = mirrored(mirrored(sources, 2, self.net.step), 3, self.net.step)
        fused, maps = self.net.fuse_stacked(sources.contiguous(memory_format=torch.channels_last))
        fused = cropped(fused, height, width).clamp(0, 1)
        if not self.dominance:
            return (fused,)
        return fused, *halves(cropped(maps[0], height, width))


def mirrored(image: Tensor, dim: int, step: int) -> Tensor:
    """Extend an axis at its end to a multiple of a step, as reflection padding does."""
    size = image.shape[dim]
    last = size - 1
    places = torch.arange(step * ((size + step - 1) // step), device=image.device)
    return image.index_select(dim, last - (last - places).abs())


def cropped(image: Tensor, height: int, width: int) -> Tensor:
    """The upper left part of an image."""
    rows, columns = (torch.arange(size, device=image.device) for size in (height, width))
    return image.index_select(2, rows).index_select(3, columns)


def trace(net: FusionNetwork, dominance: bool = False) -> ExportedProgram:
    """The network as a graph of torch's operators, of which batch, height and width are free.

    While it is traced the network knows that it is being compiled, and does not go by strips of rows: a graph would
    hold as many of them as the example has.

    Args:
        net: the network, on the CPU, in float32 and in evaluation mode. It stays as it is.
        dominance: also return the dominance maps; the network must have RD.

    Raises:
        InputError: This torch is too old to trace it, or the code of a foreign network does not allow it.
    """
    count, height, width = EXAMPLE
    # A trace takes a coarsest level of one pixel for one of any image, and such has the smallest one at stride 2.
    smallest = MINIMUM_SIDE + 1 if isinstance(net, DreamIF) and net.stride == 2 else MINIMUM_SIDE
    sizes = {axis: Dim(name, min=smallest if axis else 1) for axis, name in FREE_SIZES.items()}
    # Else reshaping asks questions of sizes that need not be asked, such as whether 1 is a multiple of the width.
    try:
        with torch.no_grad(), sizes_stay_free():
            program = torch.export.export(
                ExportedFusion(net, dominance).eval(),
                (torch.zeros(count, 3, height, width), torch.zeros(count, 1, height, width)),  # a .pt2 keeps them
                dynamic_shapes=dict.fromkeys(INPUTS, sizes),
                strict=False,
            )
    except Exception as error:  # torch names many kinds for what it cannot trace
        if isinstance(net, DreamIF):
            raise
        first = str(error).strip().split("\n")[0]
        raise InputError(f"{net.name}: torch.export cannot trace its code for free sizes: {first}") from error
    # A convolution asks whether the batch has more than one pair, to choose a layout in memory, which no result
    # depends on; a .pt2 would refuse single pairs for it. What stays says that the two sources are of one size.
    drop_guards(program, "> 1")
    return program
