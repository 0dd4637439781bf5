"""Trains and tests a detector on each row's fused images of each set: the numbers of Table 5.

Scores go to the journal. So a finished row and seed is not trained again while images, boxes, settings and the code of
detection stay the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torchvision
from torch import nn

from dream_if import detection
from dream_if.cache_keys import maker_digest, package_digest
from dream_if.detection import yolo
from dream_if.detection.detector import small_detector
from dream_if.detection.files import write_found
from dream_if.detection.fused_sets import DetectionSet, fuse_sets, labelled_sets
from dream_if.detection.scoring import AP, AP_50, RECALL, check_scorer, score_detections
from dream_if.detection.training import Detections, detect, train_detector
from dream_if.errors import InputError
from dream_if.scoring.journal import JournalEntry, ScoreJournal
from dream_if.scoring.plan import DetectionSettings, TablePlan
from dream_if.storage import cache_key
from dream_if.user_code import imported, instantiate

__all__ = ["DETECTORS", "METRICS", "DetectionResults", "detect_on_fused"]

DETECTORS = ("torchvision", yolo.PROGRAM)
METRICS = (RECALL, AP_50, AP)
FOLDER = "detection"


@dataclass(frozen=True)
class DetectionResults:
    """The scores of Table 5.

    Attributes:
        plan: what was compared.
        settings: how detectors were trained.
        detector: one of `DETECTORS`.
        data: (set, row) -> its fused images with their boxes.
        found: (set, row, seed) -> what was found in the test images, in COCO's form of results.
        scores: a line for each value: set, method, seed, class ("" for the mean over them), metric and value.
        left_out: sets without labels, a sentence each.
        folder: where the data sets are.
    """

    plan: TablePlan
    settings: DetectionSettings
    detector: str
    data: Mapping[tuple[str, str], DetectionSet]
    found: Mapping[tuple[str, str, int], Path]
    scores: pd.DataFrame
    left_out: tuple[str, ...]
    folder: Path

    @property
    def sets(self) -> dict[str, DetectionSet]:
        """Set -> the fused images of our row, whose classes and boxes are those of every row."""
        return {name: images for (name, row), images in self.data.items() if row == self.plan.ours}


def detect_on_fused(
    plan: TablePlan,
    out: Path,
    journal: ScoreJournal,
    *,
    detector: str,
    device: torch.device,
    progress: Callable[[int, int], None],
) -> DetectionResults:
    """Fuse the pairs of each set with each row's method, and train and test detectors on them.

    Args:
        plan: of Table 5.
        out: the data sets go to ``detection`` in it.
        journal: earlier scores; new ones are added row by row.
        detector: one of `DETECTORS`.
        device: where everything is computed.
        progress: called with what is done and what there is to do, in images and training steps.

    Raises:
        InputError: A library, a program or the labels of all sets are missing, or a method or detector fails.
    """
    check_scorer()
    settings = plan.settings
    assert isinstance(settings, DetectionSettings)
    seeds = tuple(dict.fromkeys(settings.seeds))
    sets, left_out = labelled_sets(plan, settings.train)
    if not sets:
        raise InputError(f"Table 5: no set has labels for training and test. {' '.join(left_out)}")
    fused = len(plan.rows) * sum(len(part.numbers) for one in sets for part in one.splits.values())
    total = fused + len(plan.rows) * len(sets) * len(seeds) * settings.steps
    done = 0

    def advance(amount: int = 1) -> None:
        nonlocal done
        done += amount
        progress(done, total)

    data = fuse_sets(sets, plan, out / FOLDER, device, advance)
    # Asked for after the images are there: whoever lacks the program has the data set for another machine.
    program = yolo.find_program() if detector == yolo.PROGRAM else None
    lines: list[tuple[object, ...]] = []
    files = {}
    for (name, row), images in data.items():
        columns = [(metric, kind) for kind in ("", *images.names) for metric in METRICS]
        symbols = [f"{metric}, {kind}" if kind else metric for metric, kind in columns]
        for seed in seeds:
            key = _key(images, settings, detector, seed, device)
            before = done
            file = images.folder / "found" / f"{detector}_{seed}_{key[:8]}.json"
            values = journal.values(key, symbols) if file.is_file() else None
            if values is None:
                if program is None:
                    found = _trained(images, settings, seed, device, advance)
                else:
                    sizes = {picture.name: picture.size for picture in images.pictures["test"]}
                    told = settings.yolo or {}
                    found = yolo.train_and_detect(program, images.folder, sizes, told, seed=seed, device=device)
                values = score_detections(found, [p.boxes for p in images.pictures["test"]], images.names)
                write_found(file, found)
                date = datetime.now(UTC).isoformat(timespec="seconds")
                journal.add([JournalEntry(key, row, f"{name}, detection, seed {seed}", date, values)])
            advance(before + settings.steps - done)
            lines += [(name, row, seed, kind, m, values[s]) for (m, kind), s in zip(columns, symbols, strict=True)]
            files[name, row, seed] = file
    scores = pd.DataFrame(lines, columns=["set", "method", "seed", "class", "metric", "value"])
    return DetectionResults(plan, settings, detector, data, files, scores, tuple(left_out), out / FOLDER)


def _key(images: DetectionSet, settings: DetectionSettings, detector: str, seed: int, device: torch.device) -> str:
    """Key of all that a row's scores depend on."""
    how: list[Any] = [detector, settings.yolo or {}]
    if detector != yolo.PROGRAM:
        how = [detector, _training(settings), settings.size, settings.detector]
        if settings.detector is not None:
            path = str(settings.detector["class_path"])
            imported(path)
            how.append(maker_digest(path, settings.detector.get("init_args") or {}))
    versions = [torch.__version__, torchvision.__version__, package_digest([detection])]
    pictures = [picture.digest for split in sorted(images.pictures) for picture in images.pictures[split]]
    parts = [*versions, device.type, how, seed, images.names, pictures]
    return cache_key(parts, sort_keys=True, default=str)


def _training(settings: DetectionSettings) -> dict[str, Any]:
    return {"steps": settings.steps, "batch": settings.batch, "rate": float(settings.rate)}


def _trained(
    images: DetectionSet,
    settings: DetectionSettings,
    seed: int,
    device: torch.device,
    advance: Callable[[], None],
) -> list[Detections]:
    """What a detector finds in the test images after its training."""

    def make() -> nn.Module:
        classes = len(images.names) + 1  # and the background
        if settings.detector is None:
            return small_detector(classes, settings.size)
        given = {**(settings.detector.get("init_args") or {}), "num_classes": classes}
        made = instantiate(str(settings.detector["class_path"]), given)
        if not isinstance(made, nn.Module):
            raise InputError(f"tables.5.detector: expected a torch module, got {type(made).__name__}.")
        return made

    trained = train_detector(
        make,
        [picture.example() for picture in images.pictures["train"]],
        **_training(settings),
        seed=seed,
        device=device,
        progress=lambda _: advance(),
    )
    return [detect(trained, picture.example()()[0], device) for picture in images.pictures["test"]]
