"""Tables 1, 2, 3, severity and shift: methods over sets, conditions and metrics."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dream_if.data.conditions import PAPERS_LEVEL, Condition
from dream_if.reports import published_numbers
from dream_if.reports.document import Document
from dream_if.reports.footnotes import apart_note, footnotes, where
from dream_if.reports.plots import curves, dots
from dream_if.reports.score_tables import (
    NOISE_RAISES,
    Column,
    Paper,
    against_table,
    arrow,
    csv_text,
    heading,
    score_table,
)
from dream_if.scoring.engine import LPIPS_SELF
from dream_if.scoring.scored_plan import ScoredPlan
from dream_if.scoring.statistics import compare

__all__ = ["METHOD_TABLES", "method_document"]

PAPERS_SET = "LLVIP"
PAPERS_METRIC = "LPIPS"


@dataclass(frozen=True)
class _Part:
    """One table of scores of a set, and one of our row against the others.

    Attributes:
        set: name of the set.
        title: of the scores.
        columns: what stands in them; either all of metrics that noise raises, without marks and ranks, or none.
        tests: what the tests are of, for their title; "" for none.
        paper: rows below.
    """

    set: str
    title: str
    columns: Sequence[Column]
    tests: str = ""
    paper: Paper | None = None


@dataclass(frozen=True)
class _MethodTable:
    """What is particular to a table.

    Attributes:
        title: without the sets.
        parts: its tables.
        plot: draws its picture, below a title.
        plot_says: what the picture shows.
        ranked: whether scores have a column of ranks.
        clean: whether the pairs are clean, so that no metric stands apart.
        first_note: the first note, from the scores.
        last_notes: the last notes.
        printed: (set, condition, method) -> metric -> value, what the paper prints.
    """

    title: str
    parts: Callable[[ScoredPlan], Iterable[_Part]]
    plot: Callable[[ScoredPlan, str], bytes]
    plot_says: str
    ranked: bool = False
    clean: bool = False
    first_note: Callable[[ScoredPlan], list[str]] = lambda _: []
    last_notes: Sequence[str] = ()
    printed: Mapping[tuple[str, str, str], Mapping[str, float]] = field(default_factory=dict)


def method_document(scored: ScoredPlan) -> Document:
    """The table of a scored plan as a document."""
    spec = METHOD_TABLES[scored.plan.table]
    title = f"{spec.title}: {where(scored.plan)}"
    counted = scored.scores if spec.clean else scored.scores[~scored.scores["metric"].isin(NOISE_RAISES)]
    tests = compare(counted)
    tables = []
    for part in spec.parts(scored):
        judged = spec.clean or part.columns[0].metric not in NOISE_RAISES
        ranked = spec.ranked and judged
        tables.append(
            score_table(
                scored.summary, part.set, part.columns, part.title, marked=judged, ranked=ranked, paper=part.paper
            )
        )
        if part.tests and judged:
            against = f"{part.tests}, {scored.plan.ours} against the others"
            tables.append(against_table(scored.summary, tests, part.set, part.columns, against))
    apart = [] if spec.clean else apart_note(scored)
    name = scored.plan.table
    return Document(
        name=f"table{name}" if name.isdigit() else name,
        title=title,
        tables=tables,
        notes=[*spec.first_note(scored), *apart, *footnotes(scored, tests, ranked=spec.ranked), *spec.last_notes],
        csv=csv_text(scored.summary, tests, spec.printed),
        plots={"": spec.plot(scored, title)},
        plot_says=spec.plot_says,
    )


def _beside(scored: ScoredPlan, theirs: Iterable[str]) -> dict[str, str]:
    """Set of ours -> set of the paper whose rows stand with it: of the same name, or else the first with the first."""
    names = {name.lower(): name for name in theirs}
    found = {name: names[name.lower()] for name in scored.plan.images if name.lower() in names}
    return found or {next(iter(scored.plan.images)): next(iter(names.values()))}


def _rows(values: Mapping[str, Mapping[str, float]], keys: Sequence[str]) -> dict[str, list[float]]:
    return {method: [found.get(key, math.nan) for key in keys] for method, found in values.items()}


def _below(name: str | None) -> str:
    return f"; below the paper's rows of {name}" if name else ""


def _judged(scored: ScoredPlan) -> list[str]:
    return [metric for metric in scored.metrics if metric not in NOISE_RAISES]


def _images(scored: ScoredPlan, name: str) -> str:
    return f"{len(scored.plan.images[name].names)} image(s)"


# Table 1


def _table1_columns(scored: ScoredPlan) -> list[Column]:
    return [Column(arrow(metric), scored.plan.conditions[0].name, metric) for metric in scored.metrics]


def _table1(scored: ScoredPlan) -> Iterable[_Part]:
    papers = _beside(scored, published_numbers.TABLE_1)
    for name in scored.plan.images:
        theirs = papers.get(name)
        rows = _rows(published_numbers.TABLE_1[theirs], scored.metrics) if theirs else None
        title = f"{name}, {_images(scored, name)}{_below(theirs)}"
        yield _Part(name, title, _table1_columns(scored), name, rows)


# Table 2


def _table2(scored: ScoredPlan) -> Iterable[_Part]:
    papers, like_papers = _beside(scored, [PAPERS_SET]), _papers_condition(scored.plan.conditions)
    judged = _judged(scored)
    apart = [metric for metric in scored.metrics if metric in NOISE_RAISES]
    for name, condition in scored.cells:
        near, place = name in papers and condition == like_papers, f"{name}, {condition.name}"
        about = f"{_images(scored, name)}{_below(PAPERS_SET if near else None)}"
        for metrics, what in ((judged, about), (apart, "what noise raises")):
            if metrics:
                columns = [Column(heading(metric), condition.name, metric) for metric in metrics]
                rows = _rows(published_numbers.TABLE_2, metrics) if near else None
                yield _Part(name, f"{place}, {what}", columns, place, rows)


def _papers_condition(conditions: Sequence[Condition]) -> Condition:
    """The condition nearest to the paper's, which is random; else the first that corrupts."""
    corrupting = [condition for condition in conditions if condition.kind is not None]
    random = [condition for condition in corrupting if condition.kind == "random"]
    return [*random, *corrupting, *conditions][0]


