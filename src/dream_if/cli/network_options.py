"""Options of every verb with a network: which network, and where and how it computes."""

from typing import Any

from dream_if.cli.options import option
from dream_if.inference.fuser import PRECISIONS, Fuser
from dream_if.machine import Threads

__all__ = [
    "FOR_MOTION",
    "FOR_PICTURES",
    "device",
    "max_memory",
    "precision",
    "threads",
    "trust_code",
    "weights",
    "weights_of_any",
    "where",
]

FOR_PICTURES = "small"
FOR_MOTION = "fast"  # a sixth of the time

ABOUT_WEIGHTS = (
    "name of shipped weights, a run's checkpoint, a .safetensors file with its .json beside it, a folder that "
    "save_pretrained wrote, or an id of the Hugging Face hub"
)


def weights() -> Any:
    """``--weights``."""
    return option(ABOUT_WEIGHTS, default=FOR_PICTURES)


def weights_of_any() -> Any:
    """``--weights`` of a verb that takes pictures and also videos or streams; None if left out."""
    return option(
        f"{ABOUT_WEIGHTS}; if left out {FOR_PICTURES} for pictures, {FOR_MOTION} for videos and streams", default=None
    )


def trust_code() -> Any:
    """``--trust-code``."""
    return option("import the network's class where weights name one that is not part of dream-if", default=False)


def device() -> Any:
    """``--device``."""
    return option("auto, cpu, cuda, cuda:1, ...; auto takes a GPU if there is one", default="auto")


def precision() -> Any:
    """``--precision``."""
    return option(
        "auto is bfloat16 where the device has instructions for it, else float32", default="auto", choices=PRECISIONS
    )


def max_memory() -> Any:
    """``--max-memory``."""
    return option(
        "what this process may hold in all, such as 4G, or 4096, in MiB: main memory for the CPU, the GPU's own "
        "for a GPU. Larger pictures go in tiles. If left out: what it holds, and four fifths of what is free",
        default=None,
        metavar="AMOUNT",
    )


def threads(about: str = "threads on the CPU; found out if left out") -> Any:
    """``--threads``."""
    return option(about, default=None, metavar="N")


def where(fuser: Fuser, threads: Threads) -> str:
    """Precision and device that a network computes in and on, in words."""
    device = f"cpu, {threads.reason}" if fuser.device.type == "cpu" else str(fuser.device)
    return f"in {fuser.precision} on {device}"
