"""Runs the methods of a table over its sets and conditions, and scores each image.

Scores go to a journal as they are computed, so that a run that was stopped goes on where it was and what is known is
not computed again, by whichever table. A score counts as known as long as the pair, the condition, the method, the
restorer and the code of metrics, methods and degradations are the same.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dream_if import baselines, metrics, models
from dream_if.data import degradations
from dream_if.data.pairs import Sample
from dream_if.errors import InputError
from dream_if.evaluation.journal import Entry, Journal
from dream_if.evaluation.scores import Scores
from dream_if.metrics import fusion_metrics
from dream_if.metrics.functional import lpips, shared_work
from dream_if.metrics.functional.learned import load_lpips_weights
from dream_if.metrics.levels import quantise
from dream_if.tables.digests import file_digest, package_digest
from dream_if.tables.inputs import CLEAN, Condition, Place, digest, under
from dream_if.tables.plan import LPIPS_SELF, Plan, Row

__all__ = ["Comparison", "compare_methods", "usable_metrics"]


@dataclass(frozen=True)
class Comparison:
    """The scores of a table.

    Attributes:
        plan: what was compared.
        metrics: symbols that could be computed.
        scores: (set, condition) -> scores of all rows on its images.
        left_out: metrics that could not be computed, a sentence each.
    """

    plan: Plan
    metrics: tuple[str, ...]
    scores: dict[tuple[str, str], Scores]
    left_out: tuple[str, ...]

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


class Pair:
    """One pair and all that is made of it, each thing once.

    Args:
        sample: the pair, clean, as a batch of one.
        set_name: of which set.
        device: where everything is computed.
    """

    def __init__(self, sample: Sample, set_name: str, device: torch.device) -> None:
        self.sample = sample
        self.set_name = set_name
        self.name = sample["name"][0]
        self.digest = digest(sample)
        self.device = device
        self.clean = sample["visible"].to(device), sample["infrared"].to(device)
        self._seen: dict[str, tuple[Tensor, Tensor]] = {}
        self._restored: dict[tuple[str, str], tuple[Tensor, Tensor]] = {}
        self._fused: dict[tuple[str, str], Tensor] = {}

    def seen(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Both sources under a condition."""
        if condition.name not in self._seen:
            visible, infrared = under(self.sample, condition)
            self._seen[condition.name] = visible.to(self.device), infrared.to(self.device)
        return self._seen[condition.name]

    def fused(self, row: Row, condition: Condition) -> Tensor:
        """What a row makes of the pair under a condition, (1, 1 or 3, H, W)."""
        known = row.name, condition.name
        if known not in self._fused:
            place = self.place(condition)
            self._fused[known] = row.method.fuse(*self.given_to(row, condition), place)
        return self._fused[known]

    def given_to(self, row: Row, condition: Condition) -> tuple[Tensor, Tensor]:
        """Both sources as a row's method gets them."""
        if row.restorer is None:
            return self.seen(condition)
        known = row.restorer.key, condition.name
        if known not in self._restored:
            self._restored[known] = row.restorer(*self.seen(condition), self.place(condition))
        return self._restored[known]

    def place(self, condition: Condition) -> Place:
        """Which picture it is under a condition."""
        return Place(self.set_name, condition.name, self.name)

    def forget(self, condition: Condition) -> None:
        """Free what was made under a condition, but for the clean one."""
        if condition.name == CLEAN:
            return
        self._seen.pop(condition.name, None)
        self._restored = {key: value for key, value in self._restored.items() if key[1] != condition.name}
        self._fused = {key: value for key, value in self._fused.items() if key[1] != condition.name}


class Scorer:
    """Scores a fused image against the clean pair.

    Args:
        symbols: of the metrics.
        lpips_weights: of LPIPS.
        device: where they are computed.
    """

    def __init__(self, symbols: Sequence[str], lpips_weights: Path | None, device: torch.device) -> None:
        self.symbols = tuple(symbols)
        self.weights = lpips_weights
        plain = [symbol for symbol in symbols if symbol != LPIPS_SELF]
        self.metrics = fusion_metrics(plain, per_image=True, lpips_weights=lpips_weights).to(device)
        code = package_digest([metrics, baselines, models, degradations])
        self.settings = [code, torch.__version__, device.type]
        if lpips_weights is not None and any(symbol.startswith("LPIPS") for symbol in symbols):
            self.settings.append(file_digest(lpips_weights))

    def __call__(self, wanted: Sequence[str], pair: Pair, row: Row, condition: Condition) -> dict[str, float]:
        """The wanted values of a row's image."""
        fused = pair.fused(row, condition)
        values: dict[str, float] = {}
        with shared_work():
            for symbol in wanted:
                if symbol == LPIPS_SELF:
                    own = pair.fused(row, Condition())
                    values[symbol] = float(lpips(quantise(fused), quantise(own), weights=self.weights))
                    continue
                metric = self.metrics[symbol]
                metric.reset()
                metric.update(fused, *pair.clean)
                values[symbol] = float(metric.compute())
        return values

    def keys(self, pair: Pair, row: Row, condition: Condition) -> dict[str, str]:
        """Metric -> hash of all that its value depends on."""
        parts = [*self.settings, pair.digest, condition.key, *row.keys(pair.place(condition))]
        keys = dict.fromkeys(self.symbols, _hash(parts))
        if LPIPS_SELF in keys:
            keys[LPIPS_SELF] = _hash([*parts, *row.keys(pair.place(Condition()))])
        return keys


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_pairs(plan: Plan, device: torch.device) -> Iterator[tuple[str, int, Pair]]:
    """Every pair of every set: the set's name, the number in it, and the pair."""
    for name, images in plan.images.items():
        for number in range(len(images.names)):
            yield name, number, Pair(images.read(number), name, device)


def compare_methods(
    plan: Plan,
    journal: Journal,
    *,
    lpips_weights: Path | None = None,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
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
    scorer = Scorer(symbols, lpips_weights, device)
    shape = {name: (len(plan.rows), len(images.names), len(symbols)) for name, images in plan.images.items()}
    values = {(name, c.name): np.full(shape[name], np.nan) for name in plan.images for c in plan.conditions}
    total = sum(table.shape[0] * table.shape[1] for table in values.values())
    done, last = 0, ""
    for name, number, pair in read_pairs(plan, device):
        for condition in plan.conditions:
            for line, row in enumerate(plan.rows):
                keys = scorer.keys(pair, row, condition)
                wanted = [symbol for symbol in symbols if journal.value(keys[symbol], symbol) is None]
                if wanted:
                    by_key: dict[str, dict[str, float]] = {}
                    for symbol, value in scorer(wanted, pair, row, condition).items():
                        by_key.setdefault(keys[symbol], {})[symbol] = value
                    date = datetime.now(UTC).isoformat(timespec="seconds")
                    what = f"{name}, {condition.name}: {pair.name}"
                    journal.add([Entry(key, row.name, what, date, found) for key, found in by_key.items()])
                known = [journal.value(keys[symbol], symbol) for symbol in symbols]
                values[name, condition.name][line, number] = np.array(known, np.float64)
                last = max([last, *(journal.date(keys[symbol], symbol) for symbol in symbols)])
                done += 1
                if progress is not None:
                    progress(done, total)
            pair.forget(condition)
    rows = tuple(row.name for row in plan.rows)
    scores = {
        (name, condition): Scores(rows, plan.images[name].names, symbols, table, last)
        for (name, condition), table in values.items()
    }
    return Comparison(plan, symbols, scores, left_out)
