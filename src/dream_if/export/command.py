"""`dream-if export`: a trained network as one file for ONNX Runtime, or for torch without this package."""

import argparse
import sys
from pathlib import Path
from typing import cast

from dream_if.errors import InputError
from dream_if.export.formats import ENDINGS, FORMATS, Format, check_packages, describe, encode, runner
from dream_if.export.graph import trace
from dream_if.export.parity import check_parity
from dream_if.files import make_folder, write_atomically
from dream_if.inference.options import add_weights
from dream_if.inference.weights import load_network
from dream_if.threads import choose_threads, use_threads

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="file to write: fused.onnx for ONNX, fused.pt2 for torch"
    )
    add_weights(parser)
    parser.add_argument("--format", choices=FORMATS, help="by OUT's ending if left out")
    parser.add_argument("--dominance", action="store_true", help="let the file return the dominance maps, too")
    parser.add_argument("--threads", type=int, metavar="N", help="threads for the comparison; found out if left out")


def run(options: argparse.Namespace) -> int:
    """Write a trained network as one file for ONNX Runtime, or for torch alone, that takes pairs of any size.

    The file is compared with the network before it is written.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0.

    Raises:
        InputError: Something is wrong with the options, a package is missing, or the file would not compute what the
            network does, or cannot be written.
    """
    out = Path(options.out).expanduser()
    kind = find_format(out, options.format)
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file to write.")
    check_packages(kind)
    use_threads(choose_threads(options.threads))
    net = load_network(options.weights)
    if options.dominance and not net.config["use_rd"]:
        raise InputError(f"--dominance: the network of {options.weights} has no dominance maps (use_rd is false).")
    make_folder(out.parent)  # before the minute of work, not after it
    sys.stderr.write("Tracing the network, then comparing the file with it: about a minute\n")
    data = encode(trace(net, options.dominance), kind, describe(net))
    differences = check_parity(net, runner(data, kind), options.dominance)
    write_atomically(out, data)
    for (count, height, width), difference in differences.items():
        sys.stdout.write(f"{count} pair(s) of {width}x{height}: differs from the network by {difference:.1e} at most\n")
    sys.stdout.write(f"Wrote {out}, {len(data) / 2**20:.1f} MiB\n")
    return 0


def find_format(out: Path, asked: str | None) -> Format:
    """The format of a file to write, which its ending must be that of.

    Raises:
        InputError: It is not, or names none.
    """
    named = next((kind for kind, ending in ENDINGS.items() if ending == out.suffix.lower()), None)
    if named is None or asked not in (None, named):
        endings = [f"{ending} for {kind}" for kind, ending in ENDINGS.items() if asked in (None, kind)]
        raise InputError(
            f"{out}: expected a file that ends in {' or '.join(endings)}, got {out.suffix or 'no ending'!r}."
        )
    return cast(Format, named)
