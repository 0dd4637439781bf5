"""Scores on disk as they are computed, so that a run that was stopped goes on where it was."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from dream_if.errors import InputError

__all__ = ["Entry", "Journal"]


class Entry(NamedTuple):
    """The scores of one fused image.

    ``key`` stands for everything they depend on. Method and name are for people who open the file; ``date`` is when
    the scores were computed, in ISO 8601.
    """

    key: str
    method: str
    name: str
    date: str
    values: Mapping[str, float]


class Journal:
    """Entries in a file, one JSON object a line, only ever appended to.

    A line is complete or, after a crash in the middle of writing it, no JSON: then it is passed over. Entries of other
    settings or files stay and do no harm, because nothing asks for their key. Threads may add at the same time;
    processes need a file each.

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
            try:
                lines = file.read_bytes().splitlines() if file.exists() else []
            except OSError as error:
                raise InputError(f"{file}: cannot be read ({error.strerror}); remove it to start anew.") from error
            for line in lines:
                entry = _parse(line)
                if entry is not None:
                    self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        for metric, value in entry.values.items():
            self._values[entry.key, metric] = (value, entry.date)

    def value(self, key: str, metric: str) -> float | None:
        """The score, not finite where it is undefined; None if it has not been computed."""
        found = self._values.get((key, metric))
        return None if found is None else found[0]

    def values(self, key: str, metrics: Iterable[str]) -> dict[str, float] | None:
        """The scores by metric; None unless all have been computed."""
        found = {metric: self.value(key, metric) for metric in metrics}
        known = {metric: value for metric, value in found.items() if value is not None}
        return known if len(known) == len(found) else None

    def date(self, key: str, metric: str) -> str:
        """When the score was computed."""
        return self._values[key, metric][1]

    def add(self, entries: Sequence[Entry]) -> None:
        """Remember entries, and return once they are safe on the disk.

        Raises:
            InputError: the file cannot be written to, or the disk is full.
        """
        with self._lock:
            for entry in entries:
                self._remember(entry)
            if self.path is None:
                return
            text = "".join(f"{json.dumps(entry._asdict())}\n" for entry in entries)
            try:
                with self.path.open("a+b") as file:
                    if file.tell() > 0:
                        file.seek(-1, os.SEEK_END)
                        if file.read() != b"\n":  # a line that a crash cut short must not swallow the next one
                            text = f"\n{text}"
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise InputError(f"{self.path}: cannot be written ({error.strerror}).") from error


def _parse(line: bytes) -> Entry | None:
    try:
        entry = Entry(**json.loads(line))
        values = {str(metric): float(value) for metric, value in entry.values.items()}
    except (ValueError, TypeError, AttributeError):
        return None
    return entry._replace(values=values)
