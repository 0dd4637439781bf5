"""Checks that an exported file computes what the network computes, on the file's own content, at several sizes."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from dream_if.errors import InputError
from dream_if.export.formats import Runner
from dream_if.export.graph import OUTPUTS
from dream_if.models import FusionNetwork

__all__ = ["LIMIT", "SHAPES", "check_parity", "expected", "largest_differences", "pictures"]

LIMIT = 1e-3
"""Largest difference that is rounding, for values in [0, 1]: a quarter of a grey level of 8 bit."""

SHAPES = ((1, 16, 16), (1, 64, 48), (1, 97, 131), (2, 97, 131), (1, 250, 333))
"""Pairs, height and width: the smallest, a multiple of eight, odd ones, a batch, and one that the network itself fuses
in strips of rows."""


def pictures(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Made-up sources with slopes, edges and noise, (B, 3, H, W) and (B, 1, H, W) in [0, 1], the same each time."""
    generator = torch.Generator().manual_seed(height * width + count)
    patches = F.interpolate(torch.rand(count, 4, 5, 7, generator=generator), (height, width), mode="bilinear")
    patches[..., height // 3 : height // 2, width // 4 : width // 2] += 0.4
    noisy = patches + 0.05 * torch.randn(patches.shape, generator=generator)
    return noisy[:, :3].clamp(0, 1), noisy[:, 3:].clamp(0, 1)


def expected(net: FusionNetwork, visible: Tensor, infrared: Tensor, dominance: bool) -> tuple[Tensor, ...]:
    """What an exported file ought to return, by the network itself."""
    with torch.inference_mode():
        found = net(visible, infrared)
    fused = found.fused.clamp(0, 1)
    return (fused, found.dominance_visible[0], found.dominance_infrared[0]) if dominance else (fused,)


def largest_differences(
    net: FusionNetwork, run: Runner, dominance: bool = False
) -> Iterator[tuple[tuple[int, int, int], dict[str, float]]]:
    """Compare at each of `SHAPES`.

    Yields:
        Pairs, height and width, and the largest absolute difference of each output, infinite for an output of another
        shape and NaN where a value is none.
    """
    for shape in SHAPES:
        sources = pictures(*shape)
        wanted = expected(net, *sources, dominance)
        with torch.inference_mode():
            found = run(*sources)
        yield (
            shape,
            {
                name: float((one - other).abs().max()) if one.shape == other.shape else float("inf")
                for name, one, other in zip(OUTPUTS[: len(wanted)], found, wanted, strict=True)
            },
        )


def check_parity(net: FusionNetwork, run: Runner, dominance: bool = False) -> dict[tuple[int, int, int], float]:
    """Make sure that an exported file computes what the network does.

    Returns:
        For each of `SHAPES` the largest absolute difference of any output.

    Raises:
        InputError: One is above `LIMIT`, or not a number.
    """
    worst = {}
    for shape, differences in largest_differences(net, run, dominance):
        for name, difference in differences.items():
            if not difference <= LIMIT:
                count, height, width = shape
                raise InputError(
                    f"the exported {name} differs from the network's by {difference:.2g} for {count} pair(s) of "
                    f"{width}x{height}, and {LIMIT:g} is allowed; nothing was written. These versions of torch and "
                    "ONNX do not export this network rightly: try those in constraints.txt."
                )
        worst[shape] = max(differences.values())
    return worst
