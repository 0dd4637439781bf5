"""Table 3: what each kind of degradation costs, by LPIPS with two references, and by the other metrics."""

import math

from dream_if.data.conditions import PAPERS_LEVEL
from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import dots
from dream_if.tables.document import Document
from dream_if.tables.foot import apart_note, footnotes, where
from dream_if.tables.grids import Column, against_grid, all_tests, csv_of, heading, score_grid
from dream_if.tables.inputs import Condition
from dream_if.tables.paper import OURS, TABLE_3, TABLE_3_NOTE
from dream_if.tables.plan import LPIPS_SELF
from dream_if.tables.table1 import beside

__all__ = ["table3"]

PAPERS_SET = "LLVIP"
PAPERS_METRIC = "LPIPS"


def table3(comparison: Comparison) -> Document:
    """Table 3 as a document: for each set and metric, a column for each condition."""
    conditions = comparison.plan.conditions
    judged = [metric for metric in comparison.metrics if metric not in REWARD_NOISE]
    tests = all_tests(comparison, {condition.name: judged for condition in conditions})
    papers = beside(comparison, {PAPERS_SET: TABLE_3})
    title = f"Table 3, one-stage fusion of corrupted pairs: {where(comparison)}"
    tables = []
    for name, images in comparison.plan.images.items():
        for metric in comparison.metrics:
            columns = [Column(condition.name, condition, metric) for condition in conditions]
            about = f"{name}, {heading(metric)}, {len(images.names)} image(s)"
            near = name in papers and metric in (PAPERS_METRIC, LPIPS_SELF) and any(map(_papers_kind, conditions))
            paper = {
                method: [values.get(_papers_kind(column.condition), math.nan) for column in columns]
                for method, values in TABLE_3.items()
            }
            beyond = f"; below the paper's rows of {PAPERS_SET}" if near else ""
            apart = metric in REWARD_NOISE
            tables.append(
                score_grid(
                    comparison,
                    name,
                    columns,
                    f"{name}, {metric}, which noise raises" if apart else about + beyond,
                    marked=not apart,
                    ranked=not apart,
                    paper=paper if near else None,
                )
            )
            if not apart:
                against = f"{name}, {metric}, {comparison.plan.ours} against the others"
                tables.append(against_grid(comparison, tests, name, columns, against))
    first = judged[0] if judged else comparison.metrics[0]
    shown = [Column(f"{condition.name}, {heading(first)}", condition, first) for condition in conditions]
    printed = {
        (PAPERS_SET, kind, method): {PAPERS_METRIC: value}
        for method, values in TABLE_3.items()
        for kind, value in values.items()
    }
    return Document(
        name="table3",
        title=title,
        tables=tables,
        notes=[*apart_note(comparison), *footnotes(comparison, tests, ranked=True), TABLE_3_NOTE],
        csv=csv_of(comparison, tests, printed),
        plots={"": dots(comparison, shown, title)},
        plot_says="For each set and condition, the mean of each method and the middle half of its images",
    )


def _papers_kind(condition: Condition) -> str:
    """The column of the paper that a condition stands for, whatever its name; "" for none.

    Beside the paper's numbers belongs what both sources suffer at `PAPERS_LEVEL`, by level or by the same arguments.
    """
    kind = condition.kind or ""
    if kind not in TABLE_3[OURS] or condition.source != "both":
        return ""
    return kind if condition.parts == Condition(kind=kind, level=PAPERS_LEVEL).parts else ""
