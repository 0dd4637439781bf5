"""`dream-if tables`: a table of the paper, from finished runs or by running methods."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from rich.console import Console

from dream_if.cli import network_options
from dream_if.cli.options import option, positional
from dream_if.cli.progress import progress_bar
from dream_if.data.file_list import list_files
from dream_if.downstream.detection import DETECTORS, detection
from dream_if.downstream.drawing import draw_found
from dream_if.downstream.runs import train_on_fused
from dream_if.downstream.segmentation import SEGMENTATION
from dream_if.errors import InputError
from dream_if.inference.fuser import find_device
from dream_if.machine import choose_threads, use_threads
from dream_if.reports.ablation import make_ablation
from dream_if.reports.ablation_document import ablation_document
from dream_if.reports.ablation_runs import expected_runs, rows_of_table4
from dream_if.reports.best_and_worst import draw_extremes
from dream_if.reports.document import Document
from dream_if.reports.downstream import downstream_document
from dream_if.reports.efficiency import efficiency
from dream_if.reports.method_tables import method_document
from dream_if.reports.rows_of_runs import rows_of_sweeps
from dream_if.reports.search_table import points_document, read_search
from dream_if.runs.finished import find_runs
from dream_if.runs.tracked import SCHEME, fetch_runs
from dream_if.scoring.journal import ScoreJournal
from dream_if.scoring.plan import TABLES, TablePlan, read_plan
from dream_if.scoring.scored_plan import score_plan
from dream_if.scoring.statistics import per_image
from dream_if.shipped import find
from dream_if.storage import Pair, make_folder, write_atomically

__all__ = ["Options", "run"]

ABLATION = "4"
SWEEP = "sweep"
DETECTION = "5"
FROM_RUNS = (ABLATION, SWEEP)
ONLY_FOR = {"sweep": FROM_RUNS, "base": FROM_RUNS, "detector": (DETECTION,)}  # option -> tables; others for all
DEFAULT_PLAN = "tables/demo"
JOURNAL = "scores.jsonl"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which table, of what, and where it goes."""

    table: str = positional(
        "table of the paper: 1 clean pairs, 2 corrupted, two-stage, 3 corrupted, one-stage, 4 the ablation, "
        "5 detection on fused images; or beyond it: segmentation of fused images, severity, shift, efficiency, and "
        "sweep, the runs of any grid",
        choices=["1", "2", "3", ABLATION, *TABLES[3:], SWEEP],
    )
    source: Sequence[str] = positional(
        f"a YAML file with methods and sets, or the name of one of ours ({DEFAULT_PLAN} if left out); for tables 4 and "
        "sweep one or more folders below which the runs lie, at any depth (runs/table4, or runs/ and the name of the "
        "sweep's file), or wandb:ENTITY/PROJECT or wandb:ENTITY/PROJECT/SWEEP for runs that W&B holds",
        default=(),
        nargs="*",
        metavar="SOURCE",
    )
    out: str | None = option(
        "where the table goes as .md, .csv, .html and .png, and its scores as scores.jsonl, with which a run that "
        "was stopped continues; runs/tables if left out, for tables 4 and sweep the first folder of runs that is named",
        default=None,
        metavar="FOLDER",
    )
    sweep: Sequence[str] = option(
        "of tables 4 and sweep: the sweeps that ran it, such as sweeps/table4.yaml sweeps/table4_controls.yaml, or "
        "names of ours; a row or seed that they name and the runs lack is an error, even where no other row has the "
        "seed",
        default=(),
        nargs="+",
        metavar="FILE",
    )
    base: str | None = option(
        "of tables 4 and sweep: the row that the others are tested against, as the table calls it, in table 4 by its "
        "group; the first row if left out",
        default=None,
        metavar="ROW",
    )
    data: str = option("what {data} in the YAML file stands for", default="data", metavar="FOLDER")
    weights: str = option("what {weights} in the YAML file stands for, as for dream-if fuse", default="small")
    trust_code: bool = network_options.trust_code()
    lpips_weights: str | None = option("AlexNet weights for the LPIPS metrics", default=None, metavar="FILE")
    limit: int | None = option("use this many pairs of each set, spread over its names", default=None, metavar="N")
    panels: int = option(
        "draw the K best and K worst images of our method, by set, condition and metric, into panels/; of "
        "tables 5 and segmentation K test images of each set with what was found",
        default=0,
        metavar="K",
    )
    detector: str = option(
        "of table 5: torchvision's, or the program yolo of this machine, in a separate process",
        default=DETECTORS[0],
        choices=DETECTORS,
    )
    device: str = network_options.device()
    threads: int | None = network_options.threads("threads of torch; found out if left out")


