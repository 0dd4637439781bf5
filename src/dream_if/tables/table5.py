"""Table 5: detection on fused images."""

import csv
import io
import math
from collections.abc import Sequence

import numpy as np
import torch
import torchvision
from matplotlib.figure import Figure

from dream_if.pixels import figure_png
from dream_if.render import Cell, Table, mark, number
from dream_if.tables.detection_runs import METRICS, DetectionResults
from dream_if.tables.document import Document
from dream_if.tables.paper import OURS, TABLE_5, TABLE_5_NOTE
from dream_if.tables.plan import Row

__all__ = ["table5"]

PAPERS_SET = "LLVIP"


def table5(results: DetectionResults) -> Document:
    """Table 5 as a document: for each set the rows' scores, the paper's, and a table by class."""
    beside = _beside(results)
    scenes = all(images.settings.root is None for images in results.plan.images.values())
    where = "generated scenes, not photographs" if scenes else ", ".join(results.classes)
    title = f"Table 5, detection on fused images: {where}"
    tables = []
    for name, classes in results.classes.items():
        pictures, boxes, test_pictures, test_boxes = results.counts[name]
        about = f"{name}, trained on {pictures} images with {boxes} boxes, tested on {test_pictures} with {test_boxes}"
        tables.append(
            _grid(results, name, about + "; below the paper's rows of LLVIP" * (name == beside), name == beside)
        )
        if len(classes) > 1:
            tables.append(_by_class(results, name))
    return Document(
        name="table5",
        title=title,
        tables=tables,
        notes=_notes(results),
        csv=_csv(results),
        plots={"": _plot(results, title)},
        plot_says="For each set and score, a dot for each row and seed",
    )


def _beside(results: DetectionResults) -> str:
    """The set that the paper's rows stand with: LLVIP, or else the first."""
    return next((name for name in results.classes if name.upper() == PAPERS_SET), next(iter(results.classes)))


def _seeds(results: DetectionResults, set_name: str, row: str, metric: str) -> list[float]:
    return [results.values[set_name, row, seed][metric] for seed in results.settings.seeds]


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else math.nan


def _cells(results: DetectionResults, set_name: str, metric: str) -> list[Cell]:
    """A column: the mean of each row over seeds, marked, and its deviation."""
    columns = [_seeds(results, set_name, row.name, metric) for row in results.plan.rows]
    printed = [number(_mean(values)) for values in columns]
    rests = [f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "" for values in columns]
    return [Cell(*parts) for parts in zip(printed, mark(printed, True), rests, strict=True)]


def _grid(results: DetectionResults, set_name: str, title: str, with_paper: bool) -> Table:
    rows = [row.name for row in results.plan.rows]
    columns = [_cells(results, set_name, metric) for metric in METRICS]
    lines = [[Cell(name), *line] for name, *line in zip(rows, *columns, strict=True)]
    if with_paper:
        lines += [[Cell(f"paper: {name}"), *(Cell(number(v)) for v in values)] for name, values in TABLE_5.items()]
        names = {name.lower(): name for name in TABLE_5 if name != OURS}
        shared = {results.plan.ours: OURS}
        shared |= {row: names[row.lower()] for row in rows if row.lower() in names and row != results.plan.ours}
        for row, theirs in shared.items():
            ours = [_mean(_seeds(results, set_name, row, metric)) for metric in METRICS]
            differences = [f"{a - b:+.3f}" for a, b in zip(ours, TABLE_5[theirs], strict=True)]
            lines.append([Cell(f"{row} - paper: {theirs}"), *map(Cell, differences)])
    return Table(["method", *(f"{metric} ↑" for metric in METRICS)], lines, title)


def _by_class(results: DetectionResults, set_name: str) -> Table:
    kinds = [(metric, kind) for kind in results.classes[set_name] for metric in METRICS]
    columns = [_cells(results, set_name, f"{metric}, {kind}") for metric, kind in kinds]
    lines = [[Cell(row.name), *line] for row, *line in zip(results.plan.rows, *columns, strict=True)]
    return Table(["method", *(f"{kind}: {metric} ↑" for metric, kind in kinds)], lines, f"{set_name}, by class")


