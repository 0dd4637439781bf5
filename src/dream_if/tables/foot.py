"""What a reader of a comparison must know, in sentences for its foot."""

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version

import torch

from dream_if.evaluation.statistics import SIGNIFICANT, fewest_pairs
from dream_if.tables.ablation import REWARD_NOISE
from dream_if.tables.comparison import Comparison
from dream_if.tables.grids import Tests
from dream_if.tables.plan import LPIPS_SELF

__all__ = ["apart_note", "footnotes", "on_scenes_alone", "where"]

EDGES = ("AG", "SF", "EI")
"""Of the metrics that look at the fused image alone, those of edges; the first two take differences of neighbours."""


def apart_note(comparison: Comparison) -> list[str]:
    """Why some metrics stand apart, and what counts, as a list of one note; an empty one where none stands apart."""
    apart = [metric for metric in comparison.metrics if metric in REWARD_NOISE]
    kinds = {condition.kind for condition in comparison.plan.conditions} - {None}
    if not apart or not kinds:
        return []
    if kinds == {"shift"}:
        edges = " and ".join(metric for metric in apart if metric in EDGES)
        why = f", and the double edges of a shifted pair raise {edges}" if edges else ""
    else:
        most = " and ".join(metric for metric in apart if metric in EDGES[:2])
        why = ", and noise that was left in raises such values" + (f", {most} three- to fivefold" if most else "")
    return [
        f"Apart, without marks and tests, stand {', '.join(apart)}: they look at the fused image alone{why}. What "
        "counts is Qabf, SSIM, VIFF and LPIPS, and whatever else compares with the clean sources."
    ]


def where(comparison: Comparison) -> str:
    """The sets, for a title."""
    if on_scenes_alone(comparison):
        return "generated scenes, not photographs"
    return ", ".join(comparison.plan.images)


def on_scenes_alone(comparison: Comparison) -> bool:
    """Whether no set is of photographs."""
    return all(images.settings.root is None for images in comparison.plan.images.values())


def footnotes(comparison: Comparison, tests: Tests, *, ranked: bool) -> list[str]:
    """How to read the tables, what was compared, and with what.

    Args:
        comparison: the scores.
        tests: of our row against the others.
        ranked: whether the tables have a column of ranks.
    """
    plan = comparison.plan
    made = sum(test.p == test.p for test in tests.values())
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
        "The rows of the sources alone show them as the methods get them. No metric can be read by itself: averaging "
        "has the best SSIM by construction, and a source of much detail a high Qabf without any fusion.",
    ]
    fewest = fewest_pairs(made)
    small = [f"{name} ({len(images.names)})" for name, images in plan.images.items() if len(images.names) < fewest]
    if made and small:
        notes.append(
            f"With {made} tests no corrected p falls below {SIGNIFICANT} on fewer than {fewest} images. Too few have: "
            f"{', '.join(small)}."
        )
    if LPIPS_SELF in comparison.metrics:
        notes.append(
            "LPIPS: against the clean sources, the mean of both. LPIPS_self: against what the same row makes of the "
            "clean pair. The latter asks for steadiness alone, and a method that ignores its inputs has 0."
        )
    notes += [f"{name}: {_pairs(comparison, name)}" for name in plan.images]
    suffered = [condition for condition in plan.conditions if condition.kind is not None]
    if suffered:
        notes.append(f"Conditions: {_listed(f'{c.name}: {c.words}' for c in suffered)}.")
    notes.append(f"Methods: {_listed(f'{row.name}: {row.method.says}' for row in plan.rows if row.restorer is None)}.")
    restorers = {row.restorer.key: row.restorer.name for row in plan.rows if row.restorer is not None}
    if restorers:
        notes.append(
            f"Restored first, blindly and at one strength, and rounded to 8 bit: {', '.join(restorers.values())}. "
            f"{plan.ours} gets the corrupted pair itself."
        )
    notes += [f"Not here: {sentence}." for sentence in plan.missing]
    notes += comparison.left_out
    if on_scenes_alone(comparison):
        notes.append("Generated scenes show that everything works. They do not stand in for the paper's photographs.")
    date = max(scores.date for scores in comparison.scores.values())
    notes.append(
        f"dream-if {version('dream-if')}, torch {torch.__version__}, Python {platform.python_version()}; last score "
        f"computed {date or 'earlier'}."
    )
    return notes


def _pairs(comparison: Comparison, name: str) -> str:
    images = comparison.plan.images[name]
    settings = images.settings
    source = "generated scenes" if settings.root is None else f"layout {settings.layout}, split {settings.split}"
    digest = hashlib.sha256("\n".join(images.names).encode()).hexdigest()[:12]
    return f"{len(images.names)} pair(s), {source}; SHA-256 of the list of names {digest}."


def _listed(things: Iterable[str]) -> str:
    return "; ".join(things)
