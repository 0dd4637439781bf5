"""Networks trained on fused images: Table 5, detection, and the table of segmentation."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
import torchvision

from dream_if.downstream import yolo
from dream_if.downstream.labels import Boxes
from dream_if.downstream.masks import IGNORED
from dream_if.downstream.runs import Results
from dream_if.downstream.tasks import FusedFile
from dream_if.methods.rows import Row
from dream_if.pixels import figure_png
from dream_if.reports.document import Document
from dream_if.reports.footnotes import where
from dream_if.reports.plots import OTHERS, OURS, panels_of_rows
from dream_if.reports.published_numbers import TABLE_5, TABLE_5_NOTE
from dream_if.reports.score_tables import Paper, paper_rows
from dream_if.reports.table import Cell, Table, column
from dream_if.scoring.plan import DetectionSettings

__all__ = ["downstream_document"]

PAPERS_SET = "LLVIP"


def downstream_document(results: Results) -> Document:
    """The table of a task as a document: for each set the rows' scores, the paper's, and a table by class."""
    detects = results.task.name == "detection"
    sets = results.sets
    beside = next((name for name in sets if name.upper() == PAPERS_SET), next(iter(sets))) if detects else None
    title = "Table 5, detection on fused images" if detects else "Segmentation of fused images"
    title += f": {where(results.plan, sets)}"
    tables = []
    for name, images in sets.items():
        train, test = (_counted(images.pictures[split]) for split in ("train", "test"))
        about = f"{name}, trained on {train}, tested on {test}"
        near = name == beside
        about += "; below the paper's rows of LLVIP" * near
        tables.append(_scores(results, name, about, [""], TABLE_5 if near else {}))
        if len(images.names) > 1:
            tables.append(_scores(results, name, f"{name}, by class", images.names, {}))
    return Document(
        name="table5" if detects else results.task.name,
        title=title,
        tables=tables,
        notes=_notes(results),
        csv=_csv(results, TABLE_5 if detects else {}),
        plots={"": _plot(results, title)},
        plot_says="For each set and score, a dot for each row and seed",
    )


def _counted(pictures: Sequence[FusedFile]) -> str:
    boxes = [len(picture.labels.classes) for picture in pictures if isinstance(picture.labels, Boxes)]
    return f"{len(pictures)} images" + (f" with {sum(boxes)} boxes" if boxes else "")


def _seeds(results: Results, name: str, metric: str, kind: str = "") -> dict[str, list[float]]:
    """Row -> the score of each seed."""
    scores = results.scores
    part = scores[(scores["set"] == name) & (scores["metric"] == metric) & (scores["class"] == kind)]
    return {str(row): values.tolist() for row, values in part.groupby("method", sort=False)["value"]}


def _kept(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _mean(values: list[float]) -> float:
    return float(np.mean(_kept(values))) if _kept(values) else math.nan


def _column(by_row: dict[str, list[float]]) -> list[Cell]:
    """The mean of each row over seeds, marked, and its deviation."""
    kept = map(_kept, by_row.values())
    rests = [f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "" for values in kept]
    return column([_mean(values) for values in by_row.values()], True, rests)


def _scores(results: Results, name: str, title: str, kinds: Sequence[str], paper: Paper) -> Table:
    """The scores of a set, of these classes ("" for the mean over all), above the paper's rows."""
    rows = [row.name for row in results.plan.rows]
    cells = [(kind, metric) for kind in kinds for metric in results.task.metrics]
    found = [_seeds(results, name, metric, kind) for kind, metric in cells]
    lines = [[Cell(row), *line] for row, *line in zip(rows, *map(_column, found), strict=True)]
    if paper:
        lines += paper_rows({row: [_mean(values[row]) for values in found] for row in rows}, paper)
    # A class has no mean over classes: its IoU, not its mIoU.
    header = ["method", *(f"{kind}: {metric.removeprefix('m')} ↑" if kind else f"{metric} ↑" for kind, metric in cells)]
    return Table(header, lines, title)


