"""The pictures behind the best and the worst scores, so that one can look."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dream_if.figures import panel
from dream_if.storage import write_atomically
from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison, Pair
from dream_if.tables.grids import Column, column_of, direction, means
from dream_if.tables.inputs import Condition

__all__ = ["draw_extremes"]

BESIDE = 3
"""Other methods that are drawn beside ours: those with the best mean."""


def draw_extremes(comparison: Comparison, count: int, folder: Path, device: torch.device) -> list[Path]:
    """Draw the images of our row with the best and with the worst scores, beside sources and other methods.

    Args:
        comparison: the scores; the images are made once more.
        count: how many of each.
        folder: where a picture goes for each set, condition and metric that has a direction, those that noise raises
            for clean pairs alone.
        device: where methods compute.

    Returns:
        The pictures' paths.
    """
    drawn = []
    for name, condition in comparison.cells:
        for metric in comparison.metrics:
            better = direction(metric)
            if better is None or (condition.kind is not None and metric in REWARD_NOISE):
                continue
            column = Column(metric, condition, metric)
            values = column_of(comparison, name, column)
            order = np.argsort(values[0] if better else -values[0], kind="stable")  # the worst first
            order = order[np.isfinite(values[0][order])]
            chosen = list(dict.fromkeys([*order[::-1][:count].tolist(), *order[:count].tolist()]))
            if not chosen:
                continue
            lines = _shown(comparison, name, column)
            rows = [_pictures(comparison, name, column, number, lines, device) for number in chosen]
            scores = ", ".join(f"{comparison.plan.images[name].names[n]} {values[0][n]:.3f}" for n in chosen)
            title = f"{name}, {condition.name}, {metric} of {comparison.plan.ours}, best and worst: {scores}"
            path = folder / f"{_file_name(f'{name}_{condition.name}_{metric}')}.png"
            write_atomically(path, panel(rows, title))
            drawn.append(path)
    return drawn


def _shown(comparison: Comparison, name: str, column: Column) -> list[int]:
    """Our row, and the others of best mean."""
    found = means(comparison, name, column)
    others = [line for line in range(1, len(found)) if np.isfinite(found[line])]
    others.sort(key=lambda line: found[line], reverse=bool(direction(column.metric)))
    return [0, *others[:BESIDE]]


def _pictures(
    comparison: Comparison, name: str, column: Column, number: int, lines: list[int], device: torch.device
) -> dict[str, Tensor]:
    """Name -> picture, of one pair."""
    images = comparison.plan.images[name]
    pair = Pair(images.read(number), name, device)
    condition: Condition = column.condition
    visible, infrared = pair.seen(condition)
    pictures = {"visible": visible[0], "infrared": infrared[0]}
    for line in lines:
        row = comparison.plan.rows[line]
        pictures[row.name] = pair.fused(row, condition)[0]
    return pictures


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in text)
