"""Table 4, the ablation, or the table of a sweep as a document."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dream_if.data.conditions import CLEAN
from dream_if.reports.ablation import AGAINST, RESULT, Ablation
from dream_if.reports.ablation_runs import PLAIN
from dream_if.reports.ablation_summary import AHEAD_P, dominance, orders, summary_notes, verdicts
from dream_if.reports.document import Document
from dream_if.reports.plots import seeds_plot
from dream_if.reports.published_numbers import TABLE_4_NOTE
from dream_if.reports.rows_of_runs import Lineup
from dream_if.reports.run_notes import network_size, on_scenes, parameters, settings_notes
from dream_if.reports.score_tables import NOISE_RAISES
from dream_if.reports.table import Cell, Table, column, number, p_value
from dream_if.runs.finished import Run
from dream_if.scoring.statistics import fewest_pairs

__all__ = ["ablation_document"]


def ablation_document(ablation: Ablation) -> Document:
    """The ablation as a document: what it says as a whole, then each test set in a section of its own.

    Raises:
        InputError: This version has no network with the settings of a run.
    """
    where = ", ".join(dict.fromkeys(ablation.places[name][0] for name in ablation.sets))
    if on_scenes(_first(ablation)):
        where = "generated scenes, not photographs"
    sizes = {row: parameters(ablation.runs[row, ablation.seeds[0]]) for row in ablation.rows}
    lineup = ablation.lineup
    title = f"{lineup.table[:1].upper()}{lineup.table[1:]}{', ablation' if lineup.paper else ''} on {where}"
    known = [size for size in sizes.values() if size is not None]
    if known:
        title += f", with networks of up to {_millions(max(known))} M parameters"
    beside = _set_beside_the_paper(ablation) if lineup.paper else None
    maps = dominance(ablation)
    sections: dict[str, Sequence[Table]] = {"Dominance maps": maps} if maps else {}
    for name in ablation.sets:
        sections[name] = _place(ablation, name, sizes, paper=name == beside)
    conditions = ablation.conditions
    return Document(
        name=lineup.name,
        title=title,
        tables=[orders(ablation), *([verdicts(ablation)] if lineup.others else [])],
        notes=[*summary_notes(ablation, maps), *_notes(ablation)],
        csv=_csv(ablation),
        plots={
            condition if len(conditions) > 1 else "": seeds_plot(ablation, names, f"{title}, {condition}")
            for condition, names in conditions.items()
        },
        plot_says="For each test set and metric, the seeds of each row, their mean and deviation",
        sections=sections,
    )


def _first(ablation: Ablation) -> Run:
    return ablation.runs[ablation.lineup.base, ablation.seeds[0]]


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.{2 if count >= 1e4 else 4}f}"


def _set_beside_the_paper(ablation: Ablation) -> str:
    """The set whose rows the paper's stand beside: LLVIP as it is, else another as it is, else the first."""
    clean = ablation.conditions.get(CLEAN, [])
    llvip = [name for name in clean if "llvip" in name.lower()]
    return [*llvip, *clean, *ablation.sets][0]


def _place(ablation: Ablation, name: str, sizes: Mapping[str, int | None], *, paper: bool) -> list[Table]:
    """The tables of a test set; with the paper's numbers, where they are to stand beside it."""
    base, full, labels = ablation.lineup.base, ablation.lineup.full, ablation.lineup.labels
    theirs = [metric for metric in ablation.lineup.paper[base] if metric in ablation.metrics] if paper else []
    against_base = {labels[row]: (row, base) for row in ablation.lineup.others}
    tables = [_scores(ablation, name, sizes, theirs)]
    if against_base:
        tables.append(_effects(ablation, name, against_base, f"{name}, against {labels[base]}", theirs))
    if full and ablation.controls:
        against_controls = {labels[control]: (full, control) for control in ablation.controls}
        tables.append(_effects(ablation, name, against_controls, f"{name}, {labels[full]} against the controls"))
    return tables


