"""One case of benchmarks/network.py in a process of its own, so that its peak memory is its own.

The process builds the network, then makes calls whenever it is told to. The command has the processes of a case take
turns, so that all of them meet the same load.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.plain import plain
from dream_if.losses import FusionLoss
from dream_if.machine import peak_memory
from dream_if.models import DreamIF, FusionOutput
from dream_if.models.restormer import MDTA, ChannelLayerNorm

__all__ = ["ARMS", "COMPILED", "Arm", "Case", "Result", "Turn", "build", "images", "serve"]

TURN = 0.4  # seconds of calls in a turn, at the least
LATE = 100  # an epoch in which the loss is past its warm-up
PROBE = 97  # every so many values of the output are sent back, to be compared


@dataclass(frozen=True)
class Arm:
    """A way to compute the network.

    Attributes:
        name: in tables.
        plain: by benchmarks/plain.py; otherwise by the network itself.
        bf16: under autocast to bfloat16; otherwise in float32.
        mode: of torch.compile; not compiled if None.
        recompute: with gradient checkpointing.
    """

    name: str
    plain: bool = False
    bf16: bool = False
    mode: Literal["default", "reduce-overhead"] | None = None
    recompute: bool = False


COMPILED = Arm("ours, bf16, compiled", bf16=True, mode="default")
ARMS = (
    Arm("plain, float32", plain=True),
    Arm("plain, bf16", plain=True, bf16=True),
    Arm("ours, float32"),
    Arm("ours, bf16", bf16=True),
    Arm("ours, bf16, recomputed", bf16=True, recompute=True),
    COMPILED,
    Arm("ours, bf16, CUDA graphs", bf16=True, mode="reduce-overhead"),
)


@dataclass(frozen=True)
class Case:
    """What is computed.

    Attributes:
        network: name of the network.
        work: a forward pass without gradient, or a step of training: forward, loss, backward, optimizer.
        height: of the images, in pixels.
        width: likewise.
        batch: pairs in a call.
    """

    network: str
    work: Literal["forward", "training"]
    height: int
    width: int
    batch: int

    @property
    def pixels(self) -> int:
        """Pixels of all pairs in a call."""
        return self.height * self.width * self.batch

    @property
    def size(self) -> str:
        """WIDTHxHEIGHT."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Turn:
    """What some calls took.

    Attributes:
        cpu: seconds of one call on all processors together.
        wall: seconds of one call by the clock.
        calls: how many there were.
        before: bytes that the process held at its most before the first call.
        peak: bytes that it, or on CUDA its tensors, held at most so far.
        held: bytes that others could not have; on CUDA that is more, for torch keeps what it may need again.
        probe: some values of the first call: of the fused images, or in training the loss and each gradient's size.
    """

    cpu: float
    wall: float
    calls: int
    before: int
    peak: int
    held: int
    probe: npt.NDArray[np.float32]


@dataclass
class Result:
    """What an arm took for a case, or why it was left out.

    Attributes:
        case: what was computed.
        arm: the name of how.
        cpu: processor seconds of the best call.
        wall: seconds by the clock of the best call.
        seconds: that of the two from which ratios are taken: with one thread on a CPU the processor's, which is the
            same on a busy machine, else the clock's.
        first: seconds by the clock of the first call, compiling included.
        calls: how many there were.
        peak: bytes that the process, or the device, held at most.
        net: of them, those that came by computing, beyond importing and building.
        held: bytes that were kept from others.
        reason: why there are no figures.
    """

    case: Case
    arm: str
    cpu: float = math.nan
    wall: float = math.nan
    seconds: float = math.nan
    first: float = math.nan
    calls: int = 0
    peak: int = 0
    net: int = 0
    held: int = 0
    reason: str = ""


def build(settings: dict[str, Any], device: torch.device, dtype: torch.dtype = torch.float32) -> DreamIF:
    """A network with random weights, those included that begin as ones and zeros and would hide a mistake."""
    torch.manual_seed(0)
    net = DreamIF(**settings)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, ChannelLayerNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
            if isinstance(module, MDTA):
                module.temperature.uniform_(0.5, 2.0)
    return net.to(device, dtype)


def images(
    height: int, width: int, batch: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Random sources, (batch, 3, height, width) and (batch, 1, height, width) in [0, 1]."""
    torch.manual_seed(1)
    visible, infrared = (torch.rand(batch, channels, height, width, dtype=dtype) for channels in (3, 1))
    return visible.to(device), infrared.to(device)


def formulation(arm: Arm, net: DreamIF) -> Callable[[Tensor, Tensor], FusionOutput]:
    """The network as the arm computes it."""
    if arm.plain:
        net.to(memory_format=torch.contiguous_format)
        return lambda visible, infrared: plain(net, visible, infrared)
    net.recompute_blocks(arm.recompute)
    if arm.mode:
        net.compile(mode=arm.mode)
    return net


def worker(settings: dict[str, Any], case: Case, arm: Arm, device: torch.device) -> Callable[[], Tensor]:
    """A function that makes one call and returns the fused images, or in training the loss.

    The first step of training returns the norms of all gradients as well, each as a share of the largest.
    """
    net = build(settings, device)
    visible, infrared = images(case.height, case.width, case.batch, device)
    network = formulation(arm, net)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=arm.bf16)

    def forward() -> Tensor:
        with torch.inference_mode(), autocast:
            return network(visible, infrared).fused

    if case.work == "forward":
        net.eval()
        return forward
    # As the presets have it; the plain way is torch's default.
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.05, fused=None if arm.plain else True
    )
    loss = FusionLoss()
    begun = False

    def step() -> Tensor:
        nonlocal begun
        with autocast:
            output = network(visible, infrared)
        maps = output.dominance_visible, output.dominance_infrared
        total = loss(output.fused, visible, infrared, *maps, epoch=LATE)["total"]
        total.backward()
        told = total.detach()[None] if begun else torch.cat([total.detach()[None], norms()])
        begun = True
        optimizer.step()
        optimizer.zero_grad()
        return told

    def norms() -> Tensor:
        sizes = torch.stack([parameter.grad.norm() for parameter in net.parameters() if parameter.grad is not None])
        return sizes / sizes.max()

    return step


def serve(
    connection: Connection,
    settings: dict[str, Any],
    case: Case,
    arm: Arm,
    device_name: str,
    threads: int,
) -> None:
    """Build, say so, then send a `Turn` for each message that comes, until it is None.

    Args:
        connection: to the process that takes the time.
        settings: the network's arguments.
        case: what to compute.
        arm: how.
        device_name: "cpu" or "cuda".
        threads: of torch.
    """
    torch.set_num_threads(threads)
    device = torch.device(device_name)
    cuda = device.type == "cuda"
    if cuda:  # the same for all arms: sizes do not change, and float32 is float32
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    call = worker(settings, case, arm, device)
    before = torch.cuda.memory_allocated() if cuda else peak_memory()
    connection.send("built")
    calls, probe = 1, None
    while connection.recv() is not None:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            if arm.mode == "reduce-overhead":
                torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            output = call()
        if cuda:
            torch.cuda.synchronize()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        peak = torch.cuda.max_memory_allocated() if cuda else peak_memory()
        held = torch.cuda.max_memory_reserved() if cuda else peak
        if probe is None:
            probe = output.float().cpu().flatten()[:: PROBE if case.work == "forward" else 1].numpy().copy()
        connection.send(Turn(cpu / calls, wall / calls, calls, before, peak, held, probe))
        calls = max(1, min(100, round(TURN * calls / wall)))
