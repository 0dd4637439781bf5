"""Table 2: methods on corrupted pairs, the others also after a restorer, ours directly."""

from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import dots
from dream_if.tables.document import Document
from dream_if.tables.foot import apart_note, footnotes, where
from dream_if.tables.grids import Column, Paper, against_grid, all_tests, csv_of, heading, score_grid
from dream_if.tables.inputs import Condition
from dream_if.tables.paper import TABLE_2, TABLE_2_NOTE
from dream_if.tables.table1 import beside

__all__ = ["table2"]

PAPERS_SET = "LLVIP"


def table2(comparison: Comparison) -> Document:
    """Table 2 as a document: for each set and condition the scores, and apart those that noise raises."""
    judged = [metric for metric in comparison.metrics if metric not in REWARD_NOISE]
    apart = [metric for metric in comparison.metrics if metric in REWARD_NOISE]
    tests = all_tests(comparison, {condition.name: judged for condition in comparison.plan.conditions})
    papers, like_papers = beside(comparison, {PAPERS_SET: TABLE_2}), _papers_condition(comparison)
    title = f"Table 2, methods on corrupted pairs: {where(comparison)}"
    tables = []
    for name, condition in comparison.cells:
        near = name in papers and condition == like_papers
        place = f"{name}, {condition.name}"
        about = f"{place}, {len(comparison.plan.images[name].names)} image(s)"
        beyond = f"; below the paper's rows of {PAPERS_SET}" if near else ""
        if judged:
            columns = [Column(heading(metric), condition, metric) for metric in judged]
            paper = _paper(columns) if near else None
            tables.append(score_grid(comparison, name, columns, about + beyond, ranked=True, paper=paper))
            tables.append(
                against_grid(comparison, tests, name, columns, f"{place}, {comparison.plan.ours} against the others")
            )
        if apart:
            columns = [Column(metric, condition, metric) for metric in apart]
            paper = _paper(columns) if near else None
            tables.append(
                score_grid(comparison, name, columns, f"{place}, what noise raises", marked=False, paper=paper)
            )
    shown = [
        Column(f"{metric}, {c.name}", c, metric) for c in comparison.plan.conditions[:2] for metric in judged or apart
    ]
    printed = {(PAPERS_SET, "random", method): values for method, values in TABLE_2.items()}
    return Document(
        name="table2",
        title=title,
        tables=tables,
        notes=[*apart_note(comparison), *footnotes(comparison, tests, ranked=True), TABLE_2_NOTE],
        csv=csv_of(comparison, tests, printed),
        plots={"": dots(comparison, shown, title)},
        plot_says="For each set, condition and metric, the mean of each method and the middle half of its images",
    )


def _papers_condition(comparison: Comparison) -> Condition:
    """The condition nearest to the paper's, which is random; else the first that corrupts."""
    conditions = comparison.plan.conditions
    corrupting = [condition for condition in conditions if condition.kind is not None]
    random = [condition for condition in corrupting if condition.kind == "random"]
    return [*random, *corrupting, *conditions][0]


def _paper(columns: list[Column]) -> Paper:
    return {
        method: [values.get(column.metric, float("nan")) for column in columns] for method, values in TABLE_2.items()
    }
