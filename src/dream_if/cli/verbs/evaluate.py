"""`dream-if evaluate`: score folders of fused images."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dream_if.cli.options import named_folders, option
from dream_if.cli.progress import progress_bar
from dream_if.machine import choose_threads
from dream_if.metrics import DEFAULT_CONVENTION, TABLE_METRICS
from dream_if.reports.evaluation_report import footnotes, markdown_text, tables_of, write_report
from dream_if.reports.table import terminal_table
from dream_if.scoring.parallel import Share, Unfinished
from dream_if.scoring.scored_folders import Evaluation, evaluate

__all__ = ["Options", "run"]

MOST = 16  # beyond, memory is short before cores are: one image of 1280x1024 takes about a gigabyte
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which folders are scored, by which metrics, and how."""

    visible: str = option("visible sources", metavar="FOLDER")
    infrared: str = option("infrared sources, with the same stems", metavar="FOLDER")
    fused: Sequence[str] = option(
        "a method and its fused images, with the stems and sizes of the sources; give it once per method. The "
        "first method is tested against the others. The source folders may be given too, to see them in the table.",
        action="append",
        metavar="NAME=FOLDER",
    )
    metrics: str = option(
        "metrics by their symbols, in the order of the table", default=",".join(TABLE_METRICS), metavar="A,B,..."
    )
    convention: str = option(
        f"whose variant of the metrics: {DEFAULT_CONVENTION}, or a published evaluation code",
        default=DEFAULT_CONVENTION,
    )
    lpips_weights: str | None = option(
        "AlexNet weights for the LPIPS metrics; left out, they come from torch's cache or are downloaded there",
        default=None,
        metavar="FILE",
    )
    device: str = option(
        "where metrics are computed: cpu, cuda, cuda:1, ..., or several GPUs, cuda:0,cuda:1", default="cpu"
    )
    threads: int | None = option(
        f"images scored at the same time on the CPU ; if left out as many as there are free cores, {MOST} at most",
        default=None,
        metavar="N",
    )
    share: str = option(
        "score the K-th of N parts alone, for N jobs with one --out; whichever finds all scores there, or the "
        "same command without --share, writes the results",
        default="1/1",
        metavar="K/N",
    )
    batch_size: int | None = option(
        "images of equal size scored together ; if left out 1 on the CPU, 8 elsewhere", default=None, metavar="N"
    )
    resize: bool = option(
        "scale fused images of another size to that of their sources (bicubic) instead of refusing them; every "
        "output says so",
        default=False,
    )
    out: str | None = option(
        "write per_image.csv, summary.json, table.md and box_plots.png there, and scores.jsonl: with it, a run "
        "that was stopped continues where it was, and nothing is computed twice",
        default=None,
        metavar="FOLDER",
    )


def run(options: Options) -> int:
    """Score folders of fused images, of any method, against their sources.

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
        with progress_bar("scoring") as advance:
            evaluation = evaluate(
                Path(options.visible).expanduser(),
                Path(options.infrared).expanduser(),
                named_folders(options.fused),
                metrics=[symbol.strip() for symbol in options.metrics.split(",") if symbol.strip()],
                convention=options.convention,
                lpips_weights=None if options.lpips_weights is None else Path(options.lpips_weights).expanduser(),
                device=options.device,
                threads=number,
                batch_size=options.batch_size,
                resize=options.resize,
                out=out,
                share=Share.parse(options.share),
                progress=lambda stage, done, total: advance(done, total, stage),
            )
    except KeyboardInterrupt:
        kept = "; the same command continues from here" if out else "; nothing is kept without --out"
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


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print both tables and the notes."""
    for table in tables_of(evaluation):
        console.print(terminal_table(table))
    for note in footnotes(evaluation):
        console.print(Text(note, style="dim"))
    for note in evaluation.notes:
        console.print(Text(f"Note: {note}", style="yellow"))
