"""How far a sweep has got: a live table on a terminal, a line for each change elsewhere."""

import time
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dream_if.runs.sweep_point import Point

__all__ = ["Board", "State"]


class State(Enum):
    """What a point is at; the value is what people read."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"
    FINISHED = "finished"
    BEFORE = "finished before"
    FAILED = "failed"
    STOPPED = "stopped"


STYLES = {State.RUNNING: "bold", State.FINISHED: "green", State.BEFORE: "green", State.FAILED: "red"}


class Board:
    """The points of a sweep with their states and times, as a context.

    Args:
        points: all of them.
        console: where to show them.
    """

    def __init__(self, points: Sequence[Point], console: Console) -> None:
        self.points = points
        self.states = {point.name: State.WAITING for point in points}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._console = console
        self._live = (
            Live(get_renderable=self.table, console=console, refresh_per_second=2) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def change(self, point: Point, state: State) -> None:
        """Note what a point is at now."""
        if self.states[point.name] is state:
            return
        self.states[point.name] = state
        if state is State.RUNNING:
            self._began[point.name] = time.monotonic()
        elif point.name in self._began:
            self._took[point.name] = time.monotonic() - self._began[point.name]
        if self._live is None:
            took = f" after {self._time(point)}" if point.name in self._took else ""
            log = f"; its log is {point.log}" if state is State.RUNNING else ""
            self.print(f"{point.name}: {state.value}{took}{log}")

    def print(self, line: str) -> None:
        """Print a line, above the table where there is one."""
        self._console.print(Text(line), soft_wrap=True)

    def count(self, *states: State) -> int:
        """How many points are at one of these."""
        return sum(state in states for state in self.states.values())

    def _time(self, point: Point) -> str:
        """How long a point has run, in hours, minutes and seconds."""
        if point.name not in self._began:
            return ""
        seconds = self._took.get(point.name, time.monotonic() - self._began[point.name])
        return str(timedelta(seconds=round(seconds)))

    def table(self) -> Table:
        """A row for each point."""
        done = self.count(State.FINISHED, State.BEFORE)
        table = Table(title=f"{done} of {len(self.points)} points finished")
        for name in self.points[0].parameters:
            table.add_column(Text(name))
        table.add_column("state")
        table.add_column("time", justify="right")
        table.add_column("run")
        for point in self.points:
            state = self.states[point.name]
            # Of a file the name alone, so that a row is a line.
            values = [Text(str(value).rpartition("/")[2]) for value in point.parameters.values()]
            style = STYLES.get(state, "")
            table.add_row(*values, Text(state.value, style=style), Text(self._time(point)), Text(point.name))
        return table
