"""Scores of a detector: average precision by torchmetrics, and recall as YOLO's program computes it."""

import math
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
from torchvision.ops import box_iou

from dream_if.downstream.labels import Boxes
from dream_if.downstream.training import Found
from dream_if.errors import InputError

__all__ = ["AP", "AP_50", "RECALL", "check_scorer", "score_detections"]

RECALL, AP_50, AP = "recall", "mAP@.5", "mAP@.5:.95"
OVERLAP = 0.5

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def check_scorer() -> None:
    """Make sure, before anything is computed, that average precision can be.

    Raises:
        InputError: pycocotools is not installed.
    """
    if find_spec("pycocotools") is None:
        raise InputError('Table 5 needs pycocotools, not installed here; pip install "dream-if[detection]".')


def score_detections(found: Sequence[Found], there: Sequence[Boxes], names: Sequence[str]) -> dict[str, float]:
    """Score a detector on a test set.

    Average precision is COCO's, over 101 recalls and at most 100 detections of an image, as torchmetrics and
    pycocotools compute it: at an overlap (IoU) of one half, and as the mean over 0.5, 0.55, ..., 0.95. Recall is the
    share of the boxes that a detection of their class overlaps by one half or more, at the one score for all classes
    above which the mean of their F1 is highest.

    Args:
        found: for each image.
        there: for each image.
        names: of the classes.

    Returns:
        `RECALL`, `AP_50`, `AP`, each the mean over the classes that occur, and each of them for each class as
        ``"<metric>, <class>"``; NaN for a class that does not occur.
    """
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(class_metrics=False, extended_summary=True)
    metric.warn_on_many_detections = False
    metric.update(
        [{**image, "labels": image["labels"] - 1} for image in found],
        [{"boxes": boxes.corners, "labels": boxes.classes} for boxes in there],
    )
    summary = metric.compute()
    # (overlaps, recalls, classes, areas, most detections): all areas and 100 detections; -1 where a class has no box.
    precision = summary["precision"][:, :, :, 0, -1].double().mean(dim=1).numpy()
    seen = [int(number) for number in np.atleast_1d(summary["classes"].numpy())]
    recalls = _recalls(found, there, len(names))
    values: dict[str, float] = {}
    for number, name in enumerate(names):
        curve = precision[:, seen.index(number)] if number in seen else np.array([-1.0])
        known = bool((curve >= 0).all())
        values[f"{RECALL}, {name}"] = recalls[number]
        values[f"{AP_50}, {name}"] = float(curve[0]) if known else math.nan
        values[f"{AP}, {name}"] = float(curve.mean()) if known else math.nan
    means = {}
    for kind in (RECALL, AP_50, AP):
        of_classes = [values[f"{kind}, {name}"] for name in names]
        defined = [value for value in of_classes if not math.isnan(value)]
        means[kind] = float(np.mean(defined)) if defined else math.nan
    return {**means, **values}


def _recalls(found: Sequence[Found], there: Sequence[Boxes], classes: int) -> list[float]:
    """The recall of each class at the score of the best mean F1; NaN for a class that does not occur."""
    totals = [sum(int((boxes.classes == number).sum()) for boxes in there) for number in range(classes)]
    ranked = [_ranked(found, there, number) for number in range(classes)]
    thresholds = np.unique(np.concatenate([scores for scores, _ in ranked]))
    if not thresholds.size:
        return [0.0 if total else math.nan for total in totals]
    curves: list[Floats] = []
    f1 = np.zeros(len(thresholds))
    for (scores, right), total in zip(ranked, totals, strict=True):
        above = len(scores) - np.searchsorted(scores[::-1], thresholds)  # detections with this score or a higher one
        hits = np.concatenate([[0], np.cumsum(right)])[above]
        curves.append(hits / total if total else np.full(len(thresholds), math.nan))
        if total:
            f1 += 2 * hits / (above + total)
    best = int(np.argmax(f1))
    return [float(curve[best]) for curve in curves]


def _ranked(found: Sequence[Found], there: Sequence[Boxes], number: int) -> tuple[Floats, Flags]:
    """Scores of a class's detections, the highest first, and whether each hits a box that no better one has hit."""
    scores: list[float] = []
    right: list[bool] = []
    for image, boxes in zip(found, there, strict=True):
        chosen = image["labels"] == number + 1
        order = image["scores"][chosen].argsort(descending=True, stable=True)
        overlaps = box_iou(image["boxes"][chosen][order], boxes.corners[boxes.classes == number]).numpy().copy()
        scores += image["scores"][chosen][order].tolist()
        for row in overlaps:
            best = int(row.argmax()) if row.size else -1
            hit = bool(row.size) and bool(row[best] >= OVERLAP)
            if hit:
                overlaps[:, best] = -1.0
            right.append(hit)
    ranking = np.argsort(-np.array(scores, np.float64), kind="stable")
    return np.array(scores, np.float64)[ranking], np.array(right, np.bool_)[ranking]
