"""The pictures behind the best and the worst scores."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dream_if.data.conditions import Condition
from dream_if.figures import panel
from dream_if.reports.score_tables import NOISE_RAISES
from dream_if.scoring.pairs import ScoredPair
from dream_if.scoring.scored_plan import ScoredPlan
from dream_if.scoring.statistics import Values, higher_is_better, matrix
from dream_if.storage import write_atomically

__all__ = ["draw_extremes"]

BESIDE = 3
"""Other methods that are drawn beside ours: those with the best mean."""


def draw_extremes(scored: ScoredPlan, count: int, folder: Path, device: torch.device) -> list[Path]:
    """Draw the images of our row with the best and with the worst scores, beside sources and other methods.

    Args:
        scored: the scores; the images are made once more.
        count: how many of each.
        folder: where a picture goes for each set, condition and metric that has a direction, those that noise raises
            for clean pairs alone.
        device: where methods compute.

    Returns:
        The pictures' paths.
    """
    drawn = []
    for name, condition in scored.cells:
        for metric in scored.metrics:
            better = higher_is_better(metric)
            if better is None or (condition.kind is not None and metric in NOISE_RAISES):
                continue
            values = matrix(scored.scores, set=name, condition=condition.name, metric=metric)
            order = np.argsort(values[0] if better else -values[0], kind="stable")  # the worst first
            order = order[np.isfinite(values[0][order])]
            chosen = list(dict.fromkeys([*order[::-1][:count].tolist(), *order[:count].tolist()]))
            if not chosen:
                continue
            lines = _shown(values, better)
            rows = [_pictures(scored, name, condition, number, lines, device) for number in chosen]
            scores = ", ".join(f"{scored.plan.images[name].names[n]} {values[0][n]:.3f}" for n in chosen)
            title = f"{name}, {condition.name}, {metric} of {scored.plan.ours}, best and worst: {scores}"
            path = folder / f"{_file_name(f'{name}_{condition.name}_{metric}')}.png"
            write_atomically(path, panel(rows, title))
            drawn.append(path)
    return drawn


def _shown(values: Values, higher_is_better: bool) -> list[int]:
    """Our row, and the others of best mean."""
    means = {line: row[np.isfinite(row)].mean() for line, row in enumerate(values) if np.isfinite(row).any()}
    others = sorted(means.keys() - {0}, key=lambda line: means[line], reverse=higher_is_better)
    return [0, *others[:BESIDE]]


def _pictures(
    scored: ScoredPlan, name: str, condition: Condition, number: int, lines: list[int], device: torch.device
) -> dict[str, Tensor]:
    """Name -> picture, of one pair."""
    pair = ScoredPair(scored.plan.images[name].read(number), name, device)
    visible, infrared = pair.sources(condition)
    rows = [scored.plan.rows[line] for line in lines]
    return {"visible": visible[0], "infrared": infrared[0], **{row.name: pair.fused(row, condition)[0] for row in rows}}


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in text)
