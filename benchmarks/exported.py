"""What docs/export.md says of speed: an exported network in ONNX Runtime or torch against the network itself.

    python -m benchmarks.exported --weights W --size 640x480 --threads 1

Seconds are of the processor, summed over threads, so that others at work on the machine do not count; the fastest of
some runs that take turns. Memory is the most that the process held while one run went on, less what it held before,
which Linux alone can tell.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable

import torch

from benchmarks.fuse import MIB
from dream_if.export import encode, trace
from dream_if.export.formats import FORMATS, check_packages, describe, runner
from dream_if.export.parity import expected, pictures
from dream_if.inference import load_network
from dream_if.machine import forget_peak, peak_memory, used_memory


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def growth(call: Callable[[], object]) -> float:
    """MiB by which the process grew at most during one call; NaN where that cannot be told."""
    if not sys.platform.startswith("linux"):
        return float("nan")
    gc.collect()
    held = used_memory(torch.device("cpu"))
    forget_peak()
    call()
    return (peak_memory() - held) / MIB


def main() -> None:
    """Export, run by turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--format", default="onnx", choices=FORMATS)
    parser.add_argument("--size", default="640x480", help="width and height")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    check_packages(options.format)
    torch.set_num_threads(options.threads)
    width, height = (int(side) for side in options.size.split("x"))
    net = load_network(options.weights)
    run = runner(encode(trace(net), options.format, describe(net)), options.format)
    sources = pictures(1, height, width)

    def eager() -> tuple[torch.Tensor, ...]:
        return expected(net, *sources, dominance=False)

    def exported() -> tuple[torch.Tensor, ...]:
        with torch.inference_mode():
            return run(*sources)

    memory = {"network": growth(eager), options.format: growth(exported)}
    difference = float((eager()[0] - exported()[0]).abs().max())
    taken = {"network": float("inf"), options.format: float("inf")}
    for _ in range(options.turns):
        for name, call in (("network", eager), (options.format, exported)):
            taken[name] = min(taken[name], seconds(call))
    for name, best in taken.items():
        print(f"{name}: {best:.2f} s, {memory[name]:.0f} MiB")
    print(
        f"{options.size}, {options.threads} thread(s), float32: {options.format} takes "
        f"{taken[options.format] / taken['network']:.2f} of the network's time; largest difference {difference:.1e}"
    )


if __name__ == "__main__":
    main()