def _notes(results: DetectionResults) -> list[str]:
    settings = results.settings
    seeds = ", ".join(map(str, settings.seeds))
    notes = [
        "Each row's detector is trained on the row's images of the training split and tested on its images of the test "
        "split, with the same boxes, settings, seeds and order. The last state is tested; none is chosen by its "
        "scores. Best of a column bold, second best underlined.",
        "mAP@.5 and mAP@.5:.95: COCO's average precision, by torchmetrics, mean over the classes that occur. Recall: "
        "share of the boxes found with an overlap of one half, at the score at which the mean F1 of the classes is "
        "highest, as YOLO's program prints it.",
        "Two trainings that differ in the seed alone may lie further apart than two methods. Compare by several, with "
        f"seeds: [0, 1, 2] in the plan. Here: {seeds}."
        + (" Mean over them, and sample standard deviation." if len(settings.seeds) > 1 else ""),
        f"Detector: {results.detector}.{_training(results)}",
        f"Methods: {'; '.join(f'{row.name}: {_says(row)}' for row in results.plan.rows)}.",
        f"Made with torch {torch.__version__} and torchvision {torchvision.__version__}.",
        TABLE_5_NOTE,
    ]
    if any(images.settings.root is None for images in results.plan.images.values()):
        notes.append("Generated scenes show that everything works. They say nothing of photographs.")
    return notes


def _says(row: Row) -> str:
    return row.method.says + ("" if row.restorer is None else f", of sources after {row.restorer.name}")


def _training(results: DetectionResults) -> str:
    if results.detector.startswith("the program"):
        return ""
    training, size = results.settings.training, results.settings.size
    shorter = f" Shorter side of the images: {size} pixels." if results.settings.detector is None else ""
    return (
        f" {training.steps} steps of AdamW with batches of {training.batch}, half of the images mirrored, peak rate "
        f"{training.rate:g}.{shorter}"
    )


def _csv(results: DetectionResults) -> str:
    """A line for each set, row, seed, class (empty for the mean) and score, then the paper's."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "method", "seed", "class", "metric", "value"])
    for (set_name, row, seed), values in results.values.items():
        for kind in ("", *results.classes[set_name]):
            for metric in METRICS:
                value = values[f"{metric}, {kind}" if kind else metric]
                writer.writerow([set_name, row, seed, kind, metric, repr(value)])
    for name, papers in TABLE_5.items():
        for metric, value in zip(METRICS, papers, strict=True):
            writer.writerow([f"{PAPERS_SET} (paper)", name, "", "", metric, value])
    return text.getvalue()


def _plot(results: DetectionResults, title: str) -> bytes:
    """A line of panels for each set: a row's seeds as dots, their mean as a diamond."""
    rows, sets = [row.name for row in results.plan.rows], list(results.classes)
    figure = Figure(
        figsize=(2.2 + 2.2 * len(METRICS), 0.9 + (0.5 + 0.22 * len(rows)) * len(sets)), dpi=120, layout="constrained"
    )
    grid = figure.subplots(len(sets), len(METRICS), squeeze=False)
    for line, name in enumerate(sets):
        for place, metric in enumerate(METRICS):
            axes = grid[line][place]
            for height, row in enumerate(rows):
                values = _seeds(results, name, row, metric)
                colour = "#4d4d4d" if height else "#d6604d"
                axes.plot(values, [height] * len(values), "o", ms=3, color=colour, alpha=0.7)
                axes.plot(_mean(values), height, "D", ms=5, mfc="none", color=colour)
            axes.set_title(f"{metric} ↑" if line == 0 else "", fontsize=8)
            axes.set_yticks(range(len(rows)), rows if place == 0 else [])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            if place == 0:
                axes.set_ylabel(name, fontsize=8)
            axes.tick_params(labelsize=7)
            axes.grid(axis="x", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{title}\ndot: a seed, diamond: mean", fontsize=9)
    return figure_png(figure)
