"""Splitting an evaluation among the devices and cores of one process, and among independent jobs.

Jobs share the output folder. Each scores every n-th batch into its own journal and reads those of the others. So a job
that looks when all are done finds all scores and computes none.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

import torch

from dream_if.errors import InputError

__all__ = ["JOURNALS", "Share", "Unfinished", "one_torch_thread", "spread"]

JOURNALS = "scores*.jsonl"
"""The files in the output folder that keep scores while they are computed, and for the next run."""

Item = TypeVar("Item")
Worker = TypeVar("Worker")
Result = TypeVar("Result")


class Share(NamedTuple):
    """One of several equal parts of the work, counted from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Share":
        """A share from text such as ``2/8``.

        Raises:
            InputError: It has another form, or there is no such share.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        share = cls(int(found[1]), int(found[2])) if found else None
        if share is None or not 1 <= share.number <= share.of:
            raise InputError(f"--share: expected K/N with K from 1 to N, such as 2/8, got {text!r}.")
        return share

    @property
    def journal(self) -> str:
        """Name of the file in the output folder that its scores go to."""
        return "scores.jsonl" if self.of == 1 else f"scores.{self.number}of{self.of}.jsonl"

    def of_all(self, items: Iterable[Item]) -> list[Item]:
        """Every n-th item."""
        return list(items)[self.number - 1 :: self.of]


class Unfinished(Exception):  # noqa: N818  (nothing went wrong)
    """A share is done, and others are not.

    Args:
        missing: how many fused images have no scores yet.
        total: how many there are.
    """

    def __init__(self, missing: int, total: int) -> None:
        super().__init__(f"{missing} of {total} fused images are still to be scored, by the other shares")


def spread(
    work: Callable[[Item, Worker], Result], items: Iterable[Item], workers: Sequence[Worker]
) -> Iterator[Result]:
    """Results in the order in which they are ready; each worker has one item at a time.

    Threads are enough, since torch lets go of the interpreter while it computes, and they start at once. A single
    worker needs none, and stops at once where the user asks for it.

    Raises:
        Exception: The first that the work raises. No further item is begun then.
    """
    if len(workers) == 1:
        yield from (work(item, workers[0]) for item in items)
        return
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def one(item: Item) -> Result:
        worker = free.get()
        try:
            return work(item, worker)
        finally:
            free.put(worker)

    pool = ThreadPoolExecutor(len(workers))
    try:
        for future in as_completed([pool.submit(one, item) for item in items]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch compute each operation on one core, and then as before.

    Sums that are split among threads differ in their last digits with the number of them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
