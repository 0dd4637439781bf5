"""What methods cost: parameters, operations, time and memory of one pair, each with its recipe."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dream_if.compat import computing_nothing
from dream_if.data.conditions import CLEAN
from dream_if.machine import forget_peak, peak_memory, used_memory
from dream_if.methods.method import Computed, PairId
from dream_if.methods.rows import Row
from dream_if.models import DreamIF
from dream_if.pixels import figure_png
from dream_if.reports.document import Document
from dream_if.reports.plots import OTHERS, OURS
from dream_if.reports.table import Cell, Table
from dream_if.scoring.plan import CostSettings, TablePlan

__all__ = ["Cost", "efficiency", "measure"]

WARM_UP = 1
MIB = 2**20
COLUMNS = {"M parameters": (1e6, 3), "GMAC": (1e9, 2), "ms": (1e-3, 1), "MiB": (MIB, 0)}
"""Heading -> unit and decimals, in the order of the fields of `Cost`."""


class Cost(NamedTuple):
    """Cost of one row; None for what cannot be found out.

    Attributes:
        parameters: of the network; buffers do not count.
        operations: multiplications with an addition, of convolutions and matrix products.
        seconds: median of the repeats.
        memory: bytes at the peak above those held before.
    """

    parameters: int | None
    operations: float | None
    seconds: float
    memory: int | None


def measure(
    row: Row,
    size: tuple[int, int],
    repeats: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> Cost:
    """Fuse a made-up pair some times.

    Args:
        row: what fuses, its restorer included.
        size: height and width.
        repeats: how often, after one that does not count.
        device: where.
        clock: in seconds; `time.process_time` on a busy machine.
    """
    generator = torch.Generator().manual_seed(0)
    visible, infrared = (torch.rand(1, channels, *size, generator=generator).to(device) for channels in (3, 1))
    pair = PairId("made-up", CLEAN, "noise")

    def once() -> None:
        sources = (visible, infrared) if row.restorer is None else row.restorer(visible, infrared, pair)
        row.method.fuse(*sources, pair)

    for _ in range(WARM_UP):
        once()
    memory = _peak(once, device)
    taken = []
    for _ in range(repeats):
        _wait(device)
        begin = clock()
        once()
        _wait(device)
        taken.append(clock() - begin)
    return Cost(_parameters(row), _operations(row, visible, infrared), statistics.median(taken), memory)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(once: Callable[[], None], device: torch.device) -> int | None:
    """Bytes at the peak of a fusion above those held before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        once()
        return torch.cuda.max_memory_allocated(device) - held
    held = used_memory(device)
    if not forget_peak():  # only Linux counts the peak anew
        return None
    once()
    return max(0, peak_memory() - held)


def _parameters(row: Row) -> int | None:
    if row.method.module is None:
        return 0 if row.method.is_source else None
    return sum(parameter.numel() for parameter in row.method.module.parameters())


def _operations(row: Row, visible: Tensor, infrared: Tensor) -> float | None:
    """Multiply-adds of convolutions and matrix products, which is what torch counts; None where it cannot look."""
    if isinstance(row.method.module, DreamIF):
        return _counted(row.method.module.config, (visible.shape[-2], visible.shape[-1]))
    if not isinstance(row.method, Computed) or row.method.module is None:
        return _parameters(row)  # 0 for a source alone, which computes nothing
    if isinstance(row.method.module, torch.jit.ScriptModule):
        return None  # its operators do not come by the counter
    with FlopCounterMode(display=False) as counter:
        row.method.fuse(visible, infrared, PairId("made-up", CLEAN, "noise"))
    return counter.get_total_flops() / 2


def _counted(settings: dict[str, object], size: tuple[int, int]) -> float:
    """Our network without computing anything, and whole: by strips, rows at their edges would count twice."""
    net = DreamIF(**settings)  # type: ignore[arg-type]
    with computing_nothing(), FlopCounterMode(display=False) as counter:  # with gradient: whole
        net(torch.empty(1, 3, *size), torch.empty(1, 1, *size))
    return counter.get_total_flops() / 2


def efficiency(plan: TablePlan, device: torch.device) -> Document:
    """The costs of a plan's rows as a document.

    Raises:
        InputError: A method fails.
    """
    assert isinstance(plan.settings, CostSettings)
    size, repeats = plan.settings.size, plan.settings.repeats
    rows = [row for row in plan.rows if isinstance(row.method, Computed) and not row.method.is_source]
    costs = {row.name: measure(row, size, repeats, device) for row in rows}
    lines = [
        [Cell(name), *(Cell(_shown(value, *unit)) for value, unit in zip(cost, COLUMNS.values(), strict=True))]
        for name, cost in costs.items()
    ]
    frame = pd.DataFrame(costs.values(), index=pd.Index(costs, name="method"), columns=Cost._fields, dtype=object)
    title = f"Efficiency, one pair of {size[1]}x{size[0]} on {_device(device)}"
    return Document(
        name="efficiency",
        title=title,
        tables=[Table(["method", *COLUMNS], lines)],
        notes=[
            f"ms: median of {repeats} fusions of one made-up pair after {WARM_UP} not counted, on the wall "
            f"clock, float32, {torch.get_num_threads()} thread(s), with what restores the sources first, without "
            "reading and writing files.",
            "MiB: the most that the process holds in one further fusion, less what it held before"
            + (" (torch's tensors on the GPU)." if device.type == "cuda" else " (resident memory, VmHWM of Linux)."),
            "GMAC: billions of multiply-adds, half of what torch's FlopCounterMode "
            "counts, which is convolutions and matrix products. Classical methods work in other ways, so theirs "
            "say little. Parameters and GMAC are the method's, without a restorer's. A dash: torch cannot look inside.",
            f"torch {torch.__version__}. Times are for this machine and its load.",
        ],
        csv=frame.to_csv(lineterminator="\n"),
        plots={"": _plot(costs, title)},
        plot_says="Time against memory, a dot for each method",
    )


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"


def _shown(value: float | None, unit: float, digits: int) -> str:
    return "–" if value is None else f"{value / unit:.{digits}f}"


def _plot(costs: dict[str, Cost], title: str) -> bytes:
    figure = Figure(figsize=(6.5, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for number, (name, cost) in enumerate(costs.items()):
        place = 1e3 * cost.seconds, (cost.memory or 0) / MIB
        axes.plot(*place, "o", color=OTHERS if number else OURS)
        axes.annotate(name, place, textcoords="offset points", xytext=(5, 3), fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("ms for a pair")
    axes.set_ylabel("MiB at the peak")
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure_png(figure)
