"""Layouts of the user: a function that lists the pairs of a set, given directly or by its path, ``mine.layout``."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dream_if.data.layouts import find_pairs
from dream_if.data.splits import SPLITS, Split
from dream_if.errors import InputError
from dream_if.storage import Pair
from dream_if.user_code import imported

__all__ = ["OwnLayout", "is_own", "own_splits", "pairs_of"]

OwnLayout: TypeAlias = Callable[[Path, str], Any]
"""Of a set's folder and a split (train, val or test): lists its pairs, each (visible file, infrared file)."""


def is_own(layout: str | OwnLayout) -> bool:
    """Whether a layout is the user's: a function, or ``package.module.function``."""
    return not isinstance(layout, str) or "." in layout


def pairs_of(layout: str | OwnLayout, root: Path, split: Split) -> list[Pair]:
    """The pairs of one split, in a layout of ours or of the user's; the latter are named by their visible files.

    Raises:
        InputError: See `own_splits` or `find_pairs`; or a layout of the user's lists no pair of this split.
    """
    if isinstance(layout, str) and not is_own(layout):
        return find_pairs(layout, root, split)
    return own_splits(layout, root, [split])[split]


def own_splits(layout: str | OwnLayout, root: Path, asked: Sequence[Split] | None = None) -> dict[Split, list[Pair]]:
    """The pairs of several splits in a layout of the user's; of all that it lists any pair for if None are named.

    Raises:
        InputError: The layout cannot be imported, fails or lists something else, a name twice or no pair of a split
            that was asked for.
    """
    function = imported(layout) if isinstance(layout, str) else layout
    found = {split: _listed(function, root, split) for split in asked or SPLITS}
    lacking = [split for split, pairs in found.items() if not pairs]
    if lacking and (asked or len(lacking) == len(found)):
        raise InputError(f"data.layout: no pair was listed for the split {' or '.join(lacking)} of {root}.")
    return {split: pairs for split, pairs in found.items() if pairs}


def _listed(layout: OwnLayout, root: Path, split: Split) -> list[Pair]:
    try:
        pairs = [Pair(Path(visible).stem, Path(visible), Path(infrared)) for visible, infrared in layout(root, split)]
    except Exception as error:  # what foreign code raises is not to be foreseen
        raise InputError(
            f"data.layout: failed for the split {split} of {root} ({type(error).__name__}: {error}); expected a list "
            "of (visible file, infrared file), empty for a split that is not there."
        ) from error
    twice = [name for name, count in Counter(pair.name for pair in pairs).items() if count > 1]
    if twice:
        raise InputError(
            f"data.layout: more than one visible file is called {', '.join(twice[:3])} for the split {split} of {root}."
        )
    return pairs
