"""Everything that is wrong with a set of pairs, at once: the ``dream-if check`` command.

Everything else in the package stops at the first bad file. This module goes on, and also looks for what would spoil a
training without stopping it: unaligned pairs, the same picture in two splits, infrared files in false colours.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from dream_if.data.check_report import CheckReport, Finding, SplitSummary
from dream_if.data.layouts import detect_layout, locate
from dream_if.data.own_layout import is_own, own_splits
from dream_if.data.pairs import Image, decode_image
from dream_if.data.shift_estimate import Offset, estimate_shift
from dream_if.data.splits import SPLITS, Place, assign_splits
from dream_if.decoding import alone_if_large
from dream_if.errors import InputError
from dream_if.registration.rig import Rig
from dream_if.storage import Pair, match

__all__ = ["all_pairs", "check_pairs"]

_MIN_GAIN = 2.0  # by which it must exceed no shift at all before it is reported
_PAIR_SHIFT = 4.0  # pixels; smaller shifts of one pair are within what parallax and blur do

_SPLIT_SHIFT = 2.0  # pixels; many pairs agreeing make a smaller one believable
_SPLIT_PAIRS = 5

_SPLIT_SHARE = 0.6
_SPLIT_AGREEMENT = 1.5  # pixels


class _Facts(NamedTuple):
    """What one pair of files is, and what is wrong with it."""

    findings: list[Finding]
    size: tuple[int, int] | None = None
    visible: str | None = None
    infrared: str | None = None
    digests: tuple[str, ...] = ()
    shift: Offset | None = None


def _channels(image: Image) -> str:
    if image.shape[2] == 1:
        return "1 channel"
    values = image.astype(np.int32)
    # JPEG chroma rounds: up to 1.5 % of the range still counts as grey.
    spread = (values.max(axis=2) - values.min(axis=2)).max() / np.iinfo(image.dtype).max
    return "3 equal channels" if spread <= 0.015 else "3 unequal channels"


def _value_findings(image: Image, where: str) -> list[Finding]:
    low, high, full = int(image.min()), int(image.max()), int(np.iinfo(image.dtype).max)
    if low == high:
        return [Finding("range", where, f"every pixel has the value {low}")]
    if full == 65535 and high - low < full // 16:
        message = f"16 bit, but the values span only {low} to {high} of {full}: it will look flat; rescale it first"
        return [Finding("range", where, message)]
    return []


def _inspect(pair: Pair, split: str, align: bool, rig: Rig | None) -> _Facts:
    findings: list[Finding] = []
    where = f"{split}/{pair.name}"
    images: dict[str, Image] = {}
    described: dict[str, str] = {}
    for source, path in (("visible", pair.visible), ("infrared", pair.infrared)):
        try:
            image = decode_image(path)
        except InputError as error:
            findings.append(Finding("unreadable", where, str(error)))
            continue
        images[source] = image
        channels = _channels(image)
        findings += _value_findings(image, f"{where} ({source})")
        if source == "visible":
            channels = {"3 unequal channels": "RGB"}.get(channels, f"grey ({channels})")
        elif channels == "3 unequal channels":
            findings.append(
                Finding("channels", where, "infrared in colour; its luminance is used, which false colours garble")
            )
        described[source] = f"{image.dtype.itemsize * 8} bit, {channels}"
    digests = tuple(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for source, path in (("visible", pair.visible), ("infrared", pair.infrared))
        if source in images
    )
    size, shift = None, None
    if len(images) == 2:
        visible, infrared = images["visible"], images["infrared"]
        if rig is not None:
            try:
                visible, infrared = rig.cut_to_common(visible, infrared)
            except InputError as error:
                return _Facts([*findings, Finding("unequal_size", where, str(error))], digests=digests)
        if visible.shape[:2] == infrared.shape[:2]:
            size = (visible.shape[1], visible.shape[0])
            shift = estimate_shift(visible, infrared) if align else None
        else:
            message = (
                f"visible is {visible.shape[1]}x{visible.shape[0]} but infrared {infrared.shape[1]}x{infrared.shape[0]}"
            )
            findings.append(Finding("unequal_size", where, message))
        if digests[0] == digests[1]:
            findings.append(Finding("duplicate", where, "visible and infrared are the same file"))
    if shift and np.hypot(shift.right, shift.down) >= _PAIR_SHIFT and shift.gain >= _MIN_GAIN:
        findings.append(Finding("misalignment", where, f"infrared is shifted by about {shift} (an estimate)"))
    return _Facts(findings, size, described.get("visible"), described.get("infrared"), digests, shift)


def _joined(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def _pairs_by_split(layout: str, root: Path) -> tuple[dict[Place, list[Pair]], list[Finding]]:
    """The pairs by split, and what keeps other files from being pairs."""
    if is_own(layout):
        return cast(dict[Place, list[Pair]], own_splits(layout, root)), []
    findings: list[Finding] = []
    found: dict[Place, list[Pair]] = {}
    failures: list[InputError] = []
    for split in SPLITS:
        try:
            places = locate(layout, root, (split,))
        except InputError as error:
            failures.append(error)
            continue
        for key, (visible, infrared) in places.items():
            if key in found:
                continue
            matches = match(visible, infrared)
            found[key] = matches.pairs
            prefix = "" if key == "all" else f"{key}/"
            for lone, partner in ((matches.without_infrared, "infrared"), (matches.without_visible, "visible")):
                findings += [
                    Finding("missing_partner", f"{prefix}{path.stem}", f"no {partner} image for {path}")
                    for path in lone
                ]
            findings += [
                Finding("ambiguous", f"{prefix}{files[0].stem}", f"one stem, several files: {_joined(files)}")
                for files in matches.ambiguous
            ]
            if not any(matches):
                findings.append(Finding("layout", str(visible.parent), f"no images in {visible} and {infrared}"))
    if failures and not found:
        raise failures[0]
    findings += [Finding("layout", str(root), message) for message in dict.fromkeys(map(str, failures))]
    try:
        return cast(dict[Place, list[Pair]], assign_splits(layout, root, found)), findings
    except InputError as error:
        return found, [*findings, Finding("layout", str(root), str(error))]


def all_pairs(layout: str | None, root: Path) -> list[Pair]:
    """The pairs of all splits of a set.

    Raises:
        InputError: As `check_pairs`.
    """
    splits, _ = _pairs_by_split(detect_layout(root) if layout is None else layout, root)
    return [pair for pairs in splits.values() for pair in pairs]


def _sampled(count: int, at_most: int) -> set[int]:
    """Evenly spaced positions out of ``count``."""
    return {int(position) for position in np.linspace(0, count - 1, min(count, at_most))}


def _split_shift(split: Place, summary: SplitSummary) -> list[Finding]:
    """A shift that most pairs of a split share: the cameras, not the scene."""
    median = summary.median_shift
    if median is None or len(summary.shifts) < _SPLIT_PAIRS or np.hypot(*median) < _SPLIT_SHIFT:
        return []
    near = sum(
        np.hypot(shift.right - median[0], shift.down - median[1]) <= _SPLIT_AGREEMENT for shift in summary.shifts
    )
    if near < _SPLIT_SHARE * len(summary.shifts):
        return []
    message = (
        f"{near} of {len(summary.shifts)} confident estimates agree: infrared is shifted by about "
        f"{Offset(*median, gain=0.0)} throughout (an estimate)"
    )
    return [Finding("misalignment", split, message)]


def _across_splits(facts: Iterable[tuple[Place, Pair, _Facts]]) -> list[Finding]:
    """Files that occur in more than one split."""
    first: dict[str, tuple[Place, Path]] = {}
    findings = []
    for split, pair, fact in facts:
        if len(fact.digests) < 2:
            continue
        for path, digest in zip((pair.visible, pair.infrared), fact.digests, strict=True):
            other_split, other = first.setdefault(digest, (split, path))
            if other_split != split:
                findings.append(Finding("duplicate", f"{split}/{pair.name}", f"{path} is the same file as {other}"))
    return findings


def check_pairs(
    layout: str | None,
    root: Path,
    *,
    align_at_most: int = 200,
    rig: Rig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Look at every pair of a set and list all that is wrong.

    Args:
        layout: One of :data:`dream_if.data.layouts.LAYOUTS`, or the path of a function; None to guess it.
        root: Folder of the set.
        align_at_most: Number of pairs per split, evenly spaced by name, whose alignment is estimated; 0 for none.
        rig: Lays the infrared images on the visible ones before; None where they are registered.
        progress: Called with (pairs done, pairs in all) as they are done.

    Returns:
        The report; files that cannot be used are in it.

    Raises:
        InputError: There is nothing to look at: the root or the folders in it are missing, or the layout is unknown.
    """
    guessed = layout is None
    known = detect_layout(root) if layout is None else layout
    splits, findings = _pairs_by_split(known, root)
    jobs: list[tuple[Pair, Place, bool]] = []
    for split, pairs in splits.items():
        looked_at = _sampled(len(pairs), align_at_most)
        jobs += [(pair, split, position in looked_at) for position, pair in enumerate(pairs)]
    facts: list[tuple[Place, Pair, _Facts]] = []

    def look(job: tuple[Pair, Place, bool]) -> _Facts:
        with alone_if_large(job[0].visible, job[0].infrared):
            return _inspect(*job, rig)

    # Threads are enough: decoding and the Fourier transforms release the interpreter.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for (pair, split, _), fact in zip(jobs, pool.map(look, jobs), strict=True):
            facts.append((split, pair, fact))
            findings += fact.findings
            if progress is not None:
                progress(len(facts), len(jobs))
    summaries: dict[Place, SplitSummary] = {}
    for split, pairs in splits.items():
        own = [fact for other, _, fact in facts if other == split]
        summaries[split] = SplitSummary(
            pairs=len(pairs),
            sizes=Counter(fact.size for fact in own if fact.size),
            visible=Counter(fact.visible for fact in own if fact.visible),
            infrared=Counter(fact.infrared for fact in own if fact.infrared),
            estimated=min(len(pairs), align_at_most),
            shifts=tuple(fact.shift for fact in own if fact.shift),
            folders=(pairs[0].visible.parent, pairs[0].infrared.parent) if pairs else None,
        )
        findings += _split_shift(split, summaries[split])
    findings += _across_splits(facts)
    return CheckReport(root, known, guessed, summaries, tuple(findings))
