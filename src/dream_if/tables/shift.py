"""Registration: what is left of the fusion when the infrared image lies some pixels aside."""

from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import curves
from dream_if.tables.document import Document
from dream_if.tables.foot import apart_note, footnotes, where
from dream_if.tables.grids import Column, against_grid, all_tests, csv_of, heading, score_grid
from dream_if.tables.inputs import Condition

__all__ = ["shift"]


def shift(comparison: Comparison) -> Document:
    """The offsets as a document: for each set and metric, a column for each number of pixels."""
    conditions = {_pixels(condition): condition for condition in comparison.plan.conditions}
    judged = [metric for metric in comparison.metrics if metric not in REWARD_NOISE]
    tests = all_tests(comparison, {condition.name: judged for condition in conditions.values()})
    title = f"Registration, infrared image shifted: {where(comparison)}"
    tables = []
    for name in comparison.plan.images:
        for metric in comparison.metrics:
            columns = [Column(f"{pixels} px", condition, metric) for pixels, condition in conditions.items()]
            about = f"{name}, {heading(metric)} by offset"
            tables.append(score_grid(comparison, name, columns, about, marked=metric in judged))
            if metric in judged:
                against = f"{name}, {metric}, {comparison.plan.ours} against the others"
                tables.append(against_grid(comparison, tests, name, columns, against))
    panels: dict[str, dict[float, Column]] = {
        metric: {pixels: Column(heading(metric), condition, metric) for pixels, condition in conditions.items()}
        for metric in comparison.metrics
    }
    return Document(
        name="shift",
        title=title,
        tables=tables,
        notes=[
            "The infrared image is moved to the right, its left border repeated; metrics compare with the sources as "
            "they were. Real sets are off by some pixels themselves: see dream-if check.",
            *apart_note(comparison),
            *footnotes(comparison, tests, ranked=False),
        ],
        csv=csv_of(comparison, tests, {}),
        plots={"": curves(comparison, panels, "pixels", title, lines=1)},
        plot_says="For each set and metric, a curve for each method over the offset in pixels",
    )


def _pixels(condition: Condition) -> int:
    return int(condition.arguments.get("pixels", 0))
