"""The progress bar of all verbs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["progress_bar"]


class Advance(Protocol):
    """Takes how much is done, and of how much; each stage has a bar of its own."""

    def __call__(self, done: int, total: int, stage: str = ...) -> None:
        """Draw it."""


def _draw_nothing(done: int, total: int, stage: str = "") -> None:
    pass


@contextmanager
def progress_bar(doing: str) -> Iterator[Advance]:
    """A bar on the standard error, if that is a terminal: the standard output holds the result alone.

    Args:
        doing: what stands before the bar, where the stage has no name.
    """
    console = Console(stderr=True)
    if not console.is_terminal:  # a bar that is disabled ends with an empty line in rich 14.0
        yield _draw_nothing
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(done: int, total: int, stage: str = doing) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield advance
