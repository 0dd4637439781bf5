"""Fusing files: which are paired, which are done already, and which failed, without stopping at a failure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from dream_if.errors import DiskError, InputError
from dream_if.inference.engine import FusedPicture, Settings, check_pair, fuse_pictures
from dream_if.inference.fuser import Fuser
from dream_if.inference.pictures import Picture, read_picture
from dream_if.inference.writing import write_map, write_picture
from dream_if.storage import IMAGE_ENDINGS, append_json_lines, images_by_stem, make_folder, read_json_lines

__all__ = [
    "JOURNAL",
    "Job",
    "Journal",
    "Report",
    "check_output",
    "fuse_files",
    "infrared_pictures",
    "is_video",
    "pair_files",
    "pair_folders",
]

JOURNAL = "fused.jsonl"
"""File in a folder of fused pictures that tells how each was made, one JSON object a line; the last line counts."""

VIDEO_ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
    *(".3gp", ".ogv", ".y4m", ".mjpeg", ".mxf"),
)


class Job(NamedTuple):
    """One pair of files to fuse.

    Attributes:
        name: common stem.
        visible: visible source, or None where it is missing.
        infrared: likewise.
        out: where the fused picture goes.
        maps: where the dominance maps go, visible first; empty if they are not wanted.
    """

    name: str
    visible: Path | None
    infrared: Path | None
    out: Path
    maps: tuple[Path, ...] = ()


@dataclass
class Report:
    """What became of the jobs.

    Attributes:
        fused: names of the pairs that were fused.
        kept: names of those that had been before, with the same settings.
        again: names of those fused that had been before with other settings or sources.
        failed: a sentence for each pair that could not be fused.
        notes: sentences about what was done on the way, by name.
        doubts: a sentence for each source that is distrusted, of those fused.
    """

    fused: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


class Journal:
    """How the pictures in a folder were made. Lines are only ever added; one that a crash cut off is passed over.

    Args:
        path: the file; it need not exist.

    Raises:
        InputError: It is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: dict[str, Mapping[str, Any]] = {}
        for entry in read_json_lines(path):
            with suppress(KeyError, TypeError):  # no entry of ours
                self._made[entry["file"]] = entry

    def __contains__(self, job: Job) -> bool:
        """Whether the job's output is there and was made by this file."""
        return job.out.name in self._made and job.out.is_file()

    def is_done(self, job: Job, settings: Mapping[str, str]) -> bool:
        """Whether the job's outputs are there, made from these very sources with these settings."""
        entry = self._made.get(job.out.name, {})
        same = entry.get("settings") == settings and entry.get("sources") == _fingerprints(job)
        if job.maps and not entry.get("maps"):  # those that lie there may be of other settings
            return False
        return same and all(path.is_file() for path in (job.out, *job.maps))

    def add(self, job: Job, settings: Mapping[str, str], fused: FusedPicture) -> None:
        """Tell how a picture was made.

        Raises:
            InputError: The file cannot be written to.
        """
        entry = {
            "file": job.out.name,
            "settings": settings,
            "sources": _fingerprints(job),
            "maps": bool(job.maps),
            "tile": fused.tile,
            "notes": (*fused.notes, *map(str, fused.doubts)),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        append_json_lines(self.path, [entry])
        self._made[job.out.name] = json.loads(json.dumps(entry))


def _fingerprints(job: Job) -> list[list[Any]]:
    """Name, bytes and time of change of both sources, as JSON gives them back."""
    found: list[list[Any]] = []
    for path in (job.visible, job.infrared):
        if path is None:
            found.append([])
            continue
        state = path.stat()
        found.append([path.name, state.st_size, state.st_mtime_ns])
    return found


def pair_files(visible: Path | None, infrared: Path | None, out: Path, ending: str, dominance: bool) -> Job:
    """The job of fusing two files.

    Args:
        visible: file, or None where it is missing.
        infrared: likewise.
        out: file, or a folder, where the picture gets the visible one's stem and the ending.
        ending: such as ``.png``.
        dominance: write the maps beside the picture.

    Raises:
        InputError: Both are missing, they are one file, or the output is one of them.
    """
    sources = [source for source in (visible, infrared) if source is not None]
    if not sources:
        raise InputError("both sources are missing; name at least one.")
    _check_different(visible, infrared)
    if out.is_dir():
        out = out / f"{sources[0].stem}{ending}"
    check_output(out, sources)
    maps = [out.with_name(f"{out.stem}.dominance_{kind}.png") for kind in ("visible", "infrared") if dominance]
    return Job(sources[0].stem, visible, infrared, out, tuple(maps))


def is_video(source: Path | None) -> bool:
    """Whether a source is a video, by its ending."""
    return source is not None and source.suffix.lower() in VIDEO_ENDINGS and not source.is_dir()


def check_output(out: Path, sources: Iterable[Path]) -> None:
    """Take care that writing a file does not overwrite a source.

    Raises:
        InputError: The output is one of the sources, under this name or another.
    """
    for source in sources:
        if _are_same(out, source):
            raise InputError(f"{out}: is a source, and would be overwritten; name another output.")


def _check_different(visible: Path | None, infrared: Path | None) -> None:
    if visible is not None and infrared is not None and _are_same(visible, infrared):
        raise InputError(
            f"{visible} and {infrared}: are the same; name the visible source first, then the infrared one."
        )


def _are_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def pair_folders(
    visible: Path, infrared: Path, out: Path, ending: str, dominance: bool, allow_missing: bool = False
) -> tuple[list[Job], list[str]]:
    """The jobs of fusing two folders, paired by stem.

    Args:
        visible: folder.
        infrared: folder.
        out: folder for fused pictures; maps go to folders in it.
        ending: such as ``.png``.
        dominance: write the maps.
        allow_missing: make jobs of single sources, too.

    Returns:
        Jobs sorted by name, and a sentence for each file that has no partner or has a namesake.

    Raises:
        InputError: A folder cannot be listed, both are one, there is no pair, or the output folder is one of them.
    """
    _check_different(visible, infrared)
    for source in (visible, infrared):
        if _are_same(out, source):
            raise InputError(f"{out}: is a source folder, whose pictures would be overwritten; name another output.")
    of_visible, of_infrared = images_by_stem(visible), images_by_stem(infrared)
    problems, jobs = [], []
    for stem in sorted(of_visible.keys() | of_infrared.keys()):
        found = [files.get(stem, []) for files in (of_visible, of_infrared)]
        namesakes = [path for files in found if len(files) > 1 for path in files]
        if namesakes:
            problems.append(f"{stem}: {' and '.join(map(str, namesakes))} differ only in their ending; keep one")
        elif not found[1] and not allow_missing:
            problems.append(f"{stem}: {found[0][0]} has no infrared partner in {infrared}")
        elif not found[0] and not allow_missing:
            problems.append(f"{stem}: {found[1][0]} has no visible partner in {visible}")
        else:
            maps = [out / f"dominance_{kind}" / f"{stem}.png" for kind in ("visible", "infrared") if dominance]
            first, second = (files[0] if files else None for files in found)
            jobs.append(Job(stem, first, second, out / f"{stem}{ending}", tuple(maps)))
    if not jobs:
        raise InputError(
            f"{visible} and {infrared}: no pair of pictures ({len(of_visible)} visible, {len(of_infrared)} infrared). "
            f"Partners have the same name up to the ending, which is one of {', '.join(IMAGE_ENDINGS)}."
        )
    return jobs, problems


def infrared_pictures(jobs: Iterable[Job]) -> Iterator[Picture]:
    """The infrared sources of jobs, one by one, without those that cannot be read."""
    for job in jobs:
        with suppress(InputError):  # `fuse_files` reports it
            if job.infrared is not None:
                yield read_picture(job.infrared)


def fuse_files(
    fuser: Fuser,
    jobs: Sequence[Job],
    settings: Settings,
    *,
    description: Mapping[str, str],
    journal: Journal | None = None,
    batch_size: int = 1,
    depth: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Fuse pairs of files, and go on where one cannot be used.

    Args:
        fuser: network and device.
        jobs: what to fuse.
        settings: colours and infrared range.
        description: everything that the results depend on, for the journal.
        journal: what was done before is not done again; None to do everything, and to leave no journal.
        batch_size: neighbours of equal size that go through the network together.
        depth: 8 or 16 bits of the fused pictures.
        progress: called with (jobs that are over, jobs in all).

    Raises:
        InputError: The output folder cannot be written to, or the disk is full.
    """
    report = Report()
    todo = []
    for folder in {path.parent for job in jobs for path in (job.out, *job.maps)}:
        make_folder(folder)
    for job in jobs:
        if journal is not None and journal.is_done(job, description):
            report.kept.append(job.name)
        else:
            todo.append(job)
    for group in _groups(todo, batch_size, settings, report):
        for job, fused in _fused(fuser, group, settings, bool(jobs[0].maps), report):
            known = journal is not None and job in journal
            try:
                said = write_picture(job.out, fused.picture(depth))
                for path, values in zip(job.maps, (fused.dominance_visible, fused.dominance_infrared), strict=False):
                    assert values is not None
                    write_map(path, values)
                if journal is not None:
                    journal.add(job, description, fused)
            except DiskError:
                raise
            except InputError as error:
                report.failed.append(f"{job.name}: {error}")
                continue
            report.fused.append(job.name)
            report.notes[job.name] = (*fused.notes, *said)
            report.doubts += map(str, fused.doubts)
            if known:
                report.again.append(job.name)
        if progress is not None:
            progress(len(report.kept) + len(report.fused) + len(report.failed), len(jobs))
    return report


Loaded: TypeAlias = tuple[Job, Picture | None, Picture | None]


def _groups(jobs: Iterable[Job], most: int, settings: Settings, report: Report) -> Iterator[list[Loaded]]:
    """Read the jobs' sources; neighbours of equal size come together. What cannot be read is reported."""
    group: list[Loaded] = []
    size = (0, 0)
    for job in jobs:
        try:
            visible, infrared = (None if path is None else read_picture(path) for path in (job.visible, job.infrared))
            visible, infrared = settings.aligned(visible, infrared)
            found = check_pair(visible, infrared).size
        except InputError as error:
            report.failed.append(f"{job.name}: {error}")
            continue
        if group and (len(group) == most or size != found):
            yield group
            group = []
        size = found
        group.append((job, visible, infrared))
    if group:
        yield group


def _fused(
    fuser: Fuser, group: Sequence[Loaded], settings: Settings, maps: bool, report: Report
) -> Iterable[tuple[Job, FusedPicture]]:
    """Fuse a group together; if that fails, one by one, to find whose fault it is."""
    try:
        fused = fuse_pictures(fuser, [(visible, infrared) for _, visible, infrared in group], settings, maps)
        return [(job, one) for (job, _, _), one in zip(group, fused, strict=True)]
    except InputError as error:
        if len(group) == 1:
            report.failed.append(f"{group[0][0].name}: {error}")
            return []
    return [found for one in group for found in _fused(fuser, [one], settings, maps, report)]
