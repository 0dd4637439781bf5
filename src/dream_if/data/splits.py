"""Which pairs of a set are for training, validation and test.

* Split folders decide, where there are any.
* Otherwise lists do: ``<root>/train.txt``, ``val.txt``, ``test.txt``, one stem per line (``#`` starts a comment). What
  no list names goes to train, or to test where train has a list.
* Otherwise the name decides (:func:`held_out`): about 10 % for test, then about 10 % of the rest for validation. M3FD
  and RoadScene have no official split, so their whole folders are split like this. A whole TNO folder is all test:
  its 21 to 42 pairs are used as a benchmark, never for training.
* Where there is train but no val, ``<root>/val.txt`` names the validation pairs within train, else the name decides:
  about 10 % of train. They are then no longer in train.

The rule by name knows nothing of scenes: frames of one video may fall on both sides. Write lists to avoid that.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from dream_if.errors import InputError
from dream_if.storage import IMAGE_ENDINGS, Pair

__all__ = ["HELD_OUT_FRACTION", "SPLITS", "Place", "Split", "assign_splits", "first_names", "held_out"]

Split: TypeAlias = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = get_args(Split)

Place: TypeAlias = Literal["train", "val", "test", "all"]
"""A folder of pairs: that of a split, or ``all`` where the set has no split folders."""

HELD_OUT_FRACTION = 0.1
"""Share of the pairs that the rule by name takes for validation, and for test."""

_MOST_NAMED = 20


def first_names(names: Iterable[object]) -> str:
    """The first of these names with commas between them, and how many more there are."""
    listed = [str(name) for name in names]
    rest = len(listed) - _MOST_NAMED
    return ", ".join(listed[:_MOST_NAMED]) + (f", and {rest} more" if rest > 0 else "")


def _position(name: str, salt: str) -> float:
    """A number in [0, 1) that depends on the name alone, spread evenly over names."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{name}".encode(errors="surrogateescape")).digest()[:8], "big") / 2**64


def held_out(
    pairs: Sequence[Pair], fraction: float = HELD_OUT_FRACTION, salt: str = "val"
) -> tuple[list[Pair], list[Pair]]:
    """Set a share of the pairs aside, by name alone.

    A pair is held out when the hash of its name falls below ``fraction``, so that adding or removing other files moves
    no pair from one side to the other. Small sets are the exception: of two or more pairs at least one is held out
    and at least one kept.

    Args:
        pairs: The pairs to divide.
        fraction: Expected share to hold out, between 0 and 1.
        salt: Makes the choice for one purpose independent of the choice for another.

    Returns:
        The pairs kept and the pairs held out, each in the order given.
    """
    position = {pair.name: _position(pair.name, salt) for pair in pairs}
    chosen = {name for name, value in position.items() if value < fraction}
    if len(position) >= 2:
        if not chosen:
            chosen.add(min(position, key=position.__getitem__))
        elif len(chosen) == len(position):
            chosen.remove(max(position, key=position.__getitem__))
    return [pair for pair in pairs if pair.name not in chosen], [pair for pair in pairs if pair.name in chosen]


def _listed(path: Path, known: Iterable[str]) -> set[str]:
    """The stems in a split list.

    Raises:
        InputError: The list is empty, not text, or names a stem that is not among ``known``.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file with one stem per line ({error}).") from error
    names = set()
    for line in lines:
        name = line.split("#", 1)[0].strip()
        stem, ending = os.path.splitext(name)
        if name:
            names.add(stem if ending.lower() in IMAGE_ENDINGS else name)
    if not names:
        raise InputError(f"{path}: names no pair; write one stem per line, or remove the list.")
    unknown = sorted(names - set(known))
    if unknown:
        raise InputError(
            f"{path}: {len(unknown)} stem(s) with no pair: {first_names(unknown)}. Write the names of pairs in the "
            "folders beside the list, without path."
        )
    return names


def _split_without_folders(layout: str, root: Path, pairs: list[Pair]) -> dict[Split, list[Pair]]:
    lists = {split: root / f"{split}.txt" for split in SPLITS if (root / f"{split}.txt").is_file()}
    if not lists:
        if layout == "tno":
            return {"test": pairs}
        rest, test = held_out(pairs, salt="test")
        return {"train": rest, "test": test}
    names = {split: _listed(path, (pair.name for pair in pairs)) for split, path in lists.items()}
    counts = Counter(name for listed in names.values() for name in listed)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        listed_in = ", ".join(str(path) for path in lists.values())
        raise InputError(f"{listed_in}: in more than one list: {first_names(twice)}; a pair belongs to one split.")
    splits = {split: [pair for pair in pairs if pair.name in listed] for split, listed in names.items()}
    rest = [pair for pair in pairs if pair.name not in counts]
    remaining: Split = "test" if "train" in names else "train"
    if rest and remaining not in splits:
        splits[remaining] = rest
    return splits


def assign_splits(layout: str, root: Path, found: Mapping[Place, list[Pair]]) -> dict[Split, list[Pair]]:
    """Divide the pairs found in the folders into splits; by the rules above.

    Args:
        layout: a layout.
        root: Folder of the set, where split lists may lie.
        found: The pairs in each of the folders that `layouts.locate` names.

    Returns:
        Split -> its pairs; a split the set does not have is no key.

    Raises:
        InputError: A split list cannot be used.
    """
    if "all" in found:
        splits = _split_without_folders(layout, root, found["all"])
    else:
        splits = {split: found[split] for split in SPLITS if split in found}
    if "train" in splits and "val" not in splits:
        train, chosen = splits["train"], root / "val.txt"
        if chosen.is_file():
            names = _listed(chosen, (pair.name for pair in train))
            splits["val"] = [pair for pair in train if pair.name in names]
            splits["train"] = [pair for pair in train if pair.name not in names]
        else:
            splits["train"], splits["val"] = held_out(train)
    return {split: splits[split] for split in SPLITS if splits.get(split)}
