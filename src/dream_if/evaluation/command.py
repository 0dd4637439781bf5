"""`dream-if evaluate`: score folders of fused images."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from dream_if.errors import InputError
from dream_if.metrics import DEFAULT_CONVENTION, TABLE_METRICS
from dream_if.reports.folders import footnotes, markdown_text, tables_of, write_report
from dream_if.reports.table import terminal_table
from dream_if.scoring.evaluate import Evaluation, evaluate
from dream_if.scoring.parallel import Share, Unfinished
from dream_if.threads import choose_threads

__all__ = ["add_arguments", "run"]

MOST = 16  # beyond, memory is short before cores are: one image of 1280x1024 takes about a gigabyte
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    parser.add_argument("--visible", required=True, metavar="FOLDER", help="visible sources")
    parser.add_argument("--infrared", required=True, metavar="FOLDER", help="infrared sources, with the same stems")
    parser.add_argument(
        "--fused",
        required=True,
        action="append",
        metavar="NAME=FOLDER",
        help="a method and its fused images, with the stems and sizes of the sources; give it once per method. The "
        "first method is tested against the others. The source folders may be given too, to see them in the table.",
    )
    parser.add_argument(
        "--metrics",
        default=",".join(TABLE_METRICS),
        metavar="A,B,...",
        help="metrics by their symbols, in the order of the table",
    )
    parser.add_argument(
        "--convention",
        default=DEFAULT_CONVENTION,
        help=f"whose variant of the metrics: {DEFAULT_CONVENTION}, or a published evaluation code",
    )
    parser.add_argument(
        "--lpips-weights",
        metavar="FILE",
        help="AlexNet weights for the LPIPS metrics; left out, they come from torch's cache or are downloaded there",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="where metrics are computed: cpu, cuda, cuda:1, ..., or several GPUs, cuda:0,cuda:1",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=f"images scored at the same time on the CPU ; if left out as many as there are free cores, {MOST} at most",
    )
    parser.add_argument(
        "--share",
        default="1/1",
        metavar="K/N",
        help="score the K-th of N parts alone, for N jobs with one --out; whichever finds all scores there, or the "
        "same command without --share, writes the results",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="images of equal size scored together ; if left out 1 on the CPU, 8 elsewhere",
    )
    parser.add_argument(
        "--resize",
        action="store_true",
        help="scale fused images of another size to that of their sources (bicubic) instead of refusing them; every "
        "output says so",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="write per_image.csv, summary.json, table.md and box_plots.png there, and scores.jsonl: with it, a run "
        "that was stopped goes on where it was, and nothing is computed twice",
    )


def run(options: argparse.Namespace) -> int:
    """Score folders of fused images, of any method, against their sources.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0, also where other shares are still to be scored, or 130 if it was interrupted.

    Raises:
        InputError: see `evaluate`.
    """
    out = None if options.out is None else Path(options.out).expanduser()
    threads = choose_threads(options.threads)
    number = threads.number if options.threads else min(MOST, threads.number)
    if options.device == "cpu":
        sys.stderr.write(f"Computing with {threads.reason}\n")
    try:
        with _progress() as advance:
            evaluation = evaluate(
                Path(options.visible).expanduser(),
                Path(options.infrared).expanduser(),
                parse_methods(options.fused),
                metrics=[symbol.strip() for symbol in options.metrics.split(",") if symbol.strip()],
                convention=options.convention,
                lpips_weights=None if options.lpips_weights is None else Path(options.lpips_weights).expanduser(),
                device=options.device,
                threads=number,
                batch_size=options.batch_size,
                resize=options.resize,
                out=out,
                share=Share.parse(options.share),
                progress=advance,
            )
    except KeyboardInterrupt:
        kept = "; the same command goes on from here" if out else "; nothing is kept without --out"
        sys.stderr.write(f"dream-if: stopped{kept}.\n")
        return INTERRUPTED
    except Unfinished as rest:
        sys.stdout.write(f"Share {options.share} is done; {rest}.\n")
        return 0
    written = write_report(evaluation, out) if out else []
    console = Console()
    if console.is_terminal:
        print_evaluation(evaluation, console)
    else:  # bold and underlined would be lost
        sys.stdout.write(markdown_text(evaluation))
    if written:
        sys.stdout.write(f"Wrote {', '.join(path.name for path in written)} to {out}\n")
    return 0


def parse_methods(options: Sequence[str]) -> dict[str, Path]:
    """NAME=FOLDER options as a mapping, in their order.

    Raises:
        InputError: one of them has another form, or a name is there twice.
    """
    methods: dict[str, Path] = {}
    for option in options:
        name, equals, folder = option.partition("=")
        name = name.strip()
        if not (name and equals and folder):
            raise InputError(f"--fused: expected NAME=FOLDER, such as ours=results/ours, got {option!r}.")
        if name in methods:
            raise InputError(f"--fused: the name {name!r} is given twice; each method needs its own.")
        methods[name] = Path(folder).expanduser()
    return methods


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each stage on the standard error, so that the standard output holds the result alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield advance


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print both tables and the notes."""
    for table in tables_of(evaluation):
        console.print(terminal_table(table))
    for note in footnotes(evaluation):
        console.print(Text(note, style="dim"))
    for note in evaluation.notes:
        console.print(Text(f"Note: {note}", style="yellow"))
