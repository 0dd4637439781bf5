"""Scores on disk as they are computed, so that a stopped run continues where it was."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from dream_if.storage import append_json_lines, read_json_lines

__all__ = ["JournalEntry", "ScoreJournal"]


class JournalEntry(NamedTuple):
    """The scores of one fused image.

    ``key`` stands for everything they depend on. Method and name are for people who open the file; ``date`` is when
    the scores were computed, in ISO 8601.
    """

    key: str
    method: str
    name: str
    date: str
    values: Mapping[str, float]


class ScoreJournal:
    """Entries in a file, one JSON object a line, only ever appended to.

    Entries of other settings or files stay and do no harm, because nothing asks for their key. Threads may add at the
    same time; processes need a file each.

    Args:
        path: the file; None to remember for this process alone.
        others: pattern of the files beside it that other processes write, which are read as well.

    Raises:
        InputError: a file is there and cannot be read.
    """

    def __init__(self, path: Path | None, others: str = "") -> None:
        self.path = path
        self.others = others
        self._values: dict[tuple[str, str], tuple[float, str]] = {}
        self._lock = Lock()
        self.read()

    def read(self) -> None:
        """Remember what is in the files by now.

        Raises:
            InputError: one is there and cannot be read.
        """
        if self.path is None:
            return
        beside = sorted(self.path.parent.glob(self.others)) if self.others else []
        for file in [*beside, self.path]:
            for entry in filter(None, map(_entry, read_json_lines(file))):
                self._remember(entry)

    def _remember(self, entry: JournalEntry) -> None:
        for metric, value in entry.values.items():
            self._values[entry.key, metric] = (value, entry.date)

    def value(self, key: str, metric: str) -> float | None:
        """The score, not finite where it is undefined; None if it has not been computed."""
        return self._values.get((key, metric), (None,))[0]

    def values(self, key: str, metrics: Iterable[str]) -> dict[str, float] | None:
        """The scores by metric; None unless all have been computed."""
        found = {metric: self.value(key, metric) for metric in metrics}
        known = {metric: value for metric, value in found.items() if value is not None}
        return known if len(known) == len(found) else None

    def date(self, key: str, metric: str) -> str:
        """When the score was computed."""
        return self._values[key, metric][1]

    def add(self, entries: Sequence[JournalEntry]) -> None:
        """Remember entries, and return once they are safe on the disk.

        Raises:
            InputError: the file cannot be written to, or the disk is full.
        """
        with self._lock:
            for entry in entries:
                self._remember(entry)
            if self.path is not None:
                append_json_lines(self.path, [entry._asdict() for entry in entries])


def _entry(line: Any) -> JournalEntry | None:
    """What a line holds; None for one of another kind."""
    try:
        entry = JournalEntry(**line)
        return entry._replace(values={str(metric): float(value) for metric, value in entry.values.items()})
    except (ValueError, TypeError, AttributeError):
        return None
