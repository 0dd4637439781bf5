"""How much memory fusing takes.

The need is counted: the most channels that the network holds at once (at full resolution, in its self enhancement), and
a constant. docs/fuse.md compares this with the resident memory of processes: networks of 16 to 48 channels, with and
without their parts, in both precisions, at up to 1280x1024.
"""

import re

import torch

from dream_if.errors import InputError
from dream_if.models import ForeignNetwork, FusionNetwork
from dream_if.models.dream_if import PROMPTS

__all__ = ["BETWEEN_TILES", "SPARE", "bytes_per_pixel", "parse_memory"]

UNITS = {"": 2**20, "b": 1} | {
    prefix + end: 2 ** (10 * power) for power, prefix in enumerate("kmgt", start=1) for end in ("", "b", "ib")
}
"""What stands behind a number, in small letters -> bytes."""

SPARE = 256 * 2**20
"""Bytes beside what grows with the image: buffers that libraries keep. 120 to 240 MiB were measured."""

BETWEEN_TILES = 320 * 2**20
"""Bytes more with tiles: what is left in gaps from one to the next. With two threads up to 280 MiB were measured."""

TRIAL = 128
"""Sides in pixels of the image on which a foreign network is tried."""

MARGIN = 1.10
"""The most by which the growth with the image exceeded the count."""


ON_CUDA = 2.0
"""How much more a GPU holds than is counted: what cuDNN takes, and what torch keeps in gaps. 1.9 was measured for the
small network in float32 on an H200 (docs/gpu.md)."""


def bytes_per_pixel(net: FusionNetwork, value_bytes: int, strips: bool, cuda: bool = False) -> float:
    """Memory that a forward pass takes, by pixel of one pair, beside weights, inputs, outputs and `SPARE`.

    Args:
        net: the network.
        value_bytes: 4 in float32, 2 in bfloat16.
        strips: whether its blocks go by strips, as on the CPU, or whole.
        cuda: whether it runs on a GPU of CUDA.
    """
    if isinstance(net, ForeignNetwork):
        return MARGIN * value_bytes * _values_per_pixel(net)
    settings = net.config
    dim = settings["dim"]
    prompt = max(8, round(PROMPTS[0][0] * dim / 48 / 8) * 8) if settings["use_se"] else 0
    # The skip, the features, CE's path; then SE's input and two results of its block, and the prompt.
    channels = dim + 4 * dim + 3 * (2 * dim + prompt) + prompt if settings["use_se"] else 7 * dim
    if not strips:  # gate and content of the widest feed-forward network, before and after its convolution
        channels += 4 * int((2 * dim + prompt) * settings["ffn_expansion"])
    sources = 2
    factor = ON_CUDA if cuda else MARGIN
    return factor * sources * channels * value_bytes / settings["stride"] ** 2


@torch.inference_mode()
def _values_per_pixel(net: FusionNetwork) -> float:
    """How many values all modules within a network return together, by pixel: more than it holds at once."""
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    counts: list[int] = []
    inner = [module for module in net.modules() if not any(True for _ in module.children())]
    hooks = [
        module.register_forward_hook(lambda _module, _given, found: counts.append(getattr(found, "numel", int)()))
        for module in inner
    ]
    try:
        net(torch.zeros(1, 3, TRIAL, TRIAL, device=device), torch.zeros(1, 1, TRIAL, TRIAL, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    sources_and_result = 7
    return sources_and_result + sum(counts) / TRIAL**2


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
