"""The table of a sweep whose points W&B chose one by one: the best points, and which settings matter."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from dream_if.errors import InputError
from dream_if.messages import flat, read_configuration
from dream_if.reports.document import Document
from dream_if.reports.table import Cell, Table, number, p_value
from dream_if.runs.finished import find_records
from dream_if.scoring.statistics import holm

__all__ = ["Search", "points_document", "read_search"]

FEWEST = 5  # points from which on a correlation says anything


@dataclass(frozen=True)
class Search:
    """A sweep that looks for the best settings.

    Attributes:
        path: its file.
        method: such as ``bayes``.
        parameters: the settings it varies, by dotted key.
        metric: what it looks for the best of, such as ``val/Qabf``.
        higher: whether higher is better.
    """

    path: Path
    method: str
    parameters: tuple[str, ...]
    metric: str
    higher: bool


def read_search(path: Path) -> Search | None:
    """A sweep of another method than a grid; None for a grid.

    Raises:
        InputError: It has no parameters, or no metric.
    """
    content = read_configuration(path)
    if content.get("method") == "grid":
        return None
    parameters, metric = content.get("parameters"), content.get("metric")
    goals = {"maximize": True, "minimize": False}
    known = isinstance(metric, Mapping) and metric.get("name") and metric.get("goal", "minimize") in goals
    if not isinstance(parameters, Mapping) or not parameters or not isinstance(metric, Mapping) or not known:
        raise InputError(
            f"{path}: expected parameters, and a metric with a name and the goal maximize or minimize, as in "
            f"sweeps/losses.yaml; got parameters {parameters} and metric {metric}."
        )
    keys = tuple(str(key) for key, choice in parameters.items() if "value" not in choice)
    return Search(path, str(content.get("method")), keys, str(metric["name"]), goals[metric.get("goal", "minimize")])


def points_document(search: Search, folders: Sequence[Path]) -> Document:
    """The trained runs below folders as a document: how each setting goes with the metric, and the points by rank.

    Raises:
        InputError: No run below the folders is trained and has the metric, or one lacks a setting of the sweep.
    """
    points, left_out = _points(search, folders)
    metric = search.metric
    ranked = points.sort_values(metric, ascending=not search.higher, kind="stable")
    direction = "highest" if search.higher else "lowest"
    rows = [
        [Cell(str(run)), *(Cell(_text(value)) for value in line)]
        for run, line in zip(ranked.index, ranked.to_numpy(dtype=object), strict=True)
    ]
    notes = [
        f"Each point is a run. {metric} is from its best checkpoint if {metric} chose it, else from its last "
        "validation. The points were chosen on these validation pairs: test the best point before you compare it "
        "with anything else.",
        f"Rank correlation (Spearman's) of a setting with {metric}, over the points: 1 where {metric} rises with it "
        "throughout, -1 where it falls, 0 where neither. A setting that is not a number has none, and is tested by "
        "Kruskal and Wallis. p is corrected by Holm's method over the settings. A setting whose best value lies "
        "in the middle may show no correlation: see the range of the best quarter.",
    ]
    if search.method != "random":
        notes.append(f"The method {search.method} chose points by earlier ones, not at random: p is only a hint.")
    if left_out:
        notes.append(f"{left_out} run(s) were left out: they were not trained to the end, or lack {metric}.")
    return Document(
        name=f"sweep_{search.path.stem}",
        title=f"Points of the sweep {search.path.stem}, {len(points)} runs, the {direction} {metric} first",
        tables=[_importance(search, ranked), Table(["run", *ranked.columns], rows, "Points, the best first")],
        notes=notes,
        csv=ranked.to_csv(index_label="run", lineterminator="\n"),
        plots={},
        plot_says="",
    )


def _points(search: Search, folders: Sequence[Path]) -> tuple[pd.DataFrame, int]:
    """A line for each trained run, with the settings and the metric; and how many runs are not trained."""
    points: dict[str, dict[str, Any]] = {}
    left_out = 0
    for folder, config, record in find_records(*folders):
        settings = dict(flat(config))
        lacking = [key for key in search.parameters if key not in settings]
        if lacking:
            raise InputError(f"{folder}: there is no {lacking[0]} in its config.yaml, which {search.path} varies.")
        fit = record.get("fit", {})
        by_best = fit.get("best_by") == search.metric
        value = fit.get("best_value") if by_best else fit.get("metrics", {}).get(search.metric)
        if value is None:
            left_out += 1
            continue
        varied = {key: settings[key] for key in search.parameters}
        points[folder.name if folder.name not in points else str(folder)] = {**varied, search.metric: value}
    if not points:
        place = " and ".join(map(str, folders))
        raise InputError(f"{place}: no run there is trained to the end and has {search.metric}; {left_out} are not.")
    return pd.DataFrame.from_dict(points, orient="index", columns=[*search.parameters, search.metric]), left_out


def _importance(search: Search, ranked: pd.DataFrame) -> Table:
    """How each setting goes with the metric, the closest first."""
    scores = ranked[search.metric].to_numpy(float)
    best = ranked.iloc[: math.ceil(len(ranked) / 4)]
    lines = {key: (*_association(ranked[key], scores), _range(best[key])) for key in search.parameters}
    corrected = dict(zip(lines, holm([p for _, p, _ in lines.values()]), strict=True))
    order = sorted(lines, key=lambda key: (math.isnan(lines[key][1]), lines[key][1]))
    header = ["setting", "in the best quarter", "rank correlation", "p"]
    cells = [[key, lines[key][2], number(lines[key][0]), p_value(corrected[key])] for key in order]
    title = f"How settings go with {search.metric}"
    return Table(header, [[Cell(text) for text in line] for line in cells], title, words=2)


def _association(values: pd.Series, scores: Any) -> tuple[float, float]:
    """Rank correlation and p; NaN for what is undefined."""
    texts = values.map(json.dumps)
    if len(values) < FEWEST or texts.nunique() < 2:
        return math.nan, math.nan
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        found = stats.spearmanr(values.to_numpy(float), scores)
        return float(found.statistic), float(found.pvalue)
    groups = [scores[(texts == text).to_numpy()] for text in texts.unique()]
    return math.nan, float(stats.kruskal(*groups).pvalue)


def _range(values: pd.Series) -> str:
    """The smallest and the largest of numbers; of other values, all of them."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.tolist()
        return f"{_text(min(numbers))} to {_text(max(numbers))}"
    return ", ".join(dict.fromkeys(map(_text, values)))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
