"""Table 1: methods on clean pairs."""

from collections.abc import Mapping

from dream_if.tables.comparison import Comparison
from dream_if.tables.comparison_plots import dots
from dream_if.tables.document import Document
from dream_if.tables.foot import footnotes, where
from dream_if.tables.grids import Column, against_grid, all_tests, arrow, csv_of, score_grid
from dream_if.tables.paper import TABLE_1, TABLE_1_NOTE

__all__ = ["beside", "table1"]


def beside(comparison: Comparison, theirs: Mapping[str, object]) -> dict[str, str]:
    """Set of ours -> set of the paper whose rows stand with it: of the same name, or else the first with the first."""
    names = {name.lower(): name for name in theirs}
    found = {name: names[name.lower()] for name in comparison.plan.images if name.lower() in names}
    return found or {next(iter(comparison.plan.images)): next(iter(theirs))}


def table1(comparison: Comparison) -> Document:
    """Table 1 as a document: for each set the rows' scores, the paper's, and our row against the others."""
    (condition,) = comparison.plan.conditions
    tests = all_tests(comparison, {condition.name: comparison.metrics})
    columns = [Column(arrow(metric), condition, metric) for metric in comparison.metrics]
    papers = beside(comparison, TABLE_1)
    title = f"Table 1, methods on clean pairs: {where(comparison)}"
    tables = []
    for name, images in comparison.plan.images.items():
        paper = {
            method: [values.get(column.metric, float("nan")) for column in columns]
            for method, values in TABLE_1.get(papers.get(name, ""), {}).items()
        }
        about = f"{name}, {len(images.names)} image(s)"
        beyond = f"; below the paper's rows of {papers[name]}" if name in papers else ""
        tables.append(score_grid(comparison, name, columns, about + beyond, ranked=True, paper=paper))
        tables.append(
            against_grid(comparison, tests, name, columns, f"{name}, {comparison.plan.ours} against the others")
        )
    printed = {(name, condition.name, row): v for name, rows in TABLE_1.items() for row, v in rows.items()}
    return Document(
        name="table1",
        title=title,
        tables=tables,
        notes=[*footnotes(comparison, tests, ranked=True), TABLE_1_NOTE],
        csv=csv_of(comparison, tests, printed),
        plots={"": dots(comparison, columns, title)},
        plot_says="For each set and metric, the mean of each method and the middle half of its images",
    )
