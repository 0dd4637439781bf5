"""Layouts that a user brings: a function that lists the pairs of a set."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from dream_if.data.layouts import Layout, find_pairs
from dream_if.data.splits import Split
from dream_if.errors import InputError
from dream_if.storage import Pair

__all__ = ["OwnLayout", "pairs_of"]

OwnLayout: TypeAlias = Callable[[Path, str], Any]
"""Of a set's folder and a split (train, val or test): lists its pairs, each (visible file, infrared file)."""


def pairs_of(layout: Layout | OwnLayout, root: Path, split: Split) -> list[Pair]:
    """The pairs of one split, in a layout of ours or of the user's; the latter are named by their visible files.

    Raises:
        InputError: The layout fails or lists no pair, something else, or a name twice; or see `find_pairs`.
    """
    if isinstance(layout, str):
        return find_pairs(layout, root, split)
    try:
        pairs = [Pair(Path(visible).stem, Path(visible), Path(infrared)) for visible, infrared in layout(root, split)]
    except Exception as error:  # what foreign code raises is not to be foreseen
        raise InputError(
            f"data.layout: failed for the split {split} of {root} ({type(error).__name__}: {error}); expected a list "
            "of (visible file, infrared file)."
        ) from error
    twice = [name for name, count in Counter(pair.name for pair in pairs).items() if count > 1]
    if not pairs or twice:
        what = f"more than one visible file is called {', '.join(twice[:3])}" if twice else "no pair was listed"
        raise InputError(f"data.layout: {what} for the split {split} of {root}.")
    return pairs
