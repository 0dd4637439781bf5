"""Scores the methods of a table on its sets, under its conditions.

A score counts as known as long as the pair, the condition, the method, the restorer and the code of metrics, methods
and degradations are the same, whichever table computed it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd
import torch

from dream_if import baselines, metrics, models
from dream_if.cache_keys import package_digest, source_digest
from dream_if.data import degradations
from dream_if.data.conditions import Condition
from dream_if.errors import InputError
from dream_if.methods.rows import Row
from dream_if.metrics.functional.learned import load_lpips_weights
from dream_if.scoring.engine import LPIPS_SELF, Group, ImageBatch, Item, score_groups
from dream_if.scoring.journal import ScoreJournal
from dream_if.scoring.pairs import ScoredPair
from dream_if.scoring.plan import TablePlan
from dream_if.scoring.statistics import summarise
from dream_if.storage import cache_key, file_digest

__all__ = ["ScoredPlan", "score_plan", "usable_metrics"]


@dataclass(frozen=True)
class ScoredPlan:
    """The scores of a table.

    Attributes:
        plan: what was compared.
        metrics: symbols that could be computed.
        scores: as `score_groups` returns them.
        left_out: metrics that could not be computed, a sentence each.
    """

    plan: TablePlan
    metrics: tuple[str, ...]
    scores: pd.DataFrame
    left_out: tuple[str, ...]

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Means, deviations and ranks; see `summarise`."""
        return summarise(self.scores)

    @property
    def cells(self) -> list[tuple[str, Condition]]:
        """Sets and conditions, in the order of the tables."""
        return [(name, condition) for name in self.plan.images for condition in self.plan.conditions]


def usable_metrics(asked: Sequence[str], lpips_weights: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The metrics that can be computed here, and what is said of the others.

    LPIPS needs a network's weights, which not every machine has or may download; all else is there.

    Raises:
        InputError: A file with weights was named, and cannot be used; or nothing is left.
    """
    learned = [metric for metric in asked if metric.startswith("LPIPS")]
    if not learned:
        return tuple(asked), ()
    try:
        load_lpips_weights(lpips_weights, "cpu")
    except ValueError as error:
        if lpips_weights is not None:
            raise InputError(f"--lpips-weights: {error}.") from error
        left = tuple(metric for metric in asked if metric not in learned)
        if not left:
            raise InputError(f"{', '.join(learned)}: {error} --lpips-weights names a file.") from error
        return left, (f"{', '.join(learned)} left out: {error} --lpips-weights names a file.",)
    return tuple(asked), ()


def score_plan(
    plan: TablePlan,
    journal: ScoreJournal,
    *,
    lpips_weights: Path | None = None,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> ScoredPlan:
    """Score every row of a plan on every image, except what the journal already has.

    Args:
        plan: what is compared.
        journal: earlier scores; new ones are added image by image.
        lpips_weights: AlexNet's, for the LPIPS metrics; None for torch's cache, or a download.
        device: where metrics are computed.
        progress: called with (images scored, images in all).

    Raises:
        InputError: A method fails, or a file cannot be read.
    """
    symbols, left_out = usable_metrics(plan.metrics, lpips_weights)
    code = package_digest([metrics, baselines, models, degradations])
    settings = [code, torch.__version__, device.type, *map(source_digest, metrics.foreign_metrics(symbols))]
    if lpips_weights is not None and any(symbol.startswith("LPIPS") for symbol in symbols):
        settings.append(file_digest(lpips_weights))

    def keys(pair: ScoredPair, row: Row, condition: Condition) -> dict[str, str]:
        parts = [*settings, pair.digest, condition.key, *row.keys(pair.under(condition))]
        found = dict.fromkeys(symbols, cache_key(parts))
        if LPIPS_SELF in found:
            found[LPIPS_SELF] = cache_key([*parts, *row.keys(pair.under(Condition()))])
        return found

    def batches(name: str, number: int, on: torch.device) -> Iterator[ImageBatch]:
        pair = ScoredPair(plan.images[name].read(number), name, on)
        for condition in plan.conditions:
            for row in plan.rows:
                item = Item(name, condition.name, row.name, number, pair.name, keys(pair, row, condition))
                make = partial(pair.fused, row, condition)
                yield ImageBatch([item], lambda make=make: (make(), *pair.clean), partial(pair.fused, row))  # type: ignore[misc]
            pair.forget(condition)

    size = len(plan.rows) * len(plan.conditions)
    groups = [
        Group(size, partial(batches, name, number))
        for name, images in plan.images.items()
        for number in range(len(images.names))
    ]
    scores = score_groups(groups, symbols, journal, lpips_weights=lpips_weights, devices=[device], progress=progress)
    return ScoredPlan(plan, symbols, scores, left_out)
