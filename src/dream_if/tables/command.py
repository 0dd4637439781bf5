"""`dream-if tables`: a table of the paper, from finished runs or by running methods."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dream_if.detection.found_pictures import draw_found
from dream_if.detection.runs import DETECTORS, detect_on_fused
from dream_if.errors import InputError
from dream_if.files import make_folder, write_atomically
from dream_if.inference.fuser import find_device
from dream_if.reports.ablation import make_ablation
from dream_if.reports.ablation_document import ablation_document
from dream_if.reports.ablation_sweeps import expected_runs
from dream_if.reports.best_and_worst import draw_extremes
from dream_if.reports.comparison import comparison_document
from dream_if.reports.detection import detection_document
from dream_if.reports.document import Document
from dream_if.reports.efficiency import efficiency
from dream_if.runs.finished import find_runs
from dream_if.scoring.compare import compare_methods
from dream_if.scoring.journal import Journal
from dream_if.scoring.plan import TABLES, Plan, read_plan
from dream_if.scoring.statistics import per_image
from dream_if.threads import choose_threads, use_threads

__all__ = ["add_arguments", "run"]

ABLATION = "4"
DETECTION = "5"
DEFAULT_PLAN = "experiments/tables/demo.yaml"
JOURNAL = "scores.jsonl"
DEFAULTS = {"data": "data", "weights": "small", "panels": 0, "detector": DETECTORS[0], "device": "auto"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    parser.add_argument(
        "table",
        choices=["1", "2", "3", ABLATION, *TABLES[3:]],
        help="table of the paper: 1 clean pairs, 2 corrupted, two-stage, 3 corrupted, one-stage, 4 the ablation, "
        "5 detection on fused images; or beyond it: severity, shift, efficiency",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help=f"a YAML file with methods and sets ({DEFAULT_PLAN} if left out); for table 4 the folder below which the "
        "runs lie, at any depth (runs/table4)",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="where the table goes as .md, .csv, .html and .png, and its scores as scores.jsonl, with which a run that "
        "was stopped goes on; runs/tables if left out, for table 4 the folder of the runs",
    )
    parser.add_argument(
        "--sweep",
        nargs="+",
        metavar="FILE",
        help="of table 4: the sweeps that ran it, such as sweeps/table4.yaml sweeps/table4_controls.yaml; a row or "
        "seed of theirs that is missing is an error, even where no other row has the seed",
    )
    parser.add_argument(
        "--data", default=DEFAULTS["data"], metavar="FOLDER", help="what {data} in the YAML file stands for"
    )
    parser.add_argument(
        "--weights",
        default=DEFAULTS["weights"],
        help="what {weights} in the YAML file stands for, as for dream-if fuse",
    )
    parser.add_argument("--lpips-weights", metavar="FILE", help="AlexNet weights for the LPIPS metrics")
    parser.add_argument("--limit", type=int, metavar="N", help="so many pairs of each set, spread over its names")
    parser.add_argument(
        "--panels",
        type=int,
        default=DEFAULTS["panels"],
        metavar="K",
        help="draw the K best and K worst images of our method, by set, condition and metric, into panels/; of "
        "table 5 K test images of each set with what was found",
    )
    parser.add_argument(
        "--detector",
        choices=DETECTORS,
        default=DEFAULTS["detector"],
        help="of table 5: torchvision's, or the program yolo of this machine, in a process of its own",
    )
    parser.add_argument(
        "--device", default=DEFAULTS["device"], help="auto, cpu, cuda, cuda:1, ...; auto takes a GPU if there is one"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of torch; found out if left out")


def run(options: argparse.Namespace) -> int:
    """Make a table of the paper from finished runs, or by running methods on test sets.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0.

    Raises:
        InputError: A file, set, method or run is missing or cannot be used, or the output cannot be written.
    """
    if options.table == ABLATION:
        runs = Path(options.source or "runs/table4").expanduser()
        out = runs if options.out is None else Path(options.out).expanduser()
        _refuse_idle(options)
        expected = [place for path in options.sweep or () for place in expected_runs(Path(path).expanduser())]
        _deliver(ablation_document(make_ablation(find_runs(runs), runs, expected)), out)
        return 0
    if options.sweep is not None:
        raise InputError(f"--sweep is for table {ABLATION}, the ablation; leave it out.")
    for name, least in (("limit", 1), ("panels", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name}: expected {least} or more, got {value}.")
    use_threads(choose_threads(options.threads))
    device = find_device(options.device)
    plan = read_plan(
        Path(options.source or DEFAULT_PLAN).expanduser(),
        options.table,
        data=Path(options.data).expanduser(),
        weights=options.weights,
        device=device,
        limit=options.limit,
    )
    out = make_folder(Path(options.out or "runs/tables").expanduser())
    for sentence in plan.missing:
        sys.stderr.write(f"Left out {sentence}\n")
    if options.table == "efficiency":
        _deliver(efficiency(plan, device), out)
        return 0
    if options.table == DETECTION:
        _detect(plan, out, options)
        return 0
    _compare(plan, out, options)
    return 0


def _refuse_idle(options: argparse.Namespace) -> None:
    """Refuse options that the ablation, which runs nothing, would not heed."""
    for name in ("data", "weights", "lpips_weights", "limit", "panels", "detector", "device", "threads"):
        given = getattr(options, name)
        if given != DEFAULTS.get(name):
            raise InputError(
                f"--{name.replace('_', '-')} {given}: table {ABLATION} reads finished runs and does not use this; "
                "leave it out. What the runs are tested on is settled when they are run."
            )


def _detect(plan: Plan, out: Path, options: argparse.Namespace) -> None:
    """Train and test detectors, and write the table."""
    with _progress("fusing and training") as advance:
        results = detect_on_fused(
            plan,
            out,
            Journal(out / JOURNAL),
            detector=options.detector,
            device=find_device(options.device),
            progress=advance,
        )
    for sentence in results.left_out:
        sys.stderr.write(f"Left out {sentence}\n")
    _deliver(detection_document(results), out)
    if options.panels:
        drawn = draw_found(results, options.panels, out / "panels" / "table5")
        sys.stdout.write(f"Wrote {len(drawn)} panels to {out / 'panels' / 'table5'}\n")
    sys.stdout.write(f"Fused images with boxes, for YOLO and COCO: {results.folder}\n")


def _compare(plan: Plan, out: Path, options: argparse.Namespace) -> None:
    """Score the methods, and write the table, the scores of single images, and panels."""
    device = find_device(options.device)
    weights = None if options.lpips_weights is None else Path(options.lpips_weights).expanduser()
    with _progress() as advance:
        scored = compare_methods(plan, Journal(out / JOURNAL), lpips_weights=weights, device=device, progress=advance)
    for sentence in scored.left_out:
        sys.stderr.write(f"{sentence}\n")
    document = comparison_document(scored)
    write_atomically(
        out / f"{document.name}_images.csv",
        per_image(scored.scores).to_csv(index=False, lineterminator="\n", na_rep="nan").encode(),
    )
    _deliver(document, out)
    if options.panels:
        drawn = draw_extremes(scored, options.panels, out / "panels" / document.name, device)
        sys.stdout.write(f"Wrote {len(drawn)} panels to {out / 'panels' / document.name}\n")


def _deliver(document: Document, out: Path) -> None:
    """Write and print a document."""
    written = document.write(out)
    console = Console()
    if console.is_terminal:
        document.show(console)
    else:  # bold and underlined would be lost
        sys.stdout.write(document.markdown())
    sys.stdout.write(f"Wrote {', '.join(path.name for path in written)} to {out}\n")


@contextmanager
def _progress(doing: str = "scoring") -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the standard error."""
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
