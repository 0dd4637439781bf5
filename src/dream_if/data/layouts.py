"""Where public infrared/visible sets and plain folders keep their pairs, and how a set is split.

Three arrangements are understood for every layout; the first that fits is taken:

1. split folders, each with a visible and an infrared folder: ``<root>/<split>/{vi,ir}`` (MSRS);
2. a visible and an infrared folder, each with split folders: ``<root>/{visible,infrared}/<split>`` (LLVIP);
3. a visible and an infrared folder with the images: ``<root>/{vi,ir}`` (M3FD, RoadScene, TNO).

The folders may be called vi, vis, visible and ir, infrared, thermal, in any case; RoadScene's aligned pair is
``crop_LR_visible`` and ``cropinfrared`` (``crop_HR_visible`` has another size and ``infrared`` is raw, so neither is
used). Files pair by stem; whatever has no image ending is passed over.

Which pairs form which split:

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
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from dream_if.errors import InputError
from dream_if.storage import IMAGE_ENDINGS, Pair, list_folder, match

__all__ = [
    "HELD_OUT_FRACTION",
    "LAYOUTS",
    "SPLITS",
    "Layout",
    "Place",
    "Split",
    "assign_splits",
    "detect_layout",
    "find_pairs",
    "held_out",
    "locate",
]

Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Place: TypeAlias = Literal["train", "val", "test", "all"]
"""A folder of pairs: that of a split, or ``all`` where the set has no split folders."""

Layout: TypeAlias = Literal["llvip", "msrs", "m3fd", "roadscene", "tno", "folder", "scenes"]
LAYOUTS: tuple[str, ...] = ("llvip", "msrs", "m3fd", "roadscene", "tno", "folder")
"""The layouts that are read from a folder; the layout ``scenes`` is generated."""

HELD_OUT_FRACTION = 0.1
"""Share of the pairs that the rule by name takes for validation, and for test."""

_VISIBLE = frozenset({"vi", "vis", "visible"})
_INFRARED = frozenset({"ir", "infrared", "thermal"})
_ROADSCENE_VISIBLE = frozenset({"crop_lr_visible"})
_ROADSCENE_INFRARED = frozenset({"cropinfrared"})
_MOST_NAMED = 20

_LLVIP_HELP = (
    "LLVIP is not part of this package: its project page, bupt-ai-cz.github.io/LLVIP, says where to download it and "
    "under which terms. Unpack it so that {root} holds visible/train, visible/test, infrared/train and infrared/test "
    "with the .jpg files, or name its folder with --data.root. To train right away without any download, use "
    "--data.layout scenes --data.root null."
)


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in list_folder(folder) if entry.is_dir()]


def _named(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    rest = len(listed) - _MOST_NAMED
    return ", ".join(listed[:_MOST_NAMED]) + (f", and {rest} more" if rest > 0 else "")


def _matched(layout: str, root: Path, visible: Path, infrared: Path) -> list[Pair]:
    """The pairs of two folders.

    Raises:
        InputError: A partner is missing, a stem is there twice, or there is no image at all.
    """
    matches = match(visible, infrared)
    complaints = []
    if matches.without_infrared:
        complaints.append(
            f"{len(matches.without_infrared)} visible image(s) without an infrared partner in {infrared}: "
            f"{_named(path.name for path in matches.without_infrared)}"
        )
    if matches.without_visible:
        complaints.append(
            f"{len(matches.without_visible)} infrared image(s) without a visible partner in {visible}: "
            f"{_named(path.name for path in matches.without_visible)}"
        )
    if matches.ambiguous:
        twice = _named(" and ".join(str(path) for path in files) for files in matches.ambiguous)
        complaints.append(f"files that differ only in their ending, so that the partner is unclear: {twice}")
    if complaints:
        raise InputError(f"{'; '.join(complaints)}. Partners share their stem; add the missing files or remove these.")
    if not matches.pairs:
        problem = f"no images in {visible} and {infrared}"
        if layout == "llvip":
            raise _expected(layout, root, problem)
        raise InputError(
            f"{problem}; expected files such as 0001.png (png, jpg, jpeg, bmp, tif, tiff, webp), with the same stem in "
            "both folders."
        )
    return matches.pairs


def _source_folder(folder: Path, kind: str, names: frozenset[str]) -> Path | None:
    found = [sub for sub in _subfolders(folder) if sub.name.lower() in names]
    if len(found) > 1:
        raise InputError(f"{folder}: has more than one {kind} folder ({_named(sub.name for sub in found)}); keep one.")
    return found[0] if found else None


def _source_folders(layout: str, folder: Path) -> tuple[Path | None, Path | None]:
    """The visible and the infrared folder inside ``folder``, None for one that is not there."""
    if layout == "roadscene":
        official = (
            _source_folder(folder, "visible", _ROADSCENE_VISIBLE),
            _source_folder(folder, "infrared", _ROADSCENE_INFRARED),
        )
        if any(official):  # never complete half of the aligned pair with a raw folder
            return official
    return _source_folder(folder, "visible", _VISIBLE), _source_folder(folder, "infrared", _INFRARED)


def _expected(layout: str, root: Path, problem: str) -> InputError:
    if layout == "llvip":
        return InputError(f"{problem}. {_LLVIP_HELP.format(root=root)}")
    places = {
        "m3fd": "Vis and Ir (point the root at M3FD_Detection or M3FD_Fusion)",
        "roadscene": "crop_LR_visible and cropinfrared",
    }
    expected = places.get(layout, "<split>/vi and <split>/ir (split: train, val, test), or vi and ir")
    return InputError(
        f"{problem}. The layout '{layout}' expects the folders {expected} in {root}; set --data.root to the folder "
        "that has them, or use --data.layout scenes --data.root null to run without any data."
    )


def _both(layout: str, root: Path, folder: Path) -> tuple[Path, Path]:
    """The visible and the infrared folder inside ``folder``; both must be there."""
    visible, infrared = _source_folders(layout, folder)
    if visible and infrared:
        return visible, infrared
    missing = "visible" if infrared else "infrared" if visible else "visible and no infrared"
    held = _named(sub.name for sub in _subfolders(folder)) or "none"
    raise _expected(layout, root, f"{folder}: no {missing} folder there (its folders: {held})")


def _split_folders(layout: str, root: Path) -> list[Split]:
    """The splits that have a folder of their own, on either level."""
    outside = [split for split in SPLITS if (root / split).is_dir()]
    sources = [folder for folder in _source_folders(layout, root) if folder]
    return outside or [split for split in SPLITS if any((folder / split).is_dir() for folder in sources)]


def locate(layout: str, root: Path, splits: Collection[Split] = SPLITS) -> dict[Place, tuple[Path, Path]]:
    """Find the folders that hold the images.

    Args:
        layout: One of :data:`LAYOUTS`.
        root: Folder of the set.
        splits: The splits to look at; others are neither returned nor complained about.

    Returns:
        Split -> (visible folder, infrared folder); the single key ``"all"`` where the set has no split folders.

    Raises:
        InputError: The layout is unknown, ``root`` is no folder, or the folders expected in it are not there.
    """
    if layout not in LAYOUTS:
        hint = "; the layout 'scenes' is generated and has no folder" if layout == "scenes" else ""
        raise InputError(f"unknown layout '{layout}': expected one of {', '.join(LAYOUTS)}{hint}.")
    if not root.exists():
        raise _expected(layout, root, f"{root}: no such folder")
    if not root.is_dir():
        raise _expected(layout, root, f"{root}: is a file, not a folder")
    if any((root / split).is_dir() for split in SPLITS):
        return {split: _both(layout, root, root / split) for split in splits if (root / split).is_dir()}
    visible, infrared = _both(layout, root, root)
    there = _split_folders(layout, root)
    if not there:
        return {"all": (visible, infrared)}
    places: dict[Place, tuple[Path, Path]] = {
        split: (visible / split, infrared / split) for split in there if split in splits
    }
    for folder in (folder for both in places.values() for folder in both):
        if not folder.is_dir():
            raise _expected(layout, root, f"{folder}: no such folder, though its counterpart is there")
    return places


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
            f"{path}: {len(unknown)} stem(s) with no pair: {_named(unknown)}. Write the names of pairs in the folders "
            "beside the list, without path."
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
        raise InputError(f"{listed_in}: in more than one list: {_named(twice)}; a pair belongs to one split.")
    splits = {split: [pair for pair in pairs if pair.name in listed] for split, listed in names.items()}
    rest = [pair for pair in pairs if pair.name not in counts]
    remaining: Split = "test" if "train" in names else "train"
    if rest and remaining not in splits:
        splits[remaining] = rest
    return splits


def assign_splits(layout: str, root: Path, found: Mapping[Place, list[Pair]]) -> dict[Split, list[Pair]]:
    """Divide the pairs found in the folders into splits; see the module docstring for the rules.

    Args:
        layout: One of :data:`LAYOUTS`.
        root: Folder of the set, where split lists may lie.
        found: The pairs in each of the folders that :func:`locate` names.

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


