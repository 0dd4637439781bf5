"""An evaluation as files: per_image.csv, summary.json, table.md and box_plots.png."""

import csv
import io
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dream_if.evaluation.plots import box_plots
from dream_if.evaluation.results import HOLM_FAMILY, Evaluation, higher_is_better
from dream_if.evaluation.table import comparison_table, footnotes, score_table
from dream_if.metrics import METRICS
from dream_if.render import markdown_table
from dream_if.storage import write_atomically

__all__ = ["csv_text", "markdown_text", "summary_record", "write_report"]

PACKAGES = ("dream-if", "torch", "torchvision", "torchmetrics", "numpy", "scipy", "opencv-python-headless")


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write the four files, each of them whole or not at all.

    Args:
        evaluation: what to report.
        folder: is made if it is not there.

    Returns:
        Their paths.

    Raises:
        InputError: the folder cannot be written to.
    """
    record = json.dumps(_finite(summary_record(evaluation)), indent=2, ensure_ascii=False, allow_nan=False)
    contents = {
        "per_image.csv": csv_text(evaluation).encode(),
        "summary.json": f"{record}\n".encode(),
        "table.md": markdown_text(evaluation).encode(),
        "box_plots.png": box_plots(evaluation),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def csv_text(evaluation: Evaluation) -> str:
    """A row for each method and image; `nan` or `inf` where a metric is undefined.

    With `resize` there is a last column, `resized_from`: the size of an image that was scaled, as WIDTHxHEIGHT.
    """
    scores, resize = evaluation.scores, evaluation.settings.resize
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "name", *scores.metrics, *(["resized_from"] if resize else [])])
    for method, table in zip(scores.methods, scores.values, strict=True):
        resized = evaluation.images.resized(method)
        for name, row in zip(scores.names, table.tolist(), strict=True):
            size = f"{resized[name][0]}x{resized[name][1]}" if name in resized else ""
            writer.writerow([method, name, *map(repr, row), *([size] if resize else [])])
    return text.getvalue()


def summary_record(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the single scores, as plain values; what is undefined is NaN."""
    settings, scores = evaluation.settings, evaluation.scores
    return {
        "date": scores.date,
        "settings": {
            "visible": str(settings.visible),
            "infrared": str(settings.infrared),
            "fused": {method: str(folder) for method, folder in settings.fused.items()},
            "metrics": list(scores.metrics),
            "convention": settings.convention,
            "lpips_weights": settings.lpips_weights and str(settings.lpips_weights),
            "device": settings.device,
            "batch_size": settings.batch_size,
            "resize": settings.resize,
        },
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "counts": {"methods": len(scores.methods), "images": len(scores.names)},
        "notes": evaluation.notes,
        "resized": {
            method: {name: list(size) for name, size in evaluation.images.resized(method).items()}
            for method in scores.methods
        },
        "without_sources": {method: list(stems) for method, stems in evaluation.images.extra.items()},
        "metrics": {
            metric: {
                "higher_is_better": higher_is_better(metric),
                "unit": METRICS[metric].unit,
                "formula": METRICS[metric].formula,
                "options": dict(METRICS[metric].conventions[settings.convention]),
                "citation": METRICS[metric].citation,
                "images_ranked": evaluation.ranked.get(metric),
            }
            for metric in scores.metrics
        },
        "methods": {
            method: {
                "average_rank": evaluation.average_ranks[method],
                "metrics": {
                    metric: {
                        "mean": summary.mean,
                        "std": summary.std,
                        "defined": summary.defined,
                        "undefined": len(summary.undefined),
                        "undefined_images": list(summary.undefined),
                        "mean_rank": evaluation.ranks.get(metric, {}).get(method),
                    }
                    for metric, summary in by_metric.items()
                },
            }
            for method, by_metric in evaluation.summaries.items()
        },
        "wilcoxon": {
            "test": "paired Wilcoxon signed-rank, two-sided; pairs without a difference are left out",
            "correction": "Holm",
            "family": HOLM_FAMILY,
            "family_size": evaluation.family_size,
            "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
        },
    }


def markdown_text(evaluation: Evaluation) -> str:
    """The table of scores, the table of comparisons, and what must be known to read them."""
    lines = markdown_table(score_table(evaluation))
    comparisons = comparison_table(evaluation)
    if comparisons:
        lines += ["", *markdown_table(comparisons)]
    notes = (*footnotes(evaluation), *evaluation.notes)
    lines += ["", *("- " + note.replace("|", "\\|") for note in notes)]
    return "\n".join(lines) + "\n"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _finite(value: Any) -> Any:
    """The same with None for every number that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
