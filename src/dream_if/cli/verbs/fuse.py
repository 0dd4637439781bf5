"""`dream-if fuse`: two pictures, two folders of them, or two videos, become one."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import current_thread, main_thread
from typing import NoReturn

from dream_if.cli import align_options, network_options
from dream_if.cli.options import option, positional
from dream_if.cli.progress import progress_bar
from dream_if.errors import InputError
from dream_if.inference.aligning import Aligner
from dream_if.inference.api import make_fuser
from dream_if.inference.engine import Settings
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
from dream_if.inference.fuser import Fuser, Precision, check_depth
from dream_if.inference.intensity import COLOURS, Colour, InfraredRange
from dream_if.inference.weights import digest
from dream_if.inference.writing import ENDINGS, check_ending
from dream_if.machine import choose_threads, use_threads
from dream_if.registration.motions import Motion
from dream_if.storage import make_folder

__all__ = ["Options", "run"]

MISSING = "-"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to fuse, how, and where it goes."""

    visible: str = positional("visible picture or video, or a folder of pictures", metavar="VISIBLE")
    infrared: str = positional("infrared picture or video, or a folder with the same stems", metavar="INFRARED")
    out: str = option(
        f"fused picture, whose ending names the format ({', '.join(ENDINGS)}); or a folder, or a video",
        short="-o",
        metavar="OUT",
    )
    weights: str = network_options.weights()
    trust_code: bool = network_options.trust_code()
    colour: Colour = option(
        "rgb: the network's colours; ycbcr: the visible ones under the fused luminance; grey: no colours. A "
        "visible picture without colours gives one without",
        default="rgb",
        choices=COLOURS,
    )
    infrared_range: str = option(
        "which infrared values become black and white: full: all that the type holds; percentile: the 0.1 "
        "and 99.9 percentiles of each picture, or of all of a video; shared: the outermost of a folder's, for all of "
        "it; LOW,HIGH; auto: full for 8 bit, else percentile",
        default="auto",
        metavar="RANGE",
    )
    palette: str | None = option(
        "show heat in the colours of matplotlib's map of this name, such as inferno; the brightness stays",
        default=None,
        metavar="NAME",
    )
    align: bool = option(
        "first align the infrared source with the visible one, by an estimate for each pair, or one for a whole video",
        default=False,
    )
    motion: Motion = align_options.motion()
    rig: str | None = align_options.rig()
    dominance: bool = option("also write the dominance maps, as 16-bit PNG", default=False)
    format: str | None = option(
        "of pictures in a folder; PNG if left out", default=None, choices=[ending[1:] for ending in ENDINGS]
    )
    depth: int = option("bits of each colour of fused pictures, 8 or 16; PNG and TIFF hold 16", default=8, metavar="N")
    device: str = network_options.device()
    precision: Precision = network_options.precision()
    max_memory: str | None = network_options.max_memory()
    batch_size: int = option("pairs of equal size fused together", default=1, metavar="N")
    compile: bool = option("compile the network: worth it for many images", default=False)
    allow_missing: bool = option(
        f"if one of two sources is missing, restore the other alone; write {MISSING!r} for a missing file",
        default=False,
    )
    codec: str = option(
        "of a video: h264, h265, vp9, av1, or ffv1 (lossless); auto: vp9 for .webm, else h264",
        default="auto",
    )
    crf: int | None = option(
        "quality of a video, smaller is better; if left out the codec's own", default=None, metavar="N"
    )
    threads: int | None = network_options.threads()


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


def _fuser(options: Options) -> Fuser:
    """The network where and how it is to compute."""
    return make_fuser(
        options.weights,
        options.device,
        check_depth(options.depth, options.precision),
        options.max_memory,
        options.compile,
        options.trust_code,
    )


