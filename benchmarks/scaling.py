"""Training on many GPUs, on paper: what one step computes, sends and reads, from counts and assumptions that are named.

    python benchmarks/scaling.py [--gpus 1 8 64] [--batch 16] [--rate 200] [--node-gbit 100 400 3200]

Operations and parameters are counted from the network, and the time to decode a JPEG image is measured here. Everything
else is arithmetic on the options: nothing in the tables was measured on a GPU.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from dream_if.data.scenes import generate_scene
from dream_if.models import DreamIF
from dream_if.reports.table import Cell, Table, markdown_table

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
BACKWARD = 2  # as a multiple of forward: each product of two tensors has a gradient for either
BYTES = 4  # of a gradient: in bf16-mixed, too, parameters and their gradients are float32
IMAGE = 1280, 1024  # width and height of those of LLVIP
CROP = 96
READ = ["MB/s JPEG", "MB/s prepared", "MB/s to GPUs"]
EFFECTIVE = 0.8  # share of a link's nominal rate that is taken to arrive


@dataclass(frozen=True)
class Plan:
    """What is assumed.

    Attributes:
        forward: floating-point operations of one pair's forward pass, two for each multiply-accumulate.
        parameters: of the network.
        rate: pairs that one GPU trains on in a second, without waiting for anything.
        batch: pairs in a batch on each GPU.
        per_node: GPUs in a node.
        node_gbit: what a node sends to the others, in 10^9 bits per second, each way.
        gpu_gbyte: what a GPU sends to those of its node, in 10^9 bytes per second, each way.
    """

    forward: float
    parameters: int
    rate: float
    batch: int
    per_node: int
    node_gbit: float
    gpu_gbyte: float

    @property
    def compute(self) -> float:
        """Seconds of a step on one GPU."""
        return self.batch / self.rate

    @property
    def gradients(self) -> int:
        """Bytes that the processes have to add up in each step."""
        return self.parameters * BYTES

    def all_reduce(self, gpus: int) -> float:
        """Seconds to add up the gradients of so many GPUs, first within the nodes, then between them.

        A ring of n sends 2 (n - 1) / n times the bytes over each of its links (Patarasuk and Yuan, Journal of Parallel
        and Distributed Computing 69, 2009).
        """
        inside, nodes = min(gpus, self.per_node), -(-gpus // self.per_node)
        seconds = 2 * (inside - 1) / inside * self.gradients / (EFFECTIVE * self.gpu_gbyte * 1e9)
        return seconds + 2 * (nodes - 1) / nodes * self.gradients / (EFFECTIVE * self.node_gbit * 1e9 / 8)

    def efficiency(self, gpus: int) -> tuple[float, float]:
        """Share of the time spent computing, if nothing is sent during the backward pass, and if all that fits is."""
        sent = self.all_reduce(gpus)
        hidden = min(sent, self.compute * BACKWARD / (1 + BACKWARD))
        return self.compute / (self.compute + sent), self.compute / (self.compute + sent - hidden)


def count(settings: dict[str, object], size: int = 96) -> tuple[int, int]:
    """Floating-point operations of the forward pass of one pair, and parameters.

    Convolutions and matrix products are counted, nothing is computed. The counter's own figure for the backward pass is
    not used: it takes depthwise convolutions for full ones.
    """
    network = DreamIF(**settings)  # type: ignore[arg-type]
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False) as counter,
    ):  # with gradient: whole, not by strips
        network(torch.empty(1, 3, size, size), torch.empty(1, 1, size, size))
    return counter.get_total_flops(), sum(parameter.numel() for parameter in network.parameters())


def decoding_rate(seconds: float = 1.0) -> tuple[float, int]:
    """JPEG images of 1280x1024 that one core of this machine decodes in a second, and the bytes of one."""
    scene = generate_scene(0, 0, (IMAGE[1], IMAGE[0]))
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(scene.visible), [cv2.IMWRITE_JPEG_QUALITY, 95])
    threads, images = cv2.getNumThreads(), 0
    cv2.setNumThreads(1)
    start = time.process_time()
    while time.process_time() - start < seconds:
        cv2.imdecode(data, cv2.IMREAD_COLOR)
        images += 1
    elapsed = time.process_time() - start
    cv2.setNumThreads(threads)
    return images / elapsed, len(data)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(markdown_table(Table(header, [[Cell(value) for value in row] for row in rows])))


def span(seconds: float) -> str:
    """A time in words."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def report(options: argparse.Namespace) -> str:
    """Everything as text."""
    forward, parameters = count(yaml.safe_load(options.config.read_text())["model"]["net"])
    training = forward * (1 + BACKWARD)
    decoded, size = decoding_rate()

    def plan(gbit: float) -> Plan:
        return Plan(forward, parameters, options.rate, options.batch, options.per_node, gbit, options.gpu_gbyte)

    one = plan(options.node_gbit[0])
    lines = [
        f"{options.config.name}: {parameters / 1e6:.2f} M parameters. One pair of 96x96: {forward / 2e9:.1f} GMAC "
        f"forward, {training / 1e9:.0f} GFLOP in training (backward twice forward).",
        f"Assumed: {options.rate:g} pairs/s on one GPU, which is {options.rate * training / 1e12:.0f} TFLOP/s; "
        f"{options.batch} pairs a step on each, {one.compute * 1e3:.0f} ms; {options.per_node} GPUs a node, "
        f"{options.gpu_gbyte:g} GB/s between them; {EFFECTIVE:.0%} of each link's rate.",
        f"Gradients: {one.gradients / 1e6:.1f} MB a step. A checkpoint, weights and two moments: "
        f"{3 * one.gradients / 1e6:.0f} MB.",
        "",
    ]
    rows = []
    for gpus in options.gpus:
        for gbit in options.node_gbit if gpus > options.per_node else options.node_gbit[:1]:
            worst, best = plan(gbit).efficiency(gpus)
            link = f"{gbit:g}" if gpus > options.per_node else "none"
            milliseconds = plan(gbit).all_reduce(gpus) * 1e3
            rows.append([str(gpus), link, f"{milliseconds:.1f}", f"{worst:.0%}", f"{best:.0%}"])
    lines += [table(["GPUs", "Gbit/s of a node", "all-reduce, ms", "efficiency, worst", "best"], rows), ""]
    rows = []
    for gpus in options.gpus:
        worst, _ = plan(options.node_gbit[-1]).efficiency(gpus)
        steps = options.pairs // gpus // options.batch
        seconds = steps * options.epochs * one.compute / worst
        by_node = min(gpus, options.per_node) * options.rate  # pairs a second
        read = by_node * 2 * size, by_node * CROP * IMAGE[0] * 4, by_node * CROP**2 * 4 * BYTES
        numbers = [gpus, gpus * options.batch, steps, steps * options.epochs]
        rows.append([*map(str, numbers), span(seconds), f"{gpus * options.rate:.0f}", f"{by_node * 2 / decoded:.1f}"])
        rows[-1] += [f"{amount / 1e6:.0f}" for amount in read]
    lines += [
        f"{options.pairs} pairs, one crop of each an epoch, {options.epochs} epochs, {options.node_gbit[-1]:g} Gbit/s; "
        f"JPEG files of {IMAGE[0]}x{IMAGE[1]} and {size / 1e3:.0f} kB, of which one core decodes {decoded:.0f} a "
        "second, two to a pair. MB/s are a node's: of JPEG files, of the rows of a prepared set that hold crops, and "
        "of crops sent to its GPUs.",
        "",
        table(
            ["GPUs", "global batch", "steps an epoch", "steps", "time", "pairs/s", "cores a node for JPEG", *READ], rows
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the plan for the options given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=EXPERIMENTS / "full.yaml", help="whose network")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--per-node", type=int, default=8, help="GPUs in a node")
    parser.add_argument("--batch", type=int, default=16, help="pairs a step on each GPU")
    parser.add_argument("--rate", type=float, default=200.0, help="pairs/s that one GPU trains on")
    parser.add_argument("--node-gbit", type=float, nargs="+", default=[25, 100, 400, 3200], help="between nodes")
    parser.add_argument("--gpu-gbyte", type=float, default=450.0, help="within a node, GB/s each way; 450 is an H100's")
    parser.add_argument("--pairs", type=int, default=12025, help="training pairs; LLVIP has 12025")
    parser.add_argument("--epochs", type=int, default=200)
    print(report(parser.parse_args()))


if __name__ == "__main__":
    main()
