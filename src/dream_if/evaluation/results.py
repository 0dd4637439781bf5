"""What an evaluation yields."""

import math
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

from dream_if.evaluation.folders import ImageSet
from dream_if.evaluation.scores import Scores
from dream_if.evaluation.statistics import Comparison, Summary
from dream_if.metrics import METRICS

__all__ = ["HOLM_FAMILY", "Evaluation", "Settings", "higher_is_better"]

HOLM_FAMILY = "all tests of this evaluation: the first method against each other method, in each metric"


@dataclass(frozen=True)
class Settings:
    """What was asked for; see `evaluate`."""

    visible: Path
    infrared: Path
    fused: Mapping[str, Path]
    convention: str
    lpips_weights: Path | None
    device: str
    batch_size: int
    resize: bool


@dataclass(frozen=True)
class Evaluation:
    """Scores of several methods and what follows from them.

    Attributes:
        settings: what was asked for.
        images: the files.
        scores: one value per method, image and metric.
        summaries: method -> metric -> mean and standard deviation over images.
        ranks: metric -> method -> mean rank over images, 1 the best; only metrics with a direction.
        ranked: metric -> number of images that were ranked: those for which every method has a score.
        average_ranks: method -> mean of its ranks over the metrics with ranked images; NaN if there is none.
        comparisons: of the first method with each other one.
    """

    settings: Settings
    images: ImageSet
    scores: Scores
    summaries: Mapping[str, Mapping[str, Summary]]
    ranks: Mapping[str, Mapping[str, float]]
    ranked: Mapping[str, int]
    average_ranks: Mapping[str, float]
    comparisons: tuple[Comparison, ...]

    @property
    def family_size(self) -> int:
        """Number of tests that could be made: what Holm's method corrects for."""
        return sum(not math.isnan(comparison.p) for comparison in self.comparisons)

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers must know, a sentence each: scaled, surplus and undefined images."""
        notes = []
        for method in self.scores.methods:
            resized = self.images.resized(method)
            if resized:
                few = ", ".join(f"{name} from {size[0]}x{size[1]}" for name, size in list(resized.items())[:3])
                notes.append(
                    f"{method}: {len(resized)} of {len(self.scores.names)} images were scaled to the size of their "
                    f"sources (bicubic, antialiased) before scoring: {few}{_rest(resized)}."
                )
        for method, extra in self.images.extra.items():
            if extra:
                few = ", ".join(extra[:3])
                notes.append(f"{method}: {len(extra)} image(s) without sources were not scored: {few}{_rest(extra)}.")
        for method, by_metric in self.summaries.items():
            for metric, summary in by_metric.items():
                count = len(summary.undefined)
                if count and not summary.defined:
                    notes.append(f"{method}: {metric} is undefined for all {count} images.")
                elif count:
                    notes.append(
                        f"{method}: {metric} is undefined for {count} of {len(self.scores.names)} images; mean and "
                        "deviation are over the others."
                    )
        unranked = [metric for metric, images in self.ranked.items() if images == 0]
        if unranked and len(self.scores.methods) > 1:
            notes.append(f"Ranks leave out {', '.join(unranked)}: no image has a score of every method there.")
        return notes


def _rest(things: Sized) -> str:
    return f" and {len(things) - 3} more" if len(things) > 3 else ""


def higher_is_better(metric: str) -> bool | None:
    """The direction of a metric; None where neither end is better."""
    direction: bool | None = METRICS[metric].higher_is_better
    return direction
