"""`dream-if fuse`: two pictures, two folders of them, or two videos, become one."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import current_thread, main_thread
from typing import NoReturn

from dream_if.cli import network_options
from dream_if.cli.fuse_options import MISSING, Options, network, settings_of
from dream_if.cli.fuse_videos import run_streams, run_videos
from dream_if.cli.options import is_stream
from dream_if.cli.progress import progress_bar
from dream_if.errors import InputError
from dream_if.inference.folders import (
    JOURNAL,
    Journal,
    Report,
    fuse_files,
    infrared_pictures,
    is_video,
    pair_files,
    pair_folders,
)
from dream_if.inference.weights import digest
from dream_if.inference.writing import check_ending
from dream_if.storage import make_folder

__all__ = ["Options", "run"]


@contextmanager
def _sigterm_ends_in_order() -> Iterator[None]:
    """Make SIGTERM an exception, so that files that are written to are removed, as they are after Ctrl-C."""
    if current_thread() is not main_thread():  # others may not touch signals
        yield
        return

    def end(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)  # as a shell counts it

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)  # None where it was not set by Python


@_sigterm_ends_in_order()
def run(options: Options) -> int:
    """Fuse a visible and an infrared picture, two folders of them, two videos or two streams into one of their size.

    Returns:
        0, or 1 if a pair could not be fused or a file has no partner.

    Raises:
        InputError: Something is wrong with the options, or with one pair if that is all there is.
    """
    if options.stream or is_stream(options.visible) or is_stream(options.infrared):
        return run_streams(options)
    if any(given is not None for given in (options.lag, options.tolerance, options.timeout)):
        raise InputError(
            f"--lag, --tolerance and --timeout are for streams; {options.visible} and {options.infrared} are none."
        )
    out = Path(options.out).expanduser()
    visible, infrared = (
        None if given == MISSING else Path(given).expanduser() for given in (options.visible, options.infrared)
    )
    if (visible is None or infrared is None) and not options.allow_missing:
        raise InputError(f"a source is missing ({MISSING}): give both, or restore one alone with --allow-missing.")
    settings = settings_of(options)
    if options.batch_size < 1:
        raise InputError(f"--batch-size must be 1 or more, got {options.batch_size}.")
    folders = [source is not None and source.is_dir() for source in (visible, infrared)]
    named = f"{visible or MISSING} and {infrared or MISSING}"
    if any(folders) and not all(folders):
        raise InputError(f"{named}: one is a folder and one is not; give two files or two folders.")
    ending = f".{options.format or 'png'}"
    if any(is_video(source) for source in (visible, infrared)):
        return run_videos(options, visible, infrared, out, settings)
    if options.codec != "auto" or options.crf is not None:
        raise InputError(f"--codec and --crf are for two videos; {named} are not videos.")
    if options.temporal:
        raise InputError(f"--temporal is for two videos or streams; {named} are not videos.")
    if visible is not None and infrared is not None and all(folders):
        jobs, problems = pair_folders(visible, infrared, out, ending, options.dominance, options.allow_missing)
    else:
        if options.format is not None and not out.is_dir():
            raise InputError(f"--format is for pictures in a folder; the ending of {out} names its format.")
        jobs, problems = [pair_files(visible, infrared, out, ending, options.dominance)], []
    check_ending(jobs[0].out, options.depth)
    fuser, threads = network(options, network_options.FOR_PICTURES)
    if options.dominance and not fuser.has_dominance:
        raise InputError(
            f"--dominance: the network of {options.weights or network_options.FOR_PICTURES} has no dominance maps."
        )
    sys.stderr.write(f"Fusing {len(jobs)} pair(s) {network_options.where(fuser, threads)}\n")
    journal = Journal(make_folder(out) / JOURNAL) if all(folders) else None
    settings = replace(settings, infrared_range=settings.infrared_range.over(infrared_pictures(jobs)))
    with progress_bar("fused") as advance:
        report = fuse_files(
            fuser,
            jobs,
            settings,
            description={
                "weights": digest(fuser.net),
                "colour": settings.colour,
                "infrared_range": str(settings.infrared_range),
                "precision": fuser.precision,
            }
            | ({"align": str(settings.aligner)} if settings.aligner else {})
            | ({"palette": settings.palette} if settings.palette else {})
            | ({"depth": str(options.depth)} if options.depth != 8 else {}),
            journal=journal,
            batch_size=options.batch_size,
            depth=options.depth,
            progress=advance,
        )
    if journal is None:
        return _told_of_one(report, jobs[0].out)
    return _told_of_many(report, problems, out)


def _told_of_one(report: Report, out: Path) -> int:
    """Say what became of a single pair."""
    if report.failed:
        raise InputError(report.failed[0].partition(": ")[2])
    for notes in (*report.notes.values(), report.doubts):
        for note in notes:
            sys.stderr.write(f"Note: {note}.\n")
    sys.stdout.write(f"Wrote {out}\n")
    return 0


def _told_of_many(report: Report, problems: list[str], out: Path) -> int:
    """Say what became of a folder."""
    sys.stdout.write(f"Fused {len(report.fused)} pair(s) to {out}")
    if report.again:
        sys.stdout.write(f", {len(report.again)} of them again, for other settings or changed sources")
    if report.kept:
        sys.stdout.write(f"; {len(report.kept)} already existed")
    sys.stdout.write(".\n")
    noted = sum(1 for notes in report.notes.values() if notes)
    if noted:
        sys.stdout.write(f"{noted} have notes, such as their infrared range, in {out / JOURNAL}.\n")
    for doubt in report.doubts:
        sys.stderr.write(f"Note: {doubt}.\n")
    for problem in (*report.failed, *problems):
        sys.stderr.write(f"Not fused: {problem}\n")
    return int(bool(report.failed or problems))