@_sigterm_ends_in_order()
def run(options: Options) -> int:
    """Fuse a visible and an infrared picture, two folders of them, or two videos, into pictures of the same size.

    Returns:
        0, or 1 if a pair could not be fused or a file has no partner.

    Raises:
        InputError: Something is wrong with the options, or with one pair if that is all there is.
    """
    out = Path(options.out).expanduser()
    visible, infrared = (
        None if given == MISSING else Path(given).expanduser() for given in (options.visible, options.infrared)
    )
    if (visible is None or infrared is None) and not options.allow_missing:
        raise InputError(f"a source is missing ({MISSING}): give both, or restore one alone with --allow-missing.")
    span = InfraredRange.parse(options.infrared_range)
    how = align_options.rig_or_motion(options.rig, options.motion) if options.align or options.rig else None
    settings = Settings(options.colour, span, None if how is None else Aligner(how), options.palette)
    if options.batch_size < 1:
        raise InputError(f"--batch-size must be 1 or more, got {options.batch_size}.")
    folders = [source is not None and source.is_dir() for source in (visible, infrared)]
    named = f"{visible or MISSING} and {infrared or MISSING}"
    if any(folders) and not all(folders):
        raise InputError(f"{named}: one is a folder and one is not; give two files or two folders.")
    ending = f".{options.format or 'png'}"
    if any(is_video(source) for source in (visible, infrared)):
        return _fuse_videos(options, visible, infrared, out, settings)
    if options.codec != "auto" or options.crf is not None:
        raise InputError(f"--codec and --crf are for two videos; {named} are not videos.")
    if visible is not None and infrared is not None and all(folders):
        jobs, problems = pair_folders(visible, infrared, out, ending, options.dominance, options.allow_missing)
    else:
        if options.format is not None and not out.is_dir():
            raise InputError(f"--format is for pictures in a folder; the ending of {out} names its format.")
        jobs, problems = [pair_files(visible, infrared, out, ending, options.dominance)], []
    check_ending(jobs[0].out, options.depth)
    threads = choose_threads(options.threads)
    use_threads(threads)
    fuser = _fuser(options)
    if options.dominance and not fuser.has_dominance:
        raise InputError(f"--dominance: the network of {options.weights} has no dominance maps.")
    sys.stderr.write(f"Fusing {len(jobs)} pair(s) {network_options.where(fuser, threads)}\n")
    journal = Journal(make_folder(out) / JOURNAL) if all(folders) else None
    settings = replace(settings, infrared_range=span.over(infrared_pictures(jobs)))
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


def _fuse_videos(options: Options, visible: Path | None, infrared: Path | None, out: Path, settings: Settings) -> int:
    """Fuse two videos, and say what became of them."""
    try:
        from dream_if.inference.video import fuse_videos
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        raise InputError("videos are read by PyAV, which is not installed: pip install 'dream-if[video]'.") from error
    if visible is None or infrared is None or not (is_video(visible) and is_video(infrared)):
        raise InputError(f"{visible or MISSING} and {infrared or MISSING}: one is a video and one is not; give two.")
    if options.dominance:
        raise InputError("--dominance is for pictures; extract the frames to two folders and fuse those.")
    if options.allow_missing:
        raise InputError("--allow-missing is for pictures; of videos both are needed.")
    if options.depth != 8:
        raise InputError("--depth is for pictures; extract the frames to two folders and fuse those.")
    if options.format is not None:
        raise InputError("--format is for pictures in a folder; the ending of OUT names a video's container.")
    out = pair_files(visible, infrared, out, ".mp4", dominance=False).out
    threads = choose_threads(options.threads)
    use_threads(threads)
    fuser = _fuser(options)
    sys.stderr.write(f"Fusing two videos {network_options.where(fuser, threads)}\n")
    with progress_bar("fused") as advance:
        report = fuse_videos(
            fuser,
            visible,
            infrared,
            out,
            settings,
            codec=options.codec,
            crf=options.crf,
            batch_size=options.batch_size,
            threads=threads.number,
            progress=advance,
        )
    for note in report.notes:
        sys.stderr.write(f"Note: {note}.\n")
    sys.stdout.write(f"Wrote {out}: {report.frames} frames, {report.flicker}.\n")
    return 0


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
