"""What a check of pairs found, and how it is reported."""

import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from dream_if.data.shift_estimate import Offset
from dream_if.data.splits import Place

__all__ = ["CheckReport", "Finding", "Kind", "SplitSummary", "format_report"]

Kind: TypeAlias = Literal[
    "layout",
    "missing_partner",
    "ambiguous",
    "unreadable",
    "unequal_size",
    "duplicate",
    "misalignment",
    "channels",
    "range",
]


_ERRORS: frozenset[Kind] = frozenset({"layout", "missing_partner", "ambiguous", "unreadable", "unequal_size"})


class Finding(NamedTuple):
    """One thing that is wrong: where it is (split and name, or a folder), what kind it is, and a sentence."""

    kind: Kind
    where: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether it stops a training or a test; the rest is a warning."""
        return self.kind in _ERRORS


@dataclass(frozen=True)
class SplitSummary:
    """What the readable files of one split are.

    Attributes:
        pairs: Number of pairs, readable or not.
        sizes: (width, height) in pixels -> number of pairs of equal size.
        visible: Such as ``"8 bit, RGB"`` -> number of files.
        infrared: Such as ``"8 bit, 1 channel"`` -> number of files.
        estimated: Number of pairs whose alignment was looked at.
        shifts: The confident estimates among them.
        folders: Of the visible and the infrared images; None without pairs.
    """

    pairs: int
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    visible: Counter[str] = field(default_factory=Counter)
    infrared: Counter[str] = field(default_factory=Counter)
    estimated: int = 0
    shifts: tuple[Offset, ...] = ()
    folders: tuple[Path, Path] | None = None

    @property
    def median_shift(self) -> tuple[float, float] | None:
        """Median (right, down) over the confident estimates in pixels; None where there is none."""
        if not self.shifts:
            return None
        right, down = np.median([(shift.right, shift.down) for shift in self.shifts], axis=0)
        return float(right), float(down)


@dataclass(frozen=True)
class CheckReport:
    """Everything :func:`check_pairs` found."""

    root: Path
    layout: str
    guessed: bool
    splits: dict[Place, SplitSummary]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """What stops a training or a test."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def warnings(self) -> list[Finding]:
        """What is worth a look."""
        return [finding for finding in self.findings if not finding.is_error]

    @property
    def problems(self) -> bool:
        """Whether there is any error: the command then exits with status 1."""
        return bool(self.errors)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in counter.most_common()) or "none readable"


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    if not sizes:
        return "none readable"
    (width, height), count = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"all {width}x{height}"
    widths, heights = zip(*sizes, strict=True)
    return (
        f"{len(sizes)} different, width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)}, most "
        f"often {width}x{height} ({count})"
    )


def _remedies(report: CheckReport) -> list[str]:
    """Commands for the splits with pairs that are not registered."""
    affected = {
        finding.where.split("/")[0] for finding in report.findings if finding.kind in ("misalignment", "unequal_size")
    }
    lines = []
    for split, summary in report.splits.items():
        if summary.folders and split in affected:
            folders = " ".join(shlex.quote(str(folder)) for folder in summary.folders)
            lines += [
                f"to register {split}, where one pair of cameras took it all (then --data.rig, or --rig of fuse):",
                f"  dream-if align {folders} --calibrate -o rig.yaml",
                "  or each pair separately:",
                f"  dream-if align {folders} -o aligned",
            ]
    return lines


def format_report(report: CheckReport) -> str:
    """The report as text for a terminal.

    Args:
        report: What :func:`check_pairs` returned.

    Returns:
        Several lines without a final line break: the splits, then errors, then warnings, then the count of both.
    """
    lines = [f"{report.root}: layout '{report.layout}'{' (guessed)' if report.guessed else ''}"]
    for split, summary in report.splits.items():
        median = summary.median_shift
        alignment = f"estimated for {summary.estimated} pair(s), confident for {len(summary.shifts)}"
        if median is not None:
            alignment += f"; median shift of the infrared image: {Offset(*median, gain=0.0)}"
        lines += [
            f"{split}: {summary.pairs} pair(s)",
            f"  sizes      {_sizes(summary.sizes)}",
            f"  visible    {_counted(summary.visible)}",
            f"  infrared   {_counted(summary.infrared)}",
            f"  alignment  {alignment}",
        ]
    for title, findings in (("errors", report.errors), ("warnings", report.warnings)):
        if findings:
            lines.append(f"{title}:")
            lines += [f"  {finding.where}: {finding.message}" for finding in findings]
    lines += _remedies(report)
    lines.append(f"{len(report.errors)} error(s), {len(report.warnings)} warning(s)")
    return "\n".join(lines)