def _table2_dots(scored: ScoredPlan, title: str) -> bytes:
    shown = _judged(scored) or scored.metrics
    names = [condition.name for condition in scored.plan.conditions[:2]]
    return dots(scored, [Column(f"{metric}, {name}", name, metric) for name in names for metric in shown], title)


# Table 3


def _table3(scored: ScoredPlan) -> Iterable[_Part]:
    papers = _beside(scored, [PAPERS_SET])
    conditions = scored.plan.conditions
    kinds = [_papers_kind(condition) for condition in conditions]
    for name in scored.plan.images:
        for metric in scored.metrics:
            columns = [Column(condition.name, condition.name, metric) for condition in conditions]
            if metric in NOISE_RAISES:
                yield _Part(name, f"{name}, {metric}, which noise raises", columns)
                continue
            near = name in papers and metric in (PAPERS_METRIC, LPIPS_SELF) and any(kinds)
            title = f"{name}, {heading(metric)}, {_images(scored, name)}{_below(PAPERS_SET if near else None)}"
            rows = _rows(published_numbers.TABLE_3, kinds) if near else None
            yield _Part(name, title, columns, f"{name}, {metric}", rows)


def _papers_kind(condition: Condition) -> str:
    """The column of the paper that a condition stands for, whatever its name; "" for none.

    Beside the paper's numbers belongs what both sources suffer at `PAPERS_LEVEL`, by level or by the same arguments.
    """
    kind = condition.kind or ""
    if kind not in published_numbers.TABLE_3[published_numbers.OURS] or condition.source != "both":
        return ""
    return kind if condition.parts == Condition(kind=kind, level=PAPERS_LEVEL).parts else ""


def _table3_dots(scored: ScoredPlan, title: str) -> bytes:
    metric = [*_judged(scored), *scored.metrics][0]
    names = [condition.name for condition in scored.plan.conditions]
    return dots(scored, [Column(f"{name}, {heading(metric)}", name, metric) for name in names], title)


# Severity


def _levels(scored: ScoredPlan) -> dict[str, dict[float, str]]:
    """Kind -> level -> name of the condition; level 0 is nothing."""
    clean, *graded = scored.plan.conditions
    by_kind: dict[str, dict[float, str]] = {}
    for condition in graded:
        level = float(condition.level) if isinstance(condition.level, int) else 0.0
        by_kind.setdefault(str(condition.kind), {0: clean.name})[level] = condition.name
    return by_kind


