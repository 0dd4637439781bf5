"""Machine, tables and plot of benchmarks/network.py."""

import io
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.network_case import ARMS, Result
from benchmarks.network_floor import DEVICES, bytes_moved
from benchmarks.network_proof import Proof
from benchmarks.scaling import BACKWARD, count
from dream_if.reports.table import Cell, Table, markdown_table

__all__ = ["counts", "machine", "markdown", "plot"]

PLAIN = ARMS[0].name
BFLOAT16 = {arm.name for arm in ARMS if arm.bf16}
SHARES = ["of peak", "of bandwidth", "of products"]
SIDE, BATCH = 96, 16  # of the crops for which operations and bytes are counted


def machine(device: str, threads: int) -> dict[str, str]:
    """What it runs on, as text by name."""
    told = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "threads": str(threads),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "dream-if": version("dream-if"),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        told["GPU"] = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
        told["CUDA, cuDNN"] = f"{torch.version.cuda}, {torch.backends.cudnn.version()}"  # type: ignore[no-untyped-call]
        told["arithmetic"] = "TF32 off, cuDNN benchmark on"
    return told


def _processor() -> str:
    """The processor's name, where the system tells it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def counts(networks: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By network: parameters, and of one pair of 96x96 forward the operations and bytes moved in bfloat16."""
    counted = {}
    for name, settings in networks.items():
        operations, parameters = count(settings, SIDE)
        every, products = bytes_moved(settings, SIDE, BATCH)
        counted[name] = {
            "parameters": parameters, "operations": operations, "bytes": every, "bytes_of_products": products,
        }  # fmt: skip
    return counted


def markdown(
    results: Sequence[Result],
    proofs: Sequence[Proof],
    told: dict[str, str],
    counted: dict[str, dict[str, float]],
    device: str,
) -> str:
    """Everything as Markdown: machine, proofs, a table for each network and kind of work, and what bounds GPUs."""
    threads = int(told["threads"])
    by = "processor time" if device == "cpu" and threads == 1 else "time by the clock"
    lines = ["; ".join(f"{name}: {value}" for name, value in told.items()), ""]
    rows = [
        [
            Cell(f"{proof.network}, {proof.what}"),
            Cell(proof.size),
            Cell(f"{proof.error:.1e}"),
            Cell(f"{proof.allowed:.0e}"),
        ]
        for proof in proofs
    ]
    lines += markdown_table(Table(["equal to the plain formulation", "size", "error", "allowed"], rows))
    lines += [
        "",
        f"`faster`: {by}, plain over this. `peak`: memory of the whole "
        f"{'process' if device == 'cpu' else 'device'}; `net`: without what importing and building took; `less`: plain "
        f"over this, net. Operations are counted without gradient, {1 + BACKWARD} times as many in training.",
    ]
    unit = "TFLOP/s" if device == "cuda" else "GFLOP/s"
    header = ["size, batch", "", "CPU s", "s", "faster", "pairs/s", unit, "peak MB", "net MB", "less"]
    gpu = torch.cuda.get_device_name() if device == "cuda" else ""
    limits = next((limits for name, limits in DEVICES.items() if name in gpu), None)
    if limits:
        header += SHARES
        lines += [
            "",
            "`of peak`: of the GPU's arithmetic in bfloat16. `of bandwidth`: least time to move the bytes of every "
            "operation over the time taken, which fusing operations can bring above 100 %. `of products`: the same for "
            "the bytes of convolutions and matrix products alone.",
        ]
    for network, work in dict.fromkeys((one.case.network, one.case.work) for one in results):
        kept = [one for one in results if (one.case.network, one.case.work) == (network, work)]
        rows = [_row(one, kept, counted[network], device, limits) for one in kept if not one.reason]
        title = f"{network}, {'forward' if work == 'forward' else 'training step'}"
        lines += ["", *markdown_table(Table(header, rows, title))]
        left = [f"{one.case.size} x{one.case.batch} {one.arm}: {one.reason}" for one in kept if one.reason]
        if left:
            lines += ["", f"Left out: {'; '.join(left)}."]
    return "\n".join([*lines, "", *_floor(counted)]) + "\n"


