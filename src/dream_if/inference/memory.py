"""How much memory fusing takes, and how much there is.

The need is counted: the channels that the network holds at once where it holds most, at full resolution in its self
enhancement, and a constant. docs/fuse.md has the resident memory of processes that this was compared with: networks of
16 to 48 channels, with and without their parts, in both precisions, at up to 1280x1024.
"""

import ctypes
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its types are a package of their own
import torch

from dream_if.errors import InputError
from dream_if.models import DreamIF
from dream_if.models.dream_if import PROMPTS

__all__ = [
    "BETWEEN_TILES",
    "SPARE",
    "bytes_per_pixel",
    "forget_peak",
    "free_memory",
    "parse_memory",
    "peak_memory",
    "return_what_was_freed",
    "used_memory",
]

SHARE = 0.8  # of what is free: others on the machine want to breathe
UNITS = {"": 2**20, "b": 1} | {
    prefix + end: 2 ** (10 * power) for power, prefix in enumerate("kmgt", start=1) for end in ("", "b", "ib")
}
"""What stands behind a number, in small letters -> bytes."""

SPARE = 256 * 2**20
"""Bytes beside what grows with the image: buffers that libraries keep. 120 to 240 MiB were measured."""

BETWEEN_TILES = 320 * 2**20
"""Bytes more with tiles: what is left in gaps from one to the next. With two threads up to 280 MiB were measured."""

MARGIN = 1.05
"""The most by which the growth with the image exceeded the count."""


def bytes_per_pixel(net: DreamIF, value_bytes: int, strips: bool) -> float:
    """Memory that a forward pass takes, by pixel of one pair, beside weights, inputs, outputs and `SPARE`.

    Args:
        net: the network.
        value_bytes: 4 in float32, 2 in bfloat16.
        strips: whether its blocks go by strips, as on the CPU, or whole.
    """
    settings = net.config
    dim = settings["dim"]
    prompt = max(8, round(PROMPTS[0][0] * dim / 48 / 8) * 8) if settings["use_se"] else 0
    # The skip, the features, CE's path; then SE's input and two results of its block, and the prompt.
    channels = dim + 4 * dim + 3 * (2 * dim + prompt) + prompt if settings["use_se"] else 7 * dim
    if not strips:  # gate and content of the widest feed-forward network, before and after its convolution
        channels += 4 * int((2 * dim + prompt) * settings["ffn_expansion"])
    sources = 2
    return MARGIN * sources * channels * value_bytes / settings["stride"] ** 2


def parse_memory(given: str | int | float) -> int:
    """Bytes, from a number of them or from text such as ``4G``, ``900M``, ``1.5 GiB`` or ``4096B``.

    All units are powers of 1024, and text without a unit is in MiB.

    Raises:
        InputError: It is no positive amount.
    """
    amount: float = 0
    if isinstance(given, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", given.lower())
        amount = float(found[1]) * UNITS.get(found[2], 0) if found else 0
    elif isinstance(given, int | float):
        amount = given
    if not 1 <= amount < float("inf"):
        raise InputError(f"max-memory: expected an amount such as 4G or 900M, got {given!r}.")
    return int(amount)


def used_memory(device: torch.device) -> int:
    """Bytes that this process holds: in main memory for the CPU, of torch's tensors on another device."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return_what_was_freed()
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Bytes of main memory that this process has held at most, or since `forget_peak`.

    Linux says it of this program alone; `getrusage` there starts with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource  # Windows has none

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> bool:
    """Count the peak of this process anew; whether the system can, as Linux does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def return_what_was_freed() -> None:
    """Have the C library give freed memory back to the system, where it keeps some for later: GNU's on Linux.

    After a fusion that is hundreds of MiB, which would count as held when the next one is planned.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        ctypes.CDLL(None).malloc_trim(0)


def free_memory(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that may be taken: four fifths of what is free on the device, within the limits of control groups.

    Args:
        device: where.
        root: where ``sys`` is.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(SHARE * (free + cached))
    return int(SHARE * min([psutil.virtual_memory().available, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> list[int]:
    """What the limits of a container leave, by control groups of version 2, then 1."""
    groups = root / "sys/fs/cgroup"
    left = []
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            left.append(max(0, int((groups / limit).read_text()) - int((groups / used).read_text())))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return left
