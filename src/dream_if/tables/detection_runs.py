"""Trains and tests a detector on each row's fused images of each set: the numbers of Table 5.

Scores go to the journal, so that a row and seed that is finished is not trained again, as long as images, boxes,
settings and the code of detection are the same.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from dream_if import detection
from dream_if.detection import yolo
from dream_if.detection.detector import small_detector
from dream_if.detection.scoring import AP, AP_50, RECALL, check_scorer, score_detections
from dream_if.detection.training import Detections, TrainingSettings, detect, train_detector
from dream_if.errors import InputError
from dream_if.evaluation.journal import Entry, Journal
from dream_if.storage import write_atomically
from dream_if.tables.detection_sets import DetectionSet, fuse_sets, labelled_sets
from dream_if.tables.digests import maker_digest, package_digest
from dream_if.tables.loading import imported, instantiate
from dream_if.tables.plan import Plan

__all__ = ["DETECTORS", "METRICS", "DetectionResults", "DetectionSettings", "detect_on_fused"]

DETECTORS = ("torchvision", yolo.PROGRAM)
METRICS = (RECALL, AP_50, AP)
FOLDER = "detection"


@dataclass(frozen=True)
class DetectionSettings:
    """How Table 5 trains.

    Attributes:
        training: steps, batch and rate.
        seeds: one detector for each.
        size: pixels to which the shorter side of an image is brought.
        train: training pairs of each set; all if None.
        detector: ``class_path`` and ``init_args`` of one of the user's own; None for the small one.
        yolo: what YOLO's program is told.
    """

    training: TrainingSettings = field(default_factory=TrainingSettings)
    seeds: tuple[int, ...] = (0,)
    size: int = 480
    train: int | None = None
    detector: Mapping[str, Any] | None = None
    yolo: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, own: Mapping[str, Any]) -> "DetectionSettings":
        """Settings as the table's part of a plan has them.

        Raises:
            InputError: A value is none of those expected.
        """
        for key, least in (("steps", 2), ("batch", 1), ("size", 32), ("train", 1)):
            value = own.get(key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise InputError(f"tables.5.{key}: expected a whole number from {least} up, got {value!r}.")
        rate = own.get("rate", TrainingSettings.rate)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
            raise InputError(f"tables.5.rate: expected a number between 0 and 1, got {rate!r}.")
        seeds = own.get("seeds", [0])
        if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
            raise InputError(f"tables.5.seeds: expected a list of whole numbers such as [0, 1, 2], got {seeds!r}.")
        chosen = own.get("detector")
        if chosen is not None and not (
            isinstance(chosen, Mapping)
            and "class_path" in chosen
            and set(chosen) <= {"class_path", "init_args"}
            and isinstance(chosen.get("init_args") or {}, Mapping)
        ):
            raise InputError(f"tables.5.detector: expected a mapping with class_path and init_args, got {chosen!r}.")
        told = own.get("yolo") or {}
        if not isinstance(told, Mapping):
            raise InputError(f"tables.5.yolo: expected a mapping such as {{model: yolo11n.pt}}, got {told!r}.")
        default = TrainingSettings()
        training = TrainingSettings(own.get("steps") or default.steps, own.get("batch") or default.batch, float(rate))
        size = own.get("size") or cls.size
        return cls(training, tuple(dict.fromkeys(seeds)), size, own.get("train"), chosen, dict(told))


@dataclass(frozen=True)
class DetectionResults:
    """The scores of Table 5.

    Attributes:
        plan: what was compared.
        settings: how detectors were trained.
        detector: what they are, in a few words.
        classes: set -> names of its classes.
        counts: set -> images and boxes in training, images and boxes in the test.
        values: (set, row, seed) -> score by name, see `score_detections`.
        left_out: sets without labels, a sentence each.
        data: (set, row) -> its fused images with their boxes.
        found: (set, row, seed) -> what was found in the test images, in COCO's form of results.
        folder: where the data sets are.
    """

    plan: Plan
    settings: DetectionSettings
    detector: str
    classes: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, tuple[int, int, int, int]]
    values: Mapping[tuple[str, str, int], Mapping[str, float]]
    left_out: tuple[str, ...]
    data: Mapping[tuple[str, str], DetectionSet]
    found: Mapping[tuple[str, str, int], Path]
    folder: Path


def detect_on_fused(
    plan: Plan,
    out: Path,
    journal: Journal,
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
    settings = DetectionSettings.read(plan.own)
    sets, left_out = labelled_sets(plan, settings.train)
    if not sets:
        raise InputError(f"Table 5: no set has labels for training and test. {' '.join(left_out)}")
    fused = len(plan.rows) * sum(len(part.numbers) for one in sets for part in one.splits.values())
    runs = len(plan.rows) * len(sets) * len(settings.seeds)
    total = fused + runs * settings.training.steps
    done = 0

    def advance(amount: int = 1) -> None:
        nonlocal done
        done += amount
        progress(done, total)

    data = fuse_sets(sets, plan, out / FOLDER, device, advance)
    # Asked for after the images are there: whoever lacks the program has the data set for another machine.
    program = yolo.find_program() if detector == yolo.PROGRAM else None
    values, files = {}, {}
    for (set_name, row), images in data.items():
        for seed in settings.seeds:
            key = _key(images, settings, detector, seed, device)
            before = done
            file = images.folder / "found" / f"{detector}_{seed}_{key[:8]}.json"
            known = _known(journal, key, images.names) if file.is_file() else None
            if known is None:
                if program is None:
                    found = _trained(images, settings, seed, device, advance)
                else:
                    found = _by_yolo(program, images, settings, seed, device)
                known = score_detections(found, [p.boxes for p in images.pictures["test"]], images.names)
                _keep(file, found)
                date = datetime.now(UTC).isoformat(timespec="seconds")
                journal.add([Entry(key, row, f"{set_name}, detection, seed {seed}", date, known)])
            advance(before + settings.training.steps - done)
            values[set_name, row, seed] = known
            files[set_name, row, seed] = file
    first = plan.rows[0].name
    return DetectionResults(
        plan=plan,
        settings=settings,
        detector=_says(settings, detector),
        classes={one.name: data[one.name, first].names for one in sets},
        counts={one.name: _counts(data[one.name, first]) for one in sets},
        values=values,
        left_out=tuple(left_out),
        data=data,
        found=files,
        folder=out / FOLDER,
    )


def _says(settings: DetectionSettings, detector: str) -> str:
    if detector == yolo.PROGRAM:
        return f"the program {yolo.PROGRAM}, told {json.dumps({**yolo.DEFAULTS, **settings.yolo}, default=str)}"
    if settings.detector is not None:
        return str(settings.detector["class_path"])
    return "torchvision's FCOS on a small backbone, from scratch"


def _counts(images: DetectionSet) -> tuple[int, int, int, int]:
    train, test = images.pictures["train"], images.pictures["test"]
    boxes = [sum(len(picture.boxes.classes) for picture in part) for part in (train, test)]
    return len(train), boxes[0], len(test), boxes[1]


def _key(images: DetectionSet, settings: DetectionSettings, detector: str, seed: int, device: torch.device) -> str:
    """Hash of all that a row's scores depend on."""
    how: list[Any] = [detector, dict(settings.yolo)]
    if detector != yolo.PROGRAM:
        how = [detector, asdict(settings.training), settings.size, settings.detector]
        if settings.detector is not None:
            path = str(settings.detector["class_path"])
            imported(path)
            how.append(maker_digest(path, settings.detector.get("init_args") or {}))
    versions = [torch.__version__, torchvision.__version__, package_digest([detection])]
    pictures = [picture.digest for split in sorted(images.pictures) for picture in images.pictures[split]]
    parts = [*versions, device.type, how, seed, images.names, pictures]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _known(journal: Journal, key: str, names: Sequence[str]) -> dict[str, float] | None:
    wanted = [*METRICS, *(f"{metric}, {name}" for metric in METRICS for name in names)]
    found = {metric: journal.value(key, metric) for metric in wanted}
    kept = {metric: value for metric, value in found.items() if value is not None}
    return kept if len(kept) == len(found) else None


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
        settings.training,
        seed=seed,
        device=device,
        progress=lambda _: advance(),
    )
    return [detect(trained, picture.example()()[0], device) for picture in images.pictures["test"]]


def _by_yolo(
    program: str, images: DetectionSet, settings: DetectionSettings, seed: int, device: torch.device
) -> list[Detections]:
    sizes = {picture.name: picture.size for picture in images.pictures["test"]}
    return yolo.train_and_detect(program, images.folder, sizes, settings.yolo, seed=seed, device=device)


def _keep(file: Path, found: Sequence[Detections]) -> None:
    """Write what was found in the test images in COCO's form of results, for whoever wants to look or score anew."""
    lines = [
        {"image_id": number, "category_id": label, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score}
        for number, image in enumerate(found, start=1)
        for (x0, y0, x1, y1), label, score in zip(
            image["boxes"].tolist(), image["labels"].tolist(), image["scores"].tolist(), strict=True
        )
    ]
    write_atomically(file, json.dumps(lines).encode())