DETECTION_NOTES = [
    "mAP@.5 and mAP@.5:.95: COCO's average precision, by torchmetrics, mean over the classes that occur. Recall: "
    "share of the boxes found with an overlap of one half, at the score at which the mean F1 of the classes is "
    "highest, as YOLO's program prints it.",
]
SEGMENTATION_NOTES = [
    "IoU of a class: pixels that have it in truth and prediction over pixels that have it in either, counted over all "
    "test images at once. mIoU: its mean over all classes, the first one, the background, included. A class that is "
    f"nowhere in truth and prediction is a dash and left out of the mean. Pixels of value {IGNORED} count nowhere.",
    "The loss is cross entropy. Rare classes weigh more: 1 / log(1.02 + p) for the share p of a batch's pixels.",
]


def _notes(results: Results) -> list[str]:
    detects = results.task.name == "detection"
    seeds = results.scores["seed"].unique().tolist()
    notes = [
        "Each row's network is trained on the row's images of the training split and tested on its images of the test "
        "split, with the same labels, settings, seeds and order. The last state is tested; none is chosen by its "
        "scores. Best of a column bold, second best underlined.",
        *(DETECTION_NOTES if detects else SEGMENTATION_NOTES),
        "Two trainings that differ only in the seed may lie further apart than two methods. Compare several, with "
        f"seeds: [0, 1, 2] in the plan. Here: {', '.join(map(str, seeds))}."
        + (" Mean over them, and sample standard deviation." if len(seeds) > 1 else ""),
        f"Network: {_network(results)}",
        f"Methods: {'; '.join(f'{row.name}: {_says(row)}' for row in results.plan.rows)}.",
        f"Made with torch {torch.__version__} and torchvision {torchvision.__version__}.",
        *([TABLE_5_NOTE] if detects else []),
    ]
    if any(images.generated for images in results.plan.images.values()):
        notes.append("Generated scenes show that everything works. They say nothing about photographs.")
    return notes


def _says(row: Row) -> str:
    return row.method.says + ("" if row.restorer is None else f", of sources after {row.restorer.name}")


def _network(results: Results) -> str:
    """What the network is, and how it was trained."""
    settings = results.settings
    if results.task.program == yolo.PROGRAM and isinstance(settings, DetectionSettings):
        told = json.dumps({**yolo.DEFAULTS, **(settings.yolo or {})}, default=str)
        return f"the program {yolo.PROGRAM}, told {told}."
    ours = {"detection": "FCOS on a small backbone", "segmentation": "LR-ASPP on MobileNetV3 (large)"}
    name = f"torchvision's {ours[results.task.name]}, from scratch"
    # How a user's own detector resizes images is up to it.
    shorter = f" Shorter side of the images: {settings.size} pixels."
    if settings.own is not None:
        name = str(settings.own["class_path"])
        shorter = "" if results.task.name == "detection" else shorter
    return (
        f"{name}. {settings.steps} steps of AdamW with batches of {settings.batch}, half of the images mirrored, peak "
        f"rate {settings.rate:g}.{shorter}"
    )


def _csv(results: Results, published: Paper) -> str:
    """A line for each set, row, seed, class (empty for the mean) and score, then the paper's."""
    paper = [
        (f"{PAPERS_SET} (paper)", name, "", "", metric, value)
        for name, values in published.items()
        for metric, value in zip(results.task.metrics, values, strict=True)
    ]
    lines = pd.concat(
        [results.scores.astype(object), pd.DataFrame(paper, columns=results.scores.columns, dtype=object)]
    )
    text: str = lines.to_csv(index=False, lineterminator="\n", na_rep="nan")
    return text


def _plot(results: Results, title: str) -> bytes:
    """A line of panels for each set: a row's seeds as dots, their mean as a diamond."""
    rows, sets = [row.name for row in results.plan.rows], list(results.sets)
    size = (2.2 + 2.2 * len(results.task.metrics), 0.9 + (0.5 + 0.22 * len(rows)) * len(sets))
    figure, grid = panels_of_rows(sets, [f"{metric} ↑" for metric in results.task.metrics], rows, size)
    for (line, place), axes in np.ndenumerate(grid):
        for height, values in enumerate(_seeds(results, sets[line], results.task.metrics[place]).values()):
            colour = OTHERS if height else OURS
            axes.plot(values, [height] * len(values), "o", ms=3, color=colour, alpha=0.7)
            axes.plot(_mean(values), height, "D", ms=5, mfc="none", color=colour)
    figure.suptitle(f"{title}\ndot: a seed, diamond: mean", fontsize=9)
    return figure_png(figure)
