"""Table 4, the ablation, as a document."""

import csv
import io
import math
from collections.abc import Mapping

from dream_if.evaluation.results import higher_is_better
from dream_if.evaluation.statistics import SIGNIFICANT, fewest_pairs
from dream_if.render import Cell, Table, mark, number, p_value
from dream_if.tables.ablation import BASE, REWARD_NOISE, ROWS, Ablation, stands_apart
from dream_if.tables.document import Document
from dream_if.tables.paper import TABLE_4, TABLE_4_NOTE
from dream_if.tables.plots import seeds_plot
from dream_if.tables.runs import Run
from dream_if.tables.settings import on_scenes, parameters, settings_notes

__all__ = ["table4"]


def table4(ablation: Ablation) -> Document:
    """The ablation as a document: for each test set the rows' scores, and the rows against the base."""
    sets = ", ".join(dict.fromkeys(name.split("+")[0] for name in ablation.sets))
    where = "generated scenes, not photographs" if on_scenes(_first(ablation)) else sets
    sizes = {row: parameters(ablation.runs[row, ablation.seeds[0]]) for row in ROWS}
    title = f"Table 4, ablation on {where}, with networks of up to {_millions(max(sizes.values()))} M parameters"
    beside = _set_beside_the_paper(ablation)
    tables = []
    for name in ablation.sets:
        tables += [_scores(ablation, name, sizes, paper=name == beside), _effects(ablation, name, paper=name == beside)]
    return Document(
        name="table4",
        title=title,
        tables=tables,
        notes=_notes(ablation),
        csv=_csv(ablation),
        plots={"": seeds_plot(ablation, title)},
        plot_says="For each test set and metric, the seeds of each row, their mean and deviation",
    )


def _first(ablation: Ablation) -> Run:
    return ablation.runs[BASE, ablation.seeds[0]]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f}"


def _set_beside_the_paper(ablation: Ablation) -> str:
    """The set whose rows the paper's stand beside: LLVIP as it is, else another as it is, else the first."""
    clean = [name for name in ablation.sets if "+" not in name]
    llvip = [name for name in clean if "llvip" in name.lower()]
    return [*llvip, *clean, *ablation.sets][0]


def _scores(ablation: Ablation, name: str, sizes: Mapping[str, int], *, paper: bool) -> Table:
    header = ["row"]
    columns = []
    for metric in ablation.metrics:
        direction = None if stands_apart(name, metric) else higher_is_better(metric)
        header.append(f"{metric} {'' if direction is None else '↑' if direction else '↓'}".rstrip())
        results = [ablation.results[name, row, metric] for row in ROWS]
        means = [number(result.mean) for result in results]
        spreads = [f" ± {number(result.std)}" if len(ablation.seeds) > 1 else "" for result in results]
        columns.append([Cell(*parts) for parts in zip(means, mark(means, direction), spreads, strict=True)])
    for metric in _in_both(ablation) if paper else ():
        header.append(f"paper {metric}")
        printed = [number(TABLE_4[row][metric]) for row in ROWS]
        columns.append([Cell(*parts) for parts in zip(printed, mark(printed, True), strict=True)])
    header.append("M parameters")
    columns.append([Cell(_millions(sizes[row])) for row in ROWS])
    rows = [[Cell(ROWS[row][0]), *cells] for row, *cells in zip(ROWS, *columns, strict=True)]
    return Table(header, rows, f"{name}, {ablation.sets[name]} image(s)")


def _in_both(ablation: Ablation) -> list[str]:
    """The paper's metrics that were computed here too."""
    return [metric for metric in TABLE_4[BASE] if metric in ablation.metrics]


def _effects(ablation: Ablation, name: str, *, paper: bool) -> Table:
    def cell(row: str, metric: str) -> Cell:
        effect = ablation.results[name, row, metric].effect
        assert effect is not None
        difference = f"{effect.difference:+.3f}" if math.isfinite(effect.difference) else "–"
        ahead = "" if effect.seeds_ahead is None else f", {effect.seeds_ahead}/{len(ablation.seeds)}"
        return Cell(f"{difference}, {p_value(effect.p_holm)}{ahead}")

    theirs = _in_both(ablation) if paper else []
    header = ["difference, p, seeds ahead", *ablation.metrics, *(f"paper {metric}" for metric in theirs)]
    rows = [
        [
            Cell(ROWS[row][0]),
            *(cell(row, metric) for metric in ablation.metrics),
            *(Cell(f"{TABLE_4[row][metric] - TABLE_4[BASE][metric]:+.3f}") for metric in theirs),
        ]
        for row in ROWS
        if row != BASE
    ]
    return Table(header, rows, f"{name}, against base")