def _scores(ablation: Ablation, name: str, sizes: Mapping[str, int | None], theirs: Sequence[str]) -> Table:
    """The scores of all rows and controls, the paper's in these metrics, and the networks' sizes."""
    header = ["row"]
    columns = []
    for metric in ablation.metrics:
        direction = ablation.direction(name, metric)
        header.append(f"{metric} {'' if direction is None else '↑' if direction else '↓'}".rstrip())
        results = ablation.of_rows(name, ablation.rows, metric)
        spreads = [f" ± {number(std)}" if len(ablation.seeds) > 1 else "" for std in results["std"]]
        columns.append(column(results["mean"].tolist(), direction, spreads))
    for metric in theirs:
        header.append(f"paper {metric}")
        columns.append(
            column([ablation.lineup.paper.get(row, {}).get(metric, math.nan) for row in ablation.rows], True)
        )
    header.append("M parameters")
    columns.append([Cell(_millions(sizes[row])) for row in ablation.rows])
    rows = [[Cell(ablation.lineup.labels[row]), *cells] for row, *cells in zip(ablation.rows, *columns, strict=True)]
    return Table(header, rows, f"{name}, {ablation.sets[name]} image(s)")


def _effects(
    ablation: Ablation, name: str, lines: Mapping[str, tuple[str, str]], title: str, theirs: Sequence[str] = ()
) -> Table:
    """A line for each row against another one, by what it is called, and the paper's differences in these metrics."""
    paper = ablation.lineup.paper

    def cell(row: str, other: str, metric: str) -> Cell:
        effect = ablation.effects.loc[name, row, other, metric]
        difference = f"{effect.difference:+.3f}" if math.isfinite(effect.difference) else "–"
        ahead = "" if effect.seeds_ahead is None else f", {effect.seeds_ahead}/{len(ablation.seeds)}"
        return Cell(f"{difference}, {p_value(effect.p_holm)}{ahead}")

    header = ["difference, p, seeds ahead", *ablation.metrics, *(f"paper {metric}" for metric in theirs)]
    rows = [
        [
            Cell(label),
            *(cell(row, other, metric) for metric in ablation.metrics),
            *(Cell(f"{paper[row][metric] - paper[other][metric]:+.3f}") for metric in theirs),
        ]
        for label, (row, other) in lines.items()
    ]
    return Table(header, rows, title)


def _notes(ablation: Ablation) -> list[str]:
    seeds, tests, lineup = ablation.seeds, ablation.tests, ablation.lineup
    base = lineup.labels[lineup.base]
    notes = [
        f"{len(lineup.rows)} rows with {len(seeds)} seed(s) each ({', '.join(map(str, seeds))}), which start the "
        f"weights and draw the training data; all other settings are the same{_but_for(lineup)}. First table of a set: "
        "mean over the seeds"
        + (" ± sample standard deviation over the seeds" if len(seeds) > 1 else "")
        + ", of means over images. Best of a column bold, second best underlined.",
        f"Against {base}: the row's mean less that of {base}; p of the two-sided paired Wilcoxon signed-rank test over "
        f"images, corrected by Holm's method over all {tests} tests of this document; and for how many of the "
        f"{len(seeds)} seed(s) the row's run is ahead of that of {base}. Images are paired between rows. In the test "
        "each counts once, with its mean over the seeds, since the seeds of one image are not independent samples. So "
        "p says whether further images would show the same difference between these trainings. The deviation and the "
        "count of seeds say whether further trainings would.",
        *_controls_notes(ablation),
    ]
    fewest = fewest_pairs(tests, AHEAD_P)
    small = [f"{name} ({images})" for name, images in ablation.sets.items() if images < fewest]
    if small:
        notes.append(
            f"With {tests} tests no corrected p falls below {AHEAD_P} on fewer than {fewest} images. These have too "
            f"few: {', '.join(small)}."
        )
    left_out: dict[str, list[str]] = {}
    for (name, row, other, metric), count in ablation.effects["left_out"].items():
        if count:
            label = lineup.labels[row if other == lineup.base else other]
            left_out.setdefault(f"{metric} on {name}", []).append(f"{label} {count}")
    if left_out:
        controls = f", of a control or of {lineup.labels[lineup.full]}," if lineup.full else ""
        told = "; ".join(f"{place} ({', '.join(rows)})" for place, rows in left_out.items())
        notes.append(
            "Some runs have no value for some images. Means are over the others. An image is left out of a row's test "
            f"if a run of the row or of {base}{controls} has no value for it. Left out: {told}."
        )
    noisy = [metric for metric in NOISE_RAISES if metric in ablation.metrics]
    if noisy and ablation.conditions.keys() - {CLEAN}:
        notes.append(
            f"A set with + is corrupted before it is fused. There {', '.join(noisy)} stand apart, without marks and "
            "tests, since remaining noise raises them. Trust the metrics that compare with the clean sources."
        )
    if len(seeds) == 1:
        notes.append("One seed shows no spread between trainings: small differences here may be chance.")
    generated = "Generated scenes show that everything works. They are no substitute for the paper's photographs."
    return [
        *notes,
        *([TABLE_4_NOTE] if lineup.paper else []),
        *([generated] if on_scenes(_first(ablation)) else []),
        *settings_notes(list(ablation.runs.values())),
        *ablation.ignored,
    ]


