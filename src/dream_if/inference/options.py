"""Options that every command with a network has: which one, and where and how it computes."""

import argparse

from dream_if.inference.fuser import PRECISIONS

__all__ = ["add_machine", "add_weights"]


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add ``--weights``."""
    parser.add_argument(
        "--weights",
        default="small",
        help="name of shipped weights, a run's checkpoint, a .safetensors file with its .json beside it, a folder that "
        "save_pretrained wrote, or an id of the Hugging Face hub",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``, ``--precision`` and ``--max-memory``."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1, ...; auto takes a GPU if there is one"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=PRECISIONS,
        help="auto is bfloat16 where the device has instructions for it, else float32",
    )
    parser.add_argument(
        "--max-memory",
        metavar="AMOUNT",
        help="what this process may hold in all, such as 4G, or 4096, in MiB: main memory for the CPU, the GPU's own "
        "for a GPU. Larger pictures go in tiles. If left out: what it holds, and four fifths of what is free",
    )
