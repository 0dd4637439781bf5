"""`dream-if align`: align infrared pictures with visible ones, and calibrate rigs."""

import sys
from collections.abc import Callable, Sequence
from csv import DictWriter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dream_if.cli import align_options
from dream_if.cli.fuse_videos import needs_pyav
from dream_if.cli.options import option, positional
from dream_if.cli.progress import progress_bar
from dream_if.errors import InputError
from dream_if.inference.aligning import Aligner, write_aligned
from dream_if.inference.folders import Job, check_output, is_video, pair_files, pair_folders
from dream_if.inference.intensity import InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import Picture, read_picture
from dream_if.inference.writing import check_ending, write_picture
from dream_if.registration.estimate import Alignment, estimate
from dream_if.registration.motions import Motion
from dream_if.registration.rig import Rig, calibrate
from dream_if.storage import make_folder, write_atomically

__all__ = ["Options", "run"]

REPORT = "aligned.csv"
LARGEST = 1280  # pixels of an overlay's longer side


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to align, how, and where it goes."""

    visible: str = positional("visible picture or video, or a folder of pictures", metavar="VISIBLE")
    infrared: str = positional(
        "infrared picture or video, or a folder with the same stems; of any size", metavar="INFRARED"
    )
    out: str = option(
        "infrared picture or video on the visible one's grid, or a folder for pictures, with a report in aligned.csv; "
        "with --calibrate the rig, a YAML file",
        short="-o",
        metavar="OUT",
    )
    motion: Motion = align_options.motion()
    rig: str | None = align_options.rig()
    calibrate: bool = option(
        "find the one transform of two folders of pairs, or two videos, from the same cameras", default=False
    )
    show: str | None = option(
        "picture, or folder of pictures, to judge by eye: the visible one in green, the infrared one in magenta",
        default=None,
        metavar="OVERLAY",
    )


def run(options: Options) -> int:
    """Lay infrared pictures on the grid of visible ones, by an estimate for each pair or by the transform of a rig.

    Two videos get one transform for all their frames.

    Returns:
        0, or 1 if a pair of two folders could not be aligned or a file has no partner.

    Raises:
        InputError: Something is wrong with the options, or with one pair if that is all there is.
    """
    visible, infrared, out = (Path(given).expanduser() for given in (options.visible, options.infrared, options.out))
    aligner = Aligner(align_options.rig_or_motion(options.rig, options.motion))
    if is_video(visible) or is_video(infrared):
        return _align_videos(options, visible, infrared, out, aligner)
    folders = visible.is_dir(), infrared.is_dir()
    if folders[0] != folders[1]:
        raise InputError(f"{visible} and {infrared}: one is a folder and one is not; give two files or two folders.")
    show = None if options.show is None else Path(options.show).expanduser()
    if options.calibrate:
        if not folders[0] or options.rig is not None or show is not None:
            raise InputError("--calibrate takes two folders of pairs or two videos, and neither --rig nor --show.")
        return _calibrate(visible, infrared, out, options.motion)
    if folders[0]:
        return _align_folders(visible, infrared, out, aligner, show)
    job = pair_files(visible, infrared, out, ".png", dominance=False)
    if show is not None:
        check_ending(show)
        check_output(show, [visible, infrared, job.out])
    found, notes = _align(job, aligner, show)
    for note in notes:
        sys.stderr.write(f"Note: {note}.\n")
    sys.stdout.write(f"Wrote {job.out}: {_told(found)}\n")
    return 0


def _read(job: Job) -> tuple[Picture, Picture]:
    assert job.visible is not None  # which pair_files and pair_folders take care of
    assert job.infrared is not None
    return read_picture(job.visible), read_picture(job.infrared)


def _align(job: Job, aligner: Aligner, show: Path | None) -> tuple[Alignment | None, tuple[str, ...]]:
    """Align and write one pair."""
    visible, infrared = _read(job)
    laid, found = aligner.estimated(visible, infrared)
    notes = write_aligned(job.out, laid)
    if show is not None:
        write_picture(show, Picture(_overlay(visible, laid)))
    return found, (*infrared.notes, *notes)


def _told(found: Alignment | None) -> str:
    return "by the transform of the rig" if found is None else f"by {found.motion}, {found}"


def _overlay(visible: Picture, infrared: Picture) -> Any:
    """Both pictures in one: green and magenta where they differ, grey where they agree."""
    planes = visible_values(visible).mean(axis=2), infrared_values(infrared, InfraredRange())[0]
    grey = [
        np.clip((values - low) / max(high - low, 1e-6), 0, 1)
        for values in planes
        for low, high in [np.percentile(values, (1, 99))]
    ]
    pixels = np.stack([grey[1], grey[0], grey[1]], axis=-1)
    image = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def _each(jobs: Sequence[Job], do: Callable[[Job], Any]) -> tuple[dict[str, Any], list[str]]:
    """What became of each pair by name, and a sentence for each that could not be used."""
    done, failed = {}, []
    with progress_bar("aligned") as advance:
        for job in jobs:
            try:
                done[job.name] = do(job)
            except InputError as error:
                failed.append(f"{job.name}: {error}")
            advance(len(done) + len(failed), len(jobs))
    return done, failed


def _align_folders(visible: Path, infrared: Path, out: Path, aligner: Aligner, show: Path | None) -> int:
    jobs, problems = pair_folders(visible, infrared, out, ".png", dominance=False)
    for folder in (out, show):
        if folder is not None:
            make_folder(folder)
    done, failed = _each(jobs, lambda job: _align(job, aligner, show and show / f"{job.name}.png"))
    rows = StringIO()
    table = DictWriter(
        rows, ("name", "aligned", "match", "lead", "error_px", "matrix"), restval="", lineterminator="\n"
    )
    table.writeheader()
    for job in jobs:
        row: dict[str, Any] = {"name": job.name, "aligned": "yes" if job.name in done else "no"}
        found = done[job.name][0] if job.name in done else None
        if found is not None:
            row |= {"match": f"{found.match:.3f}", "lead": f"{found.lead:.3f}", "error_px": f"{found.error:.2f}"}
            row["matrix"] = " ".join(f"{value:.7g}" for value in found.matrix.ravel())
        table.writerow(row)
    write_atomically(out / REPORT, rows.getvalue().encode())
    sys.stdout.write(f"Aligned {len(done)} of {len(jobs)} pair(s) to {out}; {REPORT} there has the figures.\n")
    for problem in (*failed, *problems):
        sys.stderr.write(f"Not aligned: {problem}\n")
    return int(bool(failed or problems))


def _align_videos(options: Options, visible: Path, infrared: Path, out: Path, aligner: Aligner) -> int:
    with needs_pyav():
        from dream_if.inference.video_aligning import align_videos, calibrate_videos
    if not (is_video(visible) and is_video(infrared)):
        raise InputError(f"{visible} and {infrared}: one is a video and one is not; give two.")
    if options.show is not None:
        raise InputError("--show is for pictures; extract some frames to two folders to see how they are aligned.")
    if options.calibrate:
        if options.rig is not None:
            raise InputError("--calibrate finds a rig, and takes no --rig.")
        _check_rig_name(out)
        found = calibrate_videos(visible, infrared, aligner)
        found.write(out)
        sys.stdout.write(f"Wrote {out}: {_told_of_rig(found, 'frames')}.\n")
        return 0
    out = pair_files(visible, infrared, out, ".mp4", dominance=False).out
    with progress_bar("aligned") as advance:
        report = align_videos(visible, infrared, out, aligner, advance)
    for note in report.notes:
        sys.stderr.write(f"Note: {note}.\n")
    how = _told(None) if options.rig is not None else f"by {_told_of_rig(report.rig, 'of them')}"
    sys.stdout.write(f"Wrote {out}: {report.frames} frames, {how}.\n")
    return 0


def _check_rig_name(out: Path) -> None:
    if out.suffix.lower() not in (".yaml", ".yml"):
        raise InputError(f"{out}: --calibrate writes a rig; name a file that ends in .yaml.")


def _told_of_rig(rig: Rig, what: str) -> str:
    return f"{rig.motion} from {rig.pairs} {what}, whose own corners lie {rig.spread:.1f} px from it in the median"


def _calibrate(visible: Path, infrared: Path, out: Path, motion: Motion) -> int:
    _check_rig_name(out)
    jobs, problems = pair_folders(visible, infrared, out, ".png", dominance=False)

    def estimated(job: Job) -> Alignment:
        pictures = _read(job)
        return estimate(pictures[0].pixels, pictures[1].pixels, motion)

    done, failed = _each(jobs, estimated)
    found: Rig = calibrate(list(done.values()), motion)
    found.write(out)
    sys.stdout.write(f"Wrote {out}: {_told_of_rig(found, f'of {len(jobs)} pairs')}.\n")
    for problem in (*failed, *problems):
        sys.stderr.write(f"Not used: {problem}\n")
    return int(bool(failed or problems))