def _but_for(lineup: Lineup) -> str:
    """What a sweep varies, unless the rows of the paper tell it."""
    varied = [] if lineup.paper else [key for key in lineup.free if key not in ("group", "model.compare")]
    return f" but for {', '.join(varied)}, of which the values below are those of the first row" if varied else ""


def _controls_notes(ablation: Ablation) -> list[str]:
    """What the controls are, those that are there."""
    full = ablation.lineup.full
    if not full or not ablation.controls:
        return []
    says = {
        "frozen": "RD + CE + SE trained and tested with every dominance map fixed at one half",
        "plain": "base, made larger",
        "shuffled": "the networks of RD + CE + SE, tested with the dominance maps of another image",
    }
    told = [f"{control}: {says[control]}" for control in ablation.controls]
    if PLAIN in ablation.controls:
        told[ablation.controls.index(PLAIN)] += f" ({network_size(ablation.runs[PLAIN, ablation.seeds[0]])})"
    return [
        f"Controls are no rows of the paper. {'; '.join(told)}. Against them stands "
        f"{ablation.lineup.labels[full]}: its mean less that of the control, p, and for how many seeds it is ahead, as "
        f"against {ablation.lineup.labels[ablation.lineup.base]}."
    ]


def _csv(ablation: Ablation) -> str:
    """A line for each set, row and metric, with the row against another where it stands against one.

    Of the full network that is a line for base and one for each control. The statistics of dominance maps and the
    paper's rows follow. What has no such value is empty.
    """
    against = ["against", "difference", "p", "p_holm", "seeds_ahead", "images"]
    results = ablation.results.reset_index().astype(object)
    of_maps = results["metric"].isin(ablation.statistics)
    results = results[~of_maps | np.isfinite(results["mean"].astype(float))]
    effects = ablation.effects.reset_index()[[*AGAINST, *against[1:]]].astype(object)
    effects["seeds_ahead"] = effects["seeds_ahead"].where(effects["seeds_ahead"].notna(), "")
    lines = results.merge(effects, how="left", on=RESULT, indicator="tested")
    lines.loc[lines["tested"] == "left_only", against] = ""
    columns = [*RESULT, "mean", "std", *against, *(f"seed_{seed}" for seed in ablation.seeds)]
    base, theirs = ablation.lineup.base, ablation.lineup.paper
    paper = [
        {
            "set": "LLVIP (paper)",
            "row": row,
            "metric": metric,
            "mean": value,
            **({} if row == base else {"against": base, "difference": round(value - theirs[base][metric], 3)}),
        }
        for row, numbers in theirs.items()
        for metric, value in numbers.items()
    ]
    papers = pd.DataFrame(paper, columns=columns, dtype=object)
    papers = papers.where(papers.notna(), "")
    text: str = pd.concat([lines[columns], papers]).to_csv(index=False, lineterminator="\n", na_rep="nan")
    return text
