"""`dream-if export`: a trained network as one file for ONNX Runtime, or for torch without this package."""

import sys
from dataclasses import dataclass
from pathlib import Path

from dream_if.cli import network_options
from dream_if.cli.options import option
from dream_if.errors import InputError
from dream_if.export.formats import FORMATS, check_packages, describe, encode, find_format, runner
from dream_if.export.graph import trace
from dream_if.export.parity import check_parity
from dream_if.inference.weights import load_network
from dream_if.machine import choose_threads, use_threads
from dream_if.storage import make_folder, write_atomically

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which network, and the file."""

    out: str = option("file to write: fused.onnx for ONNX, fused.pt2 for torch", short="-o", metavar="OUT")
    weights: str = network_options.weights()
    trust_code: bool = network_options.trust_code()
    format: str | None = option("by OUT's ending if left out", default=None, choices=FORMATS)
    dominance: bool = option("also return the dominance maps", default=False)
    threads: int | None = network_options.threads("threads for the comparison; chosen automatically if left out")


def run(options: Options) -> int:
    """Write a trained network as one file for ONNX Runtime, or for torch alone, that takes pairs of any size.

    The file is compared with the network before it is written.

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
    net = load_network(options.weights, trust_code=options.trust_code)
    if options.dominance and not net.has_dominance:
        raise InputError(f"--dominance: the network of {options.weights} has no dominance maps.")
    make_folder(out.parent)  # before the minute of work, not after it
    sys.stderr.write("Tracing the network, then comparing the file with it: about a minute\n")
    data = encode(trace(net, options.dominance), kind, describe(net))
    differences = check_parity(net, runner(data, kind), options.dominance)
    write_atomically(out, data)
    for (count, height, width), difference in differences.items():
        sys.stdout.write(f"{count} pair(s) of {width}x{height}: differs from the network by {difference:.1e} at most\n")
    sys.stdout.write(f"Wrote {out}, {len(data) / 2**20:.1f} MiB\n")
    return 0