def _shown(scored: ScoredPlan) -> list[str]:
    """The metrics that severity shows."""
    return _judged(scored)[:2] or list(scored.metrics[:1])


def _severity(scored: ScoredPlan) -> Iterable[_Part]:
    metric = _shown(scored)[0]
    for name in scored.plan.images:
        for kind, levels in _levels(scored).items():
            columns = [Column(f"{level:g}", condition, metric) for level, condition in levels.items()]
            yield _Part(name, f"{name}, {kind}, {heading(metric)} by level", columns)


def _severity_curves(scored: ScoredPlan, title: str) -> bytes:
    shown = _shown(scored)
    panels = {
        f"{kind}, {metric}": {level: Column(heading(metric), name, metric) for level, name in levels.items()}
        for metric in shown
        for kind, levels in _levels(scored).items()
    }
    return curves(scored, panels, "level", title, lines=len(shown))


def _severity_note(scored: ScoredPlan) -> list[str]:
    kept = [metric for metric in scored.metrics if metric != _shown(scored)[0]]
    return [
        "docs/degradations.md says what each level is. Of the paper's six kinds, level 3 is the strongest in the "
        f"default training, and level 4 is beyond it. Also in severity.csv: {', '.join([*kept, 'all tests'])}."
    ]


# Shift


def _offsets(scored: ScoredPlan) -> dict[float, str]:
    """Pixels -> name of the condition."""
    return {int(condition.arguments.get("pixels", 0)): condition.name for condition in scored.plan.conditions}


def _shift(scored: ScoredPlan) -> Iterable[_Part]:
    for name in scored.plan.images:
        for metric in scored.metrics:
            columns = [Column(f"{pixels} px", condition, metric) for pixels, condition in _offsets(scored).items()]
            yield _Part(name, f"{name}, {heading(metric)} by offset", columns, f"{name}, {metric}")


def _shift_curves(scored: ScoredPlan, title: str) -> bytes:
    panels = {
        metric: {pixels: Column(heading(metric), name, metric) for pixels, name in _offsets(scored).items()}
        for metric in scored.metrics
    }
    return curves(scored, panels, "pixels", title, lines=1)


METHOD_TABLES = {
    "1": _MethodTable(
        title="Table 1, methods on clean pairs",
        parts=_table1,
        plot=lambda scored, title: dots(scored, _table1_columns(scored), title),
        plot_says="For each set and metric, the mean of each method and the middle half of its images",
        ranked=True,
        clean=True,
        last_notes=[published_numbers.TABLE_1_NOTE],
        printed={
            (name, "clean", row): v for name, rows in published_numbers.TABLE_1.items() for row, v in rows.items()
        },
    ),
    "2": _MethodTable(
        title="Table 2, methods on corrupted pairs",
        parts=_table2,
        plot=_table2_dots,
        plot_says="For each set, condition and metric, the mean of each method and the middle half of its images",
        ranked=True,
        last_notes=[published_numbers.TABLE_2_NOTE],
        printed={(PAPERS_SET, "random", method): values for method, values in published_numbers.TABLE_2.items()},
    ),
    "3": _MethodTable(
        title="Table 3, one-stage fusion of corrupted pairs",
        parts=_table3,
        plot=_table3_dots,
        plot_says="For each set and condition, the mean of each method and the middle half of its images",
        ranked=True,
        last_notes=[published_numbers.TABLE_3_NOTE],
        printed={
            (PAPERS_SET, kind, method): {PAPERS_METRIC: value}
            for method, values in published_numbers.TABLE_3.items()
            for kind, value in values.items()
        },
    ),
    "severity": _MethodTable(
        title="Severity, from nothing (0) to level 4",
        parts=_severity,
        plot=_severity_curves,
        plot_says="For each set and kind of degradation, a curve for each method over the levels",
        first_note=_severity_note,
    ),
    "shift": _MethodTable(
        title="Registration, infrared image shifted",
        parts=_shift,
        plot=_shift_curves,
        plot_says="For each set and metric, a curve for each method over the offset in pixels",
        first_note=lambda _: [
            "The infrared image is moved to the right, its left border repeated; metrics compare with the sources as "
            "they were. Real sets are off by some pixels themselves: see dream-if check."
        ],
    ),
}
"""Table -> what is particular to it."""
