"""`dream-if tables`: a table of the paper from finished runs."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from dream_if.tables.ablation import make_ablation
from dream_if.tables.runs import find_runs
from dream_if.tables.table4 import table4

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    parser.add_argument("table", choices=["4"], help="number of the table in the paper: 4 is the ablation")
    parser.add_argument(
        "runs",
        nargs="?",
        default="runs/table4",
        metavar="RUNS",
        help="folder below which the runs lie, at any depth",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="where table4.md, table4.csv, table4.html and table4.png go; the folder of the runs if left out",
    )


def run(options: argparse.Namespace) -> int:
    """Make a table of the paper from finished runs, and return the exit status.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0.

    Raises:
        InputError: Runs are missing, doubled, unreadable or not comparable, or the output cannot be written.
    """
    runs = Path(options.runs).expanduser()
    out = runs if options.out is None else Path(options.out).expanduser()
    document = table4(make_ablation(find_runs(runs), runs))
    written = document.write(out)
    console = Console()
    if console.is_terminal:
        document.show(console)
    else:  # bold and underlined would be lost
        sys.stdout.write(document.markdown())
    sys.stdout.write(f"Wrote {', '.join(path.name for path in written)} to {out}\n")
    return 0