def run(options: Options) -> int:
    """Make a table of the paper from finished runs, or by running methods on test sets.

    Raises:
        InputError: A file, set, method or run is missing or cannot be used, or the output cannot be written.
    """
    _refuse_idle(options)
    if options.table in FROM_RUNS:
        _from_runs(options)
        return 0
    if len(options.source) > 1:
        raise InputError(f"table {options.table}: expected one YAML file, got {' '.join(options.source)}.")
    for name, least in (("limit", 1), ("panels", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name}: expected {least} or more, got {value}.")
    use_threads(choose_threads(options.threads))
    device = find_device(options.device)
    plan = read_plan(
        Path(find(next(iter(options.source), DEFAULT_PLAN), "experiments")).expanduser(),
        options.table,
        data=Path(options.data).expanduser(),
        weights=options.weights,
        device=device,
        limit=options.limit,
        trust_code=options.trust_code,
    )
    out = make_folder(Path(options.out or "runs/tables").expanduser())
    for sentence in plan.missing:
        sys.stderr.write(f"Left out {sentence}\n")
    if options.table == "efficiency":
        _deliver(efficiency(plan, device), out)
        return 0
    if options.table in (DETECTION, SEGMENTATION.name):
        _train_on_fused(plan, out, options)
        return 0
    _score_methods(plan, out, options)
    return 0


def _from_runs(options: Options) -> None:
    """Make Table 4, or the table of a sweep, from finished runs."""
    sweeps = [Path(find(str(Path(path).expanduser()), "sweeps")) for path in options.sweep]
    if options.table == SWEEP and not sweeps:
        raise InputError("--sweep: table sweep needs the file of the sweep that ran the runs, such as --sweep my.yaml.")
    place = f"runs/{sweeps[0].stem}" if options.table == SWEEP else "runs/table4"
    sources = options.source or [place]
    folders = [Path(source).expanduser() for source in sources if not source.startswith(SCHEME)]
    out = folders[0] if folders else Path("runs/tables")
    for source in sources:
        if source.startswith(SCHEME):
            folder, lacking = fetch_runs(source)
            folders.append(folder)
            sys.stderr.writelines(f"{sentence}\n" for sentence in lacking)
    out = out if options.out is None else Path(options.out).expanduser()
    search = read_search(sweeps[0]) if options.table == SWEEP and len(sweeps) == 1 else None
    if search is not None:
        if options.base is not None:
            raise InputError(f"--base {options.base}: {sweeps[0]} is not a grid, so it has no rows; leave it out.")
        _deliver(points_document(search, folders), out)
        return
    lineup = rows_of_sweeps(sweeps, options.base) if options.table == SWEEP else None
    found = find_runs(*folders)
    if lineup is None:
        lineup = rows_of_table4(found, [place for path in sweeps for place in expected_runs(path)], options.base)
    _deliver(ablation_document(make_ablation(found, lineup)), out)


def _refuse_idle(options: Options) -> None:
    """Refuse options that this table would not heed."""
    for each in fields(options):
        given, word = getattr(options, each.name), f"--{each.name.replace('_', '-')}"
        tables = ONLY_FOR.get(each.name, ())
        if each.name in ("table", "source", "out") or given in (each.default, []) or options.table in tables:
            continue
        if options.table in FROM_RUNS:
            raise InputError(
                f"{word} {given}: table {options.table} reads finished runs and does not use this; leave it out. What "
                "the runs are tested on is settled when they are run."
            )
        if tables:
            raise InputError(f"{word} is for {' and '.join(f'table {name}' for name in tables)}; leave it out.")


def _train_on_fused(plan: TablePlan, out: Path, options: Options) -> None:
    """Train and test detectors or segmentation networks, and write the table."""
    task = detection(options.detector) if options.table == DETECTION else SEGMENTATION
    with progress_bar("fusing and training") as advance:
        results = train_on_fused(
            plan, task, out, ScoreJournal(out / JOURNAL), device=find_device(options.device), progress=advance
        )
    for sentence in results.left_out:
        sys.stderr.write(f"Left out {sentence}\n")
    document = downstream_document(results)
    _deliver(document, out, results.files)
    if options.panels:
        drawn = draw_found(results, options.panels, out / "panels" / document.name)
        sys.stdout.write(f"Wrote {len(drawn)} panels to {out / 'panels' / document.name}\n")
    sys.stdout.write(f"Fused images with labels: {results.folder}\n")


def _score_methods(plan: TablePlan, out: Path, options: Options) -> None:
    """Score the methods, and write the table, the scores of single images, and panels."""
    device = find_device(options.device)
    weights = None if options.lpips_weights is None else Path(options.lpips_weights).expanduser()
    with progress_bar("scoring") as advance:
        scored = score_plan(plan, ScoreJournal(out / JOURNAL), lpips_weights=weights, device=device, progress=advance)
    for sentence in scored.left_out:
        sys.stderr.write(f"{sentence}\n")
    document = method_document(scored)
    write_atomically(
        out / f"{document.name}_images.csv",
        per_image(scored.scores).to_csv(index=False, lineterminator="\n", na_rep="nan").encode(),
    )
    _deliver(document, out, {name: images.files() for name, images in plan.images.items()})
    if options.panels:
        drawn = draw_extremes(scored, options.panels, out / "panels" / document.name, device)
        sys.stdout.write(f"Wrote {len(drawn)} panels to {out / 'panels' / document.name}\n")


def _deliver(document: Document, out: Path, files: Mapping[str, Sequence[Pair]] | None = None) -> None:
    """Write and print a document, and write which files its pairs are."""
    written = document.write(out)
    if files and any(files.values()):
        written.append(out / f"{document.name}_pairs.csv")
        write_atomically(written[-1], list_files(files).encode())
    console = Console()
    if console.is_terminal:
        document.show(console)
    else:  # bold and underlined would be lost
        sys.stdout.write(document.markdown())
    sys.stdout.write(f"Wrote {', '.join(path.name for path in written)} to {out}\n")
