"""`dream-if sweep`: run the grid of a W&B sweep file here, without W&B."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dream_if.cli.options import option, positional, rest
from dream_if.errors import InputError
from dream_if.runs.sweep_display import Board, State
from dream_if.runs.sweep_grid import Sweep, command_of, expand, fit_arguments, point_name, read_sweep
from dream_if.runs.sweep_point import Point, place_of
from dream_if.runs.sweep_runner import run_points
from dream_if.shipped import find

__all__ = ["Options", "run"]

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which grid, and how it is run."""

    file: str = positional(
        "a sweep of W&B that is a grid, such as sweeps/table4.yaml, or the name of one of ours, such as table4",
        metavar="FILE",
    )
    workers: int = option(
        "points that run at a time, with one GPU each. Processor cores are divided among them, and more or fewer "
        "threads round differently: with --threads=1 after the -- results are the same to the last bit for any N",
        default=1,
        metavar="N",
    )
    index: int | None = option(
        "run this point alone, counted from 0: for arrays of jobs on a cluster", default=None, metavar="K"
    )
    dry_run: bool = option(
        "print the commands, and run nothing; whether their settings are right is seen when they run", default=False
    )
    preset: Sequence[str] = option(
        "a configuration instead of the one that the sweep's command names; repeat it for more",
        default=(),
        action="append",
        metavar="FILE",
    )
    overrides: Sequence[str] = rest()


def run(options: Options) -> int:
    """Run the grid of a W&B sweep file here, without W&B; options after -- are added to the command of every point.

    Returns:
        0 if all points are finished, 1 if one has failed, 130 if it was interrupted.

    Raises:
        InputError: The file is no grid that can be run here, a point's settings are wrong, its data is not there, or
            there is a run of another experiment in its place. Nothing has been started then.
    """
    if options.workers < 1:
        raise InputError(f"--workers must be 1 or more, got {options.workers}.")
    sweep = read_sweep(Path(find(options.file, "sweeps")))
    choices = expand(sweep)
    if options.index is not None:
        if not 0 <= options.index < len(choices):
            raise InputError(f"--index: {sweep.path} has the points 0 to {len(choices) - 1}, got {options.index}.")
        choices = [choices[options.index]]
    commands = [command_of(sweep, choice, options.preset, options.overrides) for choice in choices]
    if options.dry_run:
        for command in commands:
            print(shlex.join(command))
        return 0
    project = os.environ.get("WANDB_PROJECT") or sweep.project or "dream-if"
    points = [_point(sweep, choice, command, project) for choice, command in zip(choices, commands, strict=True)]
    for point in points:
        point.refuse_another()
    for point in points:
        if not point.is_finished() and (missing := point.missing_data()):
            raise InputError(
                f"{missing[0]}: there is no such folder, and {point.name} reads its data from it. Name the folder of "
                "the data by --data.root after the --, or data.test_root where that is what is missing."
            )
    return _run(points, options.workers, project)


def _point(sweep: Sweep, choice: Mapping[str, Any], command: Sequence[str], project: str) -> Point:
    """A point with its settings, which are known to be right then."""
    from dream_if.cli.lightning import settings_of  # Lightning takes seconds to load, and --help does without it

    settings = settings_of(fit_arguments(sweep, command))
    name = point_name(choice)
    return Point(name, choice, tuple(command), settings, place_of(settings, project) / name)


def _run(points: Sequence[Point], workers: int, project: str) -> int:
    from dream_if.machine import choose_threads  # with it torch, which --help and --dry-run do without

    console = Console()
    try:
        with Board(points, console) as board:
            for point in points:
                if point.is_finished():
                    board.change(point, State.BEFORE)
            waiting = [point for point in points if board.states[point.name] is State.WAITING]
            devices, threads = _devices(), choose_threads(processes=workers).number
            run_points(waiting, board, workers=workers, devices=devices, threads=threads, project=project)
    except KeyboardInterrupt:
        sys.stderr.write("dream-if: stopped; the same command continues from here.\n")
        return INTERRUPTED
    done = board.count(State.FINISHED, State.BEFORE)
    board.print(f"{done} of {len(points)} points finished; their runs are in {points[0].folder.parent}")
    return int(done < len(points))


def _devices() -> list[str]:
    """The GPUs that processes may use, as ``CUDA_VISIBLE_DEVICES`` calls them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    import torch  # as in _run

    return [str(number) for number in range(torch.cuda.device_count())]