def _notes(ablation: Ablation) -> list[str]:
    seeds, tests = ablation.seeds, ablation.tests
    notes = [
        f"{len(ROWS)} rows with {len(seeds)} seed(s) each ({', '.join(map(str, seeds))}), which start the weights and "
        "draw the training data; all other settings are the same. First table: mean over the seeds"
        + (" ± sample standard deviation over the seeds" if len(seeds) > 1 else "")
        + ", of means over images. Best of a column bold, second best underlined.",
        "Against base: the row's mean less that of base; p of the two-sided paired Wilcoxon signed-rank test over "
        f"images, corrected by Holm's method over all {tests} tests of this document; and for how many of the "
        f"{len(seeds)} seed(s) the row's run is ahead of that of base. Images are paired between rows. In the test "
        "each counts once, with its mean over the seeds: the seeds of one image are no independent samples, and taking "
        "them for such would lower p without any further image. So p tells whether further images would show the same "
        "between these very trainings. Whether further trainings would, the deviation and the count of seeds tell.",
    ]
    fewest = fewest_pairs(tests)
    small = [f"{name} ({images})" for name, images in ablation.sets.items() if images < fewest]
    if small:
        notes.append(
            f"With {tests} tests no corrected p falls below {SIGNIFICANT} on fewer than {fewest} images. Too few have: "
            f"{', '.join(small)}."
        )
    left_out: dict[str, list[str]] = {}
    for (name, row, metric), result in ablation.results.items():
        if result.effect is not None and result.effect.left_out:
            left_out.setdefault(f"{metric} on {name}", []).append(f"{ROWS[row][0]} {result.effect.left_out}")
    if left_out:
        told = "; ".join(f"{place} ({', '.join(rows)})" for place, rows in left_out.items())
        notes.append(
            "Some runs have no value for some images. Means are over the others. An image is left out of a row's test "
            f"if a run of the row or of base has no value for it; so many are: {told}."
        )
    noisy = [metric for metric in REWARD_NOISE if metric in ablation.metrics]
    if noisy and any("+" in name for name in ablation.sets):
        notes.append(
            f"A set with + is corrupted before it is fused. There {', '.join(noisy)} stand apart, without marks and "
            "tests: noise that was left in raises them. What counts compares with the clean sources."
        )
    if len(seeds) == 1:
        notes.append("One seed shows no spread between trainings: small differences here may be chance.")
    generated = "Generated scenes show that everything works. They do not stand in for the paper's photographs."
    return [
        *notes,
        TABLE_4_NOTE,
        *([generated] if on_scenes(_first(ablation)) else []),
        *settings_notes(list(ablation.runs.values())),
        *ablation.ignored,
    ]


def _csv(ablation: Ablation) -> str:
    """A line for each set, row and metric, then the paper's; empty where there is no such value."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    by_seed = [f"seed_{seed}" for seed in ablation.seeds]
    writer.writerow(
        ["set", "row", "metric", "mean", "std", "difference", "p", "p_holm", "seeds_ahead", "images", *by_seed]
    )
    for (name, row, metric), result in ablation.results.items():
        effect = result.effect
        against = (
            [""] * 5
            if effect is None
            else [effect.difference, effect.p, effect.p_holm, effect.seeds_ahead, effect.images]
        )
        writer.writerow([name, row, metric, result.mean, result.std, *against, *result.by_seed])
    for row, numbers in TABLE_4.items():
        for metric, value in numbers.items():
            difference = "" if row == BASE else round(value - TABLE_4[BASE][metric], 3)
            writer.writerow(["LLVIP (paper)", row, metric, value, "", difference, *[""] * (4 + len(by_seed))])
    return text.getvalue()