def _row(
    one: Result,
    kept: Sequence[Result],
    counted: dict[str, float],
    device: str,
    limits: tuple[float, float] | None,
) -> list[Cell]:
    """A line of the table; what there is nothing to compare with gets a dash."""
    steps = 1 + BACKWARD if one.case.work == "training" else 1
    crops = one.case.pixels / SIDE**2 * steps / one.seconds  # of those that were counted, in a second
    plain = next((other for other in kept if other.case == one.case and other.arm == PLAIN and not other.reason), None)
    rate = counted["operations"] * crops
    cells = [
        Cell(f"{one.case.size} x{one.case.batch}"),
        Cell(one.arm),
        Cell(f"{one.cpu:.3g}"),
        Cell(f"{one.wall:.3g}"),
        Cell(f"{plain.seconds / one.seconds:.2f}" if plain else "–"),
        Cell(f"{one.case.batch / one.seconds:.3g}"),
        Cell(f"{rate / 1e12:.1f}" if device == "cuda" else f"{rate / 1e9:.0f}"),
        Cell(f"{one.peak / 1e6:.0f}"),
        Cell(f"{one.net / 1e6:.0f}"),
        Cell(f"{plain.net / one.net:.2f}" if plain and one.net else "–"),
    ]
    if limits:
        peak, bandwidth = limits
        used = rate / peak, counted["bytes"] * crops / bandwidth, counted["bytes_of_products"] * crops / bandwidth
        cells += [Cell(f"{share:.1%}" if one.arm in BFLOAT16 else "–") for share in used]
    return cells


def _floor(counted: dict[str, dict[str, float]]) -> list[str]:
    """What known devices could do at most with the operations and bytes counted: arithmetic, nothing measured."""
    header = [
        "at most, by data sheet",
        "bound",
        *(f"{device}, {kind}" for device in DEVICES for kind in ("forward", "training")),
    ]
    rows = []
    for name, figures in counted.items():
        for bound, amount, column in (
            ("operations, bf16", figures["operations"], 0),
            ("bytes, every operation by itself", figures["bytes"], 1),
            ("bytes, all fused into products", figures["bytes_of_products"], 1),
        ):
            rates = [limits[column] / amount / steps for limits in DEVICES.values() for steps in (1, 1 + BACKWARD)]
            rows.append([Cell(name), Cell(bound), *(Cell(f"{rate:.0f}") for rate in rates)])
    text = f"Pairs of {SIDE}x{SIDE} a second that a GPU allows at most, counted for a batch of {BATCH}; not measured:"
    return [text, "", *markdown_table(Table(header, rows))]


def plot(results: Sequence[Result]) -> bytes:
    """Time and memory of forward passes against pixels, and of training steps against the batch, as a PNG file."""
    networks = list(dict.fromkeys(one.case.network for one in results))
    figure = Figure(figsize=(5.5 * max(1, len(networks)), 9.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(4, max(1, len(networks)), squeeze=False)
    for column, network in enumerate(networks):
        for half, (work, label) in enumerate((("forward", "megapixels of an image"), ("training", "batch of 96x96"))):
            kept = [one for one in results if (one.case.network, one.case.work) == (network, work) and not one.reason]
            upper, lower = grid[2 * half][column], grid[2 * half + 1][column]
            for arm in dict.fromkeys(one.arm for one in kept):
                # A batch of crops is as many pixels as one image of its size.
                line = sorted((one for one in kept if one.arm == arm), key=lambda one: one.case.pixels)
                along = [one.case.batch if work == "training" else one.case.pixels / 1e6 for one in line]
                _draw(upper, along, [one.seconds for one in line], arm)
                _draw(lower, along, [one.net / 1e9 for one in line], arm)
            upper.set_title(f"{network}: {'forward' if work == 'forward' else 'training step'}", fontsize=10)
            upper.set_ylabel("seconds")
            lower.set_ylabel("peak GB, net")
            lower.set_xlabel(label)
            for axes in (upper, lower):
                axes.set_xlim(left=0)
                axes.set_ylim(bottom=0)
                axes.grid(alpha=0.3)
            if kept:
                upper.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Axes, along: Sequence[float], up: Sequence[float], arm: str) -> None:
    """One arm, in its own colour in every picture."""
    colour = f"C{[one.name for one in ARMS].index(arm)}"
    axes.plot(along, up, marker="o", markersize=4, color=colour, label=arm)
