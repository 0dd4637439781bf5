"""Severity: how the scores fall as a degradation gets stronger, from nothing to level 4."""

from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import curves
from dream_if.tables.document import Document
from dream_if.tables.foot import footnotes, where
from dream_if.tables.grids import Column, all_tests, arrow, csv_of, score_grid
from dream_if.tables.inputs import Condition
from dream_if.tables.table4 import REWARD_NOISE

__all__ = ["severity"]


def severity(comparison: Comparison) -> Document:
    """The levels as a document: for each set and kind a table of the first metric, and curves of the first two."""
    clean, *graded = comparison.plan.conditions
    by_kind: dict[str, dict[float, Condition]] = {}
    for condition in graded:
        by_kind.setdefault(str(condition.kind), {0: clean})[float(condition.level or 0)] = condition
    judged = [metric for metric in comparison.metrics if metric not in REWARD_NOISE]
    shown = judged[:2] or list(comparison.metrics[:1])
    tests = all_tests(comparison, {condition.name: judged for condition in comparison.plan.conditions})
    title = f"Severity, from nothing (0) to level 4: {where(comparison)}"
    tables = []
    for name in comparison.plan.images:
        for kind, levels in by_kind.items():
            columns = [Column(f"{level:g}", condition, shown[0]) for level, condition in levels.items()]
            tables.append(score_grid(comparison, name, columns, f"{name}, {kind}, {arrow(shown[0])} by level"))
    panels = {
        f"{kind}, {metric}": {level: Column(metric, condition, metric) for level, condition in levels.items()}
        for metric in shown
        for kind, levels in by_kind.items()
    }
    others = [metric for metric in comparison.metrics if metric != shown[0]]
    return Document(
        name="severity",
        title=title,
        tables=tables,
        notes=[
            "What a level stands for is in the README. Level 3 is the strongest that the default training shows a "
            f"network, level 4 lies beyond. {', '.join(others) or 'Nothing more'}, and all tests, are in severity.csv.",
            *footnotes(comparison, tests, ranked=False),
        ],
        csv=csv_of(comparison, tests, {}),
        plot=curves(comparison, panels, "level", title, lines=len(shown)),
        plot_says="For each set and kind of degradation, a curve for each method over the levels",
    )
