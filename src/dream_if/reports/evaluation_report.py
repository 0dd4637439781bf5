"""The report of `dream-if evaluate`: per_image.csv, summary.json, table.md and box_plots.png."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dream_if.metrics import METRICS
from dream_if.reports.plots import box_plots
from dream_if.reports.score_tables import Column, against_table, arrow, score_table
from dream_if.reports.table import Table, markdown_table
from dream_if.scoring.scored_folders import Evaluation
from dream_if.scoring.statistics import SIGNIFICANT, fewest_pairs, higher_is_better, per_image
from dream_if.storage import write_atomically

__all__ = ["csv_text", "footnotes", "markdown_text", "summary_record", "tables_of", "write_report"]

HOLM_FAMILY = "all tests of this evaluation: the first method against each other method, in each metric"
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
    record = json.dumps(_plain(summary_record(evaluation)), indent=2, ensure_ascii=False, allow_nan=False)
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
    lines = per_image(evaluation.scores).drop(columns=["set", "condition"])
    if evaluation.settings.resize:
        resized = {method: evaluation.images.resized(method) for method in evaluation.methods}
        sizes = [resized[line.method].get(line.name) for line in lines[["method", "name"]].itertuples(index=False)]
        lines["resized_from"] = [f"{size[0]}x{size[1]}" if size else "" for size in sizes]
    text: str = lines.to_csv(index=False, lineterminator="\n", na_rep="nan")
    return text


def summary_record(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the single scores, as plain values and paths; what is undefined is NaN."""
    settings, methods, metrics = evaluation.settings, evaluation.methods, evaluation.metrics
    summary = evaluation.summary.set_index(["metric", "method"])
    directions = {metric: higher_is_better(metric) for metric in metrics}
    average_ranks = evaluation.average_ranks
    return {
        "date": evaluation.scores["date"].max(),
        "settings": asdict(settings),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "counts": {"methods": len(methods), "images": len(evaluation.images.names)},
        "notes": evaluation.notes,
        "resized": {
            method: {name: list(size) for name, size in evaluation.images.resized(method).items()} for method in methods
        },
        "without_sources": {method: list(stems) for method, stems in evaluation.images.extra.items()},
        "metrics": {
            metric: {
                "higher_is_better": directions[metric],
                "unit": METRICS[metric].unit,
                "formula": METRICS[metric].formula,
                "options": dict(METRICS[metric].conventions[settings.convention]),
                "citation": METRICS[metric].citation,
                "images_ranked": None if directions[metric] is None else int(summary["ranked"][metric, methods[0]]),
            }
            for metric in metrics
        },
        "methods": {
            method: {
                "average_rank": average_ranks[method],
                "metrics": {
                    metric: {
                        "mean": float(summary["mean"][metric, method]),
                        "std": float(summary["std"][metric, method]),
                        "defined": int(summary["defined"][metric, method]),
                        "undefined": len(evaluation.undefined(method, metric)),
                        "undefined_images": evaluation.undefined(method, metric),
                        "mean_rank": float(summary["rank"][metric, method]),
                    }
                    for metric in metrics
                },
            }
            for method in methods
        },
        "wilcoxon": {
            "test": "paired Wilcoxon signed-rank, two-sided; pairs without a difference are left out",
            "correction": "Holm",
            "family": HOLM_FAMILY,
            "family_size": evaluation.family_size,
            "comparisons": evaluation.tests.drop(columns=["set", "condition"]).to_dict("records"),
        },
    }


def tables_of(evaluation: Evaluation) -> list[Table]:
    """The table of scores, and with several methods that of the first against the others."""
    several = len(evaluation.methods) > 1
    summary = evaluation.summary
    columns = [Column(arrow(metric), "", metric) for metric in evaluation.metrics]
    scores = score_table(summary, "", columns, marked=several, ranked=several and _ranked(evaluation), spread=True)
    if not several:
        return [scores]
    columns = [Column(metric, "", metric) for metric in evaluation.metrics]
    return [scores, against_table(summary, evaluation.tests, "", columns, differences=False)]


def _ranked(evaluation: Evaluation) -> bool:
    return any(higher_is_better(metric) is not None for metric in evaluation.metrics)


def footnotes(evaluation: Evaluation) -> list[str]:
    """How to read the tables, a sentence or two each; what is particular to these images is in their notes."""
    total, ours = len(evaluation.images.names), evaluation.methods[0]
    notes = [
        f"{total} image pair(s), convention {evaluation.settings.convention}; mean ± sample standard deviation over "
        "images."
    ]
    if len(evaluation.methods) == 1:
        return notes
    if _ranked(evaluation):
        notes.append(
            "Best mean of a column bold, second best underlined. Rank: mean over metrics of the mean rank over "
            "images, 1 the best, equal scores sharing theirs; ranked are images for which every method has a score."
        )
    tests = evaluation.family_size
    notes.append(
        f"{ours} against each other method: p of the two-sided paired Wilcoxon signed-rank test, corrected by Holm's "
        f"method over {HOLM_FAMILY} ({tests} tests). + where {ours} is better, - where it is worse."
    )
    fewest = fewest_pairs(tests)
    if tests and total < fewest:
        notes.append(
            f"With {total} image(s) and {tests} test(s) no corrected p can fall below {SIGNIFICANT}: that takes "
            f"{fewest} images, or fewer metrics or methods."
        )
    left_out = int(evaluation.tests["left_out"].sum())
    if left_out:
        notes.append(f"{left_out} pair(s) of scores were left out of the tests because one of the two is undefined.")
    return notes


def markdown_text(evaluation: Evaluation) -> str:
    """The table of scores, the table of comparisons, and what must be known to read them."""
    lines = [line for table in tables_of(evaluation) for line in [*markdown_table(table), ""]]
    lines += ["- " + note.replace("|", "\\|") for note in (*footnotes(evaluation), *evaluation.notes)]
    return "\n".join(lines) + "\n"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    """The same with None for every number that JSON does not have, and paths as text."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
