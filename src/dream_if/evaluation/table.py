"""The tables of an evaluation, and how to read them."""

from dream_if.evaluation.results import HOLM_FAMILY, Evaluation, higher_is_better
from dream_if.evaluation.statistics import SIGNIFICANT, fewest_pairs
from dream_if.render import Cell, Table, mark, number, p_value

__all__ = ["comparison_table", "footnotes", "score_table"]


def score_table(evaluation: Evaluation) -> Table:
    """A row for each method: mean and standard deviation by metric, and the average rank.

    With two or more methods the best and second best mean of each metric that has a direction are marked; means that
    are printed alike are marked alike. A count follows where a mean is not over all images.
    """
    scores = evaluation.scores
    several = len(scores.methods) > 1
    header = ["method"]
    columns: list[list[Cell]] = []
    for metric in scores.metrics:
        direction = higher_is_better(metric)
        header.append(f"{metric} {'' if direction is None else '↑' if direction else '↓'}".rstrip())
        means = [number(evaluation.summaries[method][metric].mean) for method in scores.methods]
        marks = mark(means, direction if several else None)
        rests = [_spread(evaluation, method, metric) for method in scores.methods]
        columns.append([Cell(*parts) for parts in zip(means, marks, rests, strict=True)])
    if several and evaluation.ranks:
        header.append("rank ↓")
        ranks = [f"{evaluation.average_ranks[method]:.2f}".replace("nan", "–") for method in scores.methods]
        columns.append([Cell(*parts) for parts in zip(ranks, mark(ranks, False), strict=True)])
    return Table(header, [[Cell(method), *cells] for method, *cells in zip(scores.methods, *columns, strict=True)])


def _spread(evaluation: Evaluation, method: str, metric: str) -> str:
    summary = evaluation.summaries[method][metric]
    text = f" ± {number(summary.std)}" if summary.defined > 1 else ""
    return f"{text} ({summary.defined}/{len(evaluation.scores.names)})" if summary.undefined else text


def comparison_table(evaluation: Evaluation) -> Table | None:
    """A row for each method but the first: corrected p-values with the sign of the difference.

    `+` says that the first method is the better one, `-` that it is the worse. None for a single method.
    """
    scores = evaluation.scores
    if len(scores.methods) < 2:
        return None
    cells = {(c.other, c.metric): Cell(f"{p_value(c.p_holm)}{_sign(c.better)}") for c in evaluation.comparisons}
    return Table(
        [f"{scores.methods[0]} against", *scores.metrics],
        [[Cell(other), *(cells[other, metric] for metric in scores.metrics)] for other in scores.methods[1:]],
    )


def _sign(better: bool | None) -> str:
    return "" if better is None else " (+)" if better else " (-)"


def footnotes(evaluation: Evaluation) -> list[str]:
    """How to read the two tables, a sentence or two each; what is particular to these images is in their notes."""
    scores, settings = evaluation.scores, evaluation.settings
    notes = [
        f"{len(scores.names)} image pair(s), convention {settings.convention}; mean ± sample standard deviation over "
        "images."
    ]
    if len(scores.methods) > 1:
        if evaluation.ranks:
            notes.append(
                "Best mean of a column bold, second best underlined. Rank: mean over metrics of the mean rank over "
                "images, 1 the best, equal scores sharing theirs; ranked are images for which every method has a score."
            )
        notes.append(
            f"{scores.methods[0]} against each other method: p of the two-sided paired Wilcoxon signed-rank test, "
            f"corrected by Holm's method over {HOLM_FAMILY} ({evaluation.family_size} tests). "
            f"+ where {scores.methods[0]} is better, - where it is worse."
        )
        fewest = fewest_pairs(evaluation.family_size)
        if evaluation.family_size and len(scores.names) < fewest:
            notes.append(
                f"With {len(scores.names)} image(s) and {evaluation.family_size} test(s) no corrected p can fall below "
                f"{SIGNIFICANT}: that takes {fewest} images, or fewer metrics or methods."
            )
        left_out = sum(comparison.left_out for comparison in evaluation.comparisons)
        if left_out:
            notes.append(
                f"{left_out} pair(s) of scores were left out of the tests because one of the two is undefined."
            )
    return notes