def find_pairs(layout: str, root: Path, split: Split) -> list[Pair]:
    """Find the pairs of one split.

    Args:
        layout: One of :data:`LAYOUTS`.
        root: Folder of the set.
        split: train, val or test; see the module docstring for what forms them where a set has no such folder.

    Returns:
        The pairs, sorted by name; at least one.

    Raises:
        InputError: The layout is unknown, a folder is missing or empty, a partner is missing, a split list is wrong, or
            the set has no such split.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split '{split}': expected one of {', '.join(SPLITS)}.")
    # Only what is asked for is looked at: a hole in the test set need not stop a training.
    needed: tuple[Split, ...] = ("test",) if split == "test" else ("train", "val")
    folders = locate(layout, root, needed)
    if split in folders and (split != "train" or "val" in folders):
        return _matched(layout, root, *folders[split])
    whole: Place = "all" if "all" in folders else "train"
    splits: dict[Split, list[Pair]] = {}
    if whole in folders:
        splits = assign_splits(layout, root, {whole: _matched(layout, root, *folders[whole])})
    if split in splits:
        return splits[split]
    there = ", ".join(name for name in SPLITS if name in splits or name in _split_folders(layout, root)) or "none"
    if layout == "tno" and whole == "all":
        remedy = "TNO is a test set; to train on it all the same, use the layout 'folder' or split lists."
    elif split == "val" and "train" in splits:
        remedy = "One training pair cannot be divided; add pairs, or val folders."
    else:
        remedy = f"Add {split} folders, or choose another root."
    raise InputError(f"{root}: has no split '{split}' (splits found: {there}). {remedy}")


def detect_layout(root: Path) -> str:
    """Guess the layout of a folder, from RoadScene's folder names or else from the folder's own name.

    Args:
        root: Folder of the set.

    Returns:
        One of :data:`LAYOUTS`; ``"folder"`` where nothing speaks for another.

    Raises:
        InputError: ``root`` is no folder.
    """
    if not root.is_dir():
        raise _expected("folder", root, f"{root}: no such folder")
    if any(_ROADSCENE_VISIBLE & {sub.name.lower()} for sub in _subfolders(root)):
        return "roadscene"
    own = root.resolve().name.lower()
    return next((layout for layout in LAYOUTS if layout != "folder" and own.startswith(layout)), "folder")
