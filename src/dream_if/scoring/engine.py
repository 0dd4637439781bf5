"""The one engine that scores: a value for each set, condition, method, image and metric, none computed twice."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from dream_if.errors import InputError, out_of_memory
from dream_if.metrics import DEFAULT_CONVENTION, FusionMetrics, fusion_metrics
from dream_if.metrics.functional import KeptWork, lpips, shared_work
from dream_if.metrics.levels import quantise
from dream_if.scoring.journal import JournalEntry, ScoreJournal
from dream_if.scoring.parallel import Share, Unfinished, spread

__all__ = ["LPIPS_SELF", "Group", "ImageBatch", "Item", "score_groups"]

LPIPS_SELF = "LPIPS_self"
"""LPIPS between what a method makes of the corrupted pair and what it makes of the clean one."""


class Item(NamedTuple):
    """A fused image to be scored.

    Attributes:
        set: its test set; "" where there is one alone.
        condition: what was done to the sources.
        method: what fused it.
        position: in the set.
        name: of the pair.
        keys: metric -> `cache_key` of all that its value depends on.
    """

    set: str
    condition: str
    method: str
    position: int
    name: str
    keys: Mapping[str, str]

    @property
    def place(self) -> str:
        """Set, condition and name, as far as there are any, for people."""
        return f"{self.set}, {self.condition}: {self.name}" if self.set else self.name


@dataclass(frozen=True)
class ImageBatch:
    """Fused images of one method and size, scored together.

    Attributes:
        items: B of them.
        images: reads or makes fused (B, 1 or 3, H, W), visible (B, 3, H, W) and infrared (B, 1, H, W), in [0, 1].
        of_clean: what the method makes of the clean sources, like fused; for `LPIPS_SELF`.
    """

    items: Sequence[Item]
    images: Callable[[], tuple[Tensor, Tensor, Tensor]]
    of_clean: Callable[[], Tensor] | None = None


@dataclass(frozen=True)
class Group:
    """Batches that share their sources.

    Attributes:
        size: number of fused images in all.
        batches: gives the batches, on a device. Nothing is read for a batch until its images are asked for.
    """

    size: int
    batches: Callable[[torch.device], Iterator[ImageBatch]]


@dataclass(frozen=True)
class _Worker:
    """A device with metrics of its own."""

    device: torch.device
    metrics: FusionMetrics
    lpips_weights: Path | None
    kept: KeptWork = field(default_factory=KeptWork)

    def score(self, wanted: Sequence[str], batch: ImageBatch) -> list[dict[str, float]]:
        """The wanted values of each image of a batch, by metric."""
        fused, visible, infrared = batch.images()
        columns: dict[str, list[float]] = {}
        try:
            with shared_work(self.kept.of(visible, infrared)):
                for symbol in wanted:
                    if symbol == LPIPS_SELF:
                        assert batch.of_clean is not None
                        clean = quantise(batch.of_clean())
                        columns[symbol] = lpips(quantise(fused), clean, weights=self.lpips_weights).tolist()
                        continue
                    metric = self.metrics[symbol]
                    metric.reset()
                    metric.update(fused, visible, infrared)
                    # torchmetrics returns a single value as a scalar.
                    columns[symbol] = metric.compute().reshape(-1).tolist()
        except Exception as error:
            if not out_of_memory(error):
                raise
            item, (count, _, height, width) = batch.items[0], fused.shape
            advice = "give a smaller --batch-size" if count > 1 else "leave it out, or use a machine with more memory"
            raise InputError(
                f"{item.method}, {item.place}: the memory of {self.device} is too small to score {count} image(s) of "
                f"{width}x{height}; {advice}."
            ) from error
        return [{symbol: columns[symbol][row] for symbol in wanted} for row in range(len(batch.items))]


def score_groups(
    groups: Sequence[Group],
    symbols: Sequence[str],
    journal: ScoreJournal,
    *,
    convention: str = DEFAULT_CONVENTION,
    lpips_weights: Path | None = None,
    devices: Sequence[torch.device],
    share: Share = Share(),  # noqa: B008  (a plain tuple)
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Score fused images, except where the journal has the values.

    A value may differ in its last digits with the images that share its batch, so batches are scored whole.

    Args:
        groups: what is scored. Each is worked on by one device.
        symbols: metrics, `LPIPS_SELF` among them.
        journal: earlier scores; new ones are added batch by batch.
        convention: of the metrics.
        lpips_weights: AlexNet's; None for torch's cache, or a download.
        devices: all of one kind; the CPU as often as groups may be scored at the same time.
        share: which of the groups are scored; the others are looked up.
        progress: called with (fused images done, fused images in all), of this share.

    Returns:
        A line for each value: set, condition, method, position, name, metric, value (not finite where it is undefined)
        and date, in the order of sets, conditions, methods, positions and metrics. All but position, name, value and
        date are categories in this order.

    Raises:
        InputError: A method fails, a file cannot be read, or the device's memory is too small.
        Unfinished: Scores of other shares are not there.
    """
    plain = [symbol for symbol in symbols if symbol != LPIPS_SELF]
    metrics = fusion_metrics(plain, convention=convention, per_image=True, lpips_weights=lpips_weights)
    own = share.of_all(groups)
    total, done, lock = sum(group.size for group in own), 0, Lock()

    def missing(item: Item) -> list[str]:
        return [symbol for symbol in symbols if journal.value(item.keys[symbol], symbol) is None]

    def work(group: Group, worker: _Worker) -> list[Item]:
        nonlocal done
        items: list[Item] = []
        for batch in group.batches(worker.device):
            lacking = {symbol for item in batch.items for symbol in missing(item)}
            if lacking:
                values = worker.score([symbol for symbol in symbols if symbol in lacking], batch)
                date = datetime.now(UTC).isoformat(timespec="seconds")
                journal.add(
                    [
                        entry
                        for item, row in zip(batch.items, values, strict=True)
                        for entry in _entries(item, row, date)
                    ]
                )
            items += batch.items
            with lock:
                done += len(batch.items)
                if progress is not None:
                    progress(done, total)
        worker.kept.forget()
        return items

    workers = [_Worker(device, deepcopy(metrics).to(device), lpips_weights) for device in devices[: max(1, len(own))]]
    items = [item for found in spread(work, own, workers) for item in found]
    if share.of > 1:
        journal.read()  # others may be done by now
        items = [item for group in groups for batch in group.batches(devices[0]) for item in batch.items]
    unscored = sum(bool(missing(item)) for item in items)
    if unscored:
        raise Unfinished(unscored, len(items))
    return _frame(items, symbols, journal)


def _entries(item: Item, values: Mapping[str, float], date: str) -> list[JournalEntry]:
    """What the journal keeps of an image: an entry for each key."""
    by_key: dict[str, dict[str, float]] = {}
    for symbol, value in values.items():
        by_key.setdefault(item.keys[symbol], {})[symbol] = value
    return [JournalEntry(key, item.method, item.place, date, found) for key, found in by_key.items()]


def _frame(items: Sequence[Item], symbols: Sequence[str], journal: ScoreJournal) -> pd.DataFrame:
    """All values, looked up by key: two methods with the same file share an entry, whichever was scored last."""
    columns = ["set", "condition", "method", "position", "name"]
    lines = [
        (*item[:5], symbol, journal.value(item.keys[symbol], symbol), journal.date(item.keys[symbol], symbol))
        for item in items
        for symbol in symbols
    ]
    frame = pd.DataFrame(lines, columns=[*columns, "metric", "value", "date"])
    for column in ("set", "condition", "method", "metric"):
        frame[column] = pd.Categorical(frame[column], frame[column].unique())
    return frame.sort_values(columns[:4], kind="stable", ignore_index=True)
