"""Severity: how the scores fall as a degradation gets stronger, from nothing to level 4."""

from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import curves
from dream_if.tables.document import Document
from dream_if.tables.foot import apart_note, footnotes, where
from dream_if.tables.grids import Column, all_tests, csv_of, heading, score_grid
from dream_if.tables.inputs import Condition

__all__ = ["severity"]


def severity(comparison: Comparison) -> Document:
    """The levels as a document: for each set and kind a table of the first metric, and curves of the first two."""
    clean, *graded = comparison.plan.conditions
    by_kind: dict[str, dict[float, Condition]] = {}
    for condition in graded:
        by_kind.setdefault(str(condition.kind), {0: clean})[_level(condition)] = condition
    judged = [metric for metric in comparison.metrics if metric not in REWARD_NOISE]
    shown = judged[:2] or list(comparison.metrics[:1])
    tests = all_tests(comparison, {condition.name: judged for condition in comparison.plan.conditions})
    title = f"Severity, from nothing (0) to level 4: {where(comparison)}"
    tables = []
    for name in comparison.plan.images:
        for kind, levels in by_kind.items():
            columns = [Column(f"{level:g}", condition, shown[0]) for level, condition in levels.items()]
            about = f"{name}, {kind}, {heading(shown[0])} by level"
            tables.append(score_grid(comparison, name, columns, about, marked=shown[0] in judged))
    panels = {
        f"{kind}, {metric}": {level: Column(heading(metric), condition, metric) for level, condition in levels.items()}
        for metric in shown
        for kind, levels in by_kind.items()
    }
    others = [metric for metric in comparison.metrics if metric != shown[0]]
    return Document(
        name="severity",
        title=title,
        tables=tables,
        notes=[
            "What a level stands for is in the README. Of the paper's six kinds, level 3 is the strongest that the "
            "default training shows a network, and level 4 lies beyond. "
            f"{', '.join(others) or 'Nothing more'}, and all tests, are in severity.csv.",
            *apart_note(comparison),
            *footnotes(comparison, tests, ranked=False),
        ],
        csv=csv_of(comparison, tests, {}),
        plots={"": curves(comparison, panels, "level", title, lines=len(shown))},
        plot_says="For each set and kind of degradation, a curve for each method over the levels",
    )


def _level(condition: Condition) -> float:
    return float(condition.level) if isinstance(condition.level, int) else 0.0
