"""Notes below a comparison that its reader must know."""

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version

import pandas as pd
import torch

from dream_if.reports.score_tables import NOISE_RAISES
from dream_if.scoring.engine import LPIPS_SELF
from dream_if.scoring.plan import TablePlan
from dream_if.scoring.scored_plan import ScoredPlan
from dream_if.scoring.statistics import SIGNIFICANT, fewest_pairs

__all__ = ["apart_note", "footnotes", "where"]

EDGES = ("AG", "SF", "EI")
"""Of the metrics that look at the fused image alone, those of edges; the first two take differences of neighbours."""


def apart_note(scored: ScoredPlan) -> list[str]:
    """Why some metrics stand apart, and what counts, as a list of one note; an empty one where none stands apart."""
    apart = [metric for metric in scored.metrics if metric in NOISE_RAISES]
    kinds = {condition.kind for condition in scored.plan.conditions} - {None}
    if not apart or not kinds:
        return []
    if kinds == {"shift"}:
        edges = " and ".join(metric for metric in apart if metric in EDGES)
        why = f", and the double edges of a shifted pair raise {edges}" if edges else ""
    else:
        most = " and ".join(metric for metric in apart if metric in EDGES[:2])
        why = ", and remaining noise raises them" + (f", {most} three- to fivefold" if most else "")
    return [
        f"Apart, without marks and tests: {', '.join(apart)}. They look at the fused image alone{why}. Trust Qabf, "
        "SSIM, VIFF and LPIPS, and the other metrics that compare with the clean sources."
    ]


def where(plan: TablePlan, sets: Iterable[str] | None = None) -> str:
    """The sets, for a title: all of a plan, or those that were used."""
    return "generated scenes, not photographs" if plan.on_scenes_alone else ", ".join(sets or plan.images)


def footnotes(scored: ScoredPlan, tests: pd.DataFrame, *, ranked: bool) -> list[str]:
    """How to read the tables, what was compared, and with what.

    Args:
        scored: the scores.
        tests: of our row against the others, as `compare` returns them.
        ranked: whether the tables have a column of ranks.
    """
    plan = scored.plan
    made = int(tests["p"].notna().sum())
    notes = [
        "Means over images, scored on 8-bit luminance against the clean sources, as dream-if test does. Best of a "
        "column bold, second best underlined."
        + (
            " Rank: mean over the columns of the mean rank over images, 1 the best, equal scores sharing theirs."
            if ranked
            else ""
        ),
        f"{plan.ours} against each other row: difference of the means; p of the two-sided paired Wilcoxon signed-rank "
        f"test over images, corrected by Holm's method over all {made} tests of this document; + where {plan.ours} is "
        "better, - where it is worse.",
        "The rows of the sources alone show them as the methods get them. Read no metric alone: averaging has the best "
        "SSIM by construction, and a detailed source has a high Qabf without any fusion.",
    ]
    fewest = fewest_pairs(made)
    small = [f"{name} ({len(images.names)})" for name, images in plan.images.items() if len(images.names) < fewest]
    if made and small:
        notes.append(
            f"With {made} tests no corrected p falls below {SIGNIFICANT} on fewer than {fewest} images. These have too "
            f"few: {', '.join(small)}."
        )
    if LPIPS_SELF in scored.metrics:
        notes.append(
            "LPIPS: against the clean sources, the mean of both. LPIPS_self: against what the same row makes of the "
            "clean pair. LPIPS_self rewards only steadiness: a method that ignores its inputs has 0."
        )
    notes += [f"{name}: {_pairs(plan, name)}" for name in plan.images]
    corrupting = [condition for condition in plan.conditions if condition.kind is not None]
    if corrupting:
        told = "; ".join(f"{condition.name}: {condition.words}" for condition in corrupting)
        notes.append(f"Conditions: {told}.")
    told = "; ".join(f"{row.name}: {row.method.says}" for row in plan.rows if row.restorer is None)
    notes.append(f"Methods: {told}.")
    restorers = {row.restorer.key: row.restorer.name for row in plan.rows if row.restorer is not None}
    if restorers:
        notes.append(
            f"Restored first, blindly and at one strength, and rounded to 8 bit: {', '.join(restorers.values())}. "
            f"{plan.ours} gets the corrupted pair itself."
        )
    notes += [f"Not here: {sentence}." for sentence in plan.missing]
    notes += scored.left_out
    if plan.on_scenes_alone:
        notes.append("Generated scenes show that everything works. They are no substitute for the paper's photographs.")
    date = scored.scores["date"].max()
    notes.append(
        f"dream-if {version('dream-if')}, torch {torch.__version__}, Python {platform.python_version()}; last score "
        f"computed {date or 'earlier'}."
    )
    return notes


def _pairs(plan: TablePlan, name: str) -> str:
    images = plan.images[name]
    settings = images.settings
    source = "generated scenes" if images.generated else f"layout {settings.layout}, split {settings.split}"
    digest = hashlib.sha256("\n".join(images.names).encode()).hexdigest()[:12]
    return f"{len(images.names)} pair(s), {source}; SHA-256 of the list of names {digest}."
