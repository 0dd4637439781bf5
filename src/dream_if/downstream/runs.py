"""Trains and tests networks on each row's fused images of each set.

Scores go to the journal. So a finished row and seed is not trained again while images, labels, settings and the code of
this package stay the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
import torchvision

from dream_if import downstream
from dream_if.cache_keys import package_digest
from dream_if.downstream.fused_sets import fuse_sets, labelled_sets
from dream_if.downstream.tasks import FusedSet, Task
from dream_if.errors import InputError
from dream_if.scoring.journal import JournalEntry, ScoreJournal
from dream_if.scoring.plan import TablePlan, TrainedSettings
from dream_if.storage import Pair, cache_key

__all__ = ["Results", "train_on_fused"]


@dataclass(frozen=True)
class Results:
    """The scores of networks on fused images.

    Attributes:
        plan: what was compared.
        settings: how networks were trained.
        task: for what.
        data: (set, row) -> its fused images with their labels.
        found: (set, row, seed) -> what was found in the test images, as the task writes it.
        scores: a line for each value: set, method, seed, class ("" for the mean over them), metric and value.
        left_out: sets without labels, a sentence each.
        folder: where the data sets are.
        files: set -> the files of all its pairs, of training and test; none of generated scenes.
    """

    plan: TablePlan
    settings: TrainedSettings
    task: Task
    data: Mapping[tuple[str, str], FusedSet]
    found: Mapping[tuple[str, str, int], Path]
    scores: pd.DataFrame
    left_out: tuple[str, ...]
    folder: Path
    files: Mapping[str, Sequence[Pair]]

    @property
    def sets(self) -> dict[str, FusedSet]:
        """Set -> the fused images of our row, whose classes and labels are those of every row."""
        return {name: images for (name, row), images in self.data.items() if row == self.plan.ours}


def train_on_fused(
    plan: TablePlan,
    task: Task,
    out: Path,
    journal: ScoreJournal,
    *,
    device: torch.device,
    progress: Callable[[int, int], None],
) -> Results:
    """Fuse the pairs of each set with each row's method, and train and test networks on them.

    Args:
        plan: of the task's table.
        task: detection or segmentation.
        out: the data sets go to a folder in it with the task's name.
        journal: earlier scores; new ones are added row by row.
        device: where everything is computed.
        progress: called with what is done and what there is to do, in images and training steps.

    Raises:
        InputError: A program or the labels of all sets are missing, a label is wrong, or a method or network fails.
    """
    settings = plan.settings
    assert isinstance(settings, TrainedSettings)
    seeds = tuple(dict.fromkeys(settings.seeds))
    sets, left_out = labelled_sets(plan, task, settings.train)
    if not sets:
        raise InputError(f"Table {plan.table}: no set has labels for training and test. {' '.join(left_out)}")
    fused = len(plan.rows) * sum(len(part.numbers) for one in sets for part in one.splits.values())
    total = fused + len(plan.rows) * len(sets) * len(seeds) * settings.steps
    done = 0

    def advance(amount: int = 1) -> None:
        nonlocal done
        done += amount
        progress(done, total)

    data = fuse_sets(sets, plan, task, out / task.name, device, advance)
    lines: list[tuple[object, ...]] = []
    places = {}
    for (name, row), images in data.items():
        columns = [(metric, kind) for kind in ("", *images.names) for metric in task.metrics]
        symbols = [f"{metric}, {kind}" if kind else metric for metric, kind in columns]
        for seed in seeds:
            key = _key(images, settings, task, seed, device)
            before = done
            place = images.folder / "found" / f"{task.program}_{seed}_{key[:8]}{task.ending}"
            values = journal.values(key, symbols) if place.exists() else None
            if values is None:
                found = task.learn(images, settings, seed, device, advance)
                pictures = images.pictures["test"]
                values = task.score(found, [picture.labels for picture in pictures], images.names)
                by_name = zip((picture.name for picture in pictures), found, strict=True)
                task.write_found(place, dict(by_name))
                date = datetime.now(UTC).isoformat(timespec="seconds")
                journal.add([JournalEntry(key, row, f"{name}, {task.name}, seed {seed}", date, values)])
            advance(before + settings.steps - done)
            lines += [(name, row, seed, kind, m, values[s]) for (m, kind), s in zip(columns, symbols, strict=True)]
            places[name, row, seed] = place
    scores = pd.DataFrame(lines, columns=["set", "method", "seed", "class", "metric", "value"])
    files = {one.name: [pair for part in one.splits.values() for pair in part.files()] for one in sets}
    return Results(plan, settings, task, data, places, scores, tuple(left_out), out / task.name, files)


def _key(images: FusedSet, settings: TrainedSettings, task: Task, seed: int, device: torch.device) -> str:
    """Key of all that a row's scores depend on."""
    versions = [torch.__version__, torchvision.__version__, package_digest([downstream])]
    pictures = [picture.digest for split in sorted(images.pictures) for picture in images.pictures[split]]
    how = [task.name, task.program, task.told(settings)]
    return cache_key([*versions, device.type, how, seed, images.names, pictures], sort_keys=True, default=str)
