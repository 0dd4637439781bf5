"""Proof for benchmarks/network.py that the network computes what its plain formulation computes, gradients included."""

import copy
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor

from benchmarks.network_case import build, images
from benchmarks.plain import plain
from dream_if.models import DreamIF, FusionOutput

__all__ = ["Proof", "prove", "send_proofs"]

# Height and width: one that is cut into strips on a CPU, and one with odd sides and odd sides after halving.
FORWARD = ((131, 179), (53, 91))
BACKWARD = (37, 51)


@dataclass(frozen=True)
class Proof:
    """A comparison of ours with the plain formulation in float32 or better.

    Attributes:
        network: name of the network.
        what: what was compared, and in which precision.
        size: WIDTHxHEIGHT of the images.
        error: the largest difference found.
        allowed: what it has to stay below.
    """

    network: str
    what: str
    size: str
    error: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether the error is a number and small enough."""
        return self.error < self.allowed


def prove(name: str, settings: dict[str, Any], device: torch.device) -> list[Proof]:
    """Compare all outputs and all parameters' gradients, with random weights and images.

    Differences of outputs are absolute, on images and maps of the size of one. Those of a gradient are relative to the
    largest entry of that parameter's own gradient in float64, and in float32 to the largest of all: there a gradient
    that is zero but for rounding would be compared with nothing else.

    Args:
        name: of the network, for the result.
        settings: its arguments.
        device: where to compute.
    """
    proofs = []
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        ours = build(settings, device, dtype).eval()
        theirs = copy.deepcopy(ours).to(memory_format=torch.contiguous_format)
        precision = str(dtype).removeprefix("torch.")
        for height, width in FORWARD if dtype == torch.float32 else FORWARD[1:]:
            sources = images(height, width, 2 if height < 100 else 1, device, dtype)
            size = f"{width}x{height}"
            with torch.inference_mode():
                expected = plain(theirs, *sources)
                proofs.append(
                    Proof(name, f"outputs, {precision}", size, outputs_differ(ours(*sources), expected), bound)
                )
                if dtype == torch.float32:
                    with torch.autocast(device.type, torch.bfloat16):
                        error = outputs_differ(ours(*sources), expected)
                    proofs.append(Proof(name, "outputs, bf16", size, error, 2e-2))
        height, width = BACKWARD
        sources = images(height, width, 2, device, dtype)
        error = gradients_differ(ours, theirs, sources, each=dtype == torch.float64)
        allowed = 1e-4 if dtype == torch.float32 else 1e-8
        proofs.append(Proof(name, f"gradients, {precision}", f"{width}x{height}", error, allowed))
    return proofs


def outputs_differ(ours: FusionOutput, expected: FusionOutput) -> float:
    """The largest difference between fused images and between dominance maps."""
    fused, *maps = ours
    expected_fused, *expected_maps = expected
    pairs = [(fused, expected_fused)]
    for one, other in zip(maps, expected_maps, strict=True):
        pairs += zip(one, other, strict=True)
    return max(float((one.double() - other.double()).abs().max()) for one, other in pairs)


def gradients_differ(ours: DreamIF, theirs: DreamIF, sources: tuple[Tensor, Tensor], *, each: bool) -> float:
    """The largest difference between gradients by the parameters, relative to `each` one's largest or that of all."""
    gradients = []
    for network, output in ((ours, ours(*sources)), (theirs, plain(theirs, *sources))):
        torch.manual_seed(2)
        fused, *maps = output
        weighed = [(x * torch.randn(x.shape, dtype=x.dtype).to(x.device)).sum() for y in maps for x in y]
        total = sum(weighed, (fused * torch.randn(fused.shape, dtype=fused.dtype).to(fused.device)).sum())
        gradients.append(torch.autograd.grad(total, list(network.parameters())))
    differences = [float((one - other).abs().max()) for one, other in zip(*gradients, strict=True)]
    sizes = [float(expected.abs().max()) for expected in gradients[1]]
    if each:
        # A gradient of exactly zero, such as that of the bias of joint dominances, which cancels, has to be just that.
        return max(difference / (size or 1.0) for difference, size in zip(differences, sizes, strict=True))
    return max(differences) / max(sizes)


def send_proofs(connection: Connection, name: str, settings: dict[str, Any], device: str, threads: int) -> None:
    """What a process of its own does: prove, and send the list."""
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    connection.send(prove(name, settings, torch.device(device)))
