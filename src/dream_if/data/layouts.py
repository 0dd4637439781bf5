"""Where public infrared/visible sets and plain folders keep their pairs, and how a set is split.

Three arrangements are understood for every layout; the first that fits is taken:

1. split folders, each with a visible and an infrared folder: ``<root>/<split>/{vi,ir}`` (MSRS);
2. a visible and an infrared folder, each with split folders: ``<root>/{visible,infrared}/<split>`` (LLVIP);
3. a visible and an infrared folder with the images: ``<root>/{vi,ir}`` (M3FD, RoadScene, TNO).

The folders may be called vi, vis, visible and ir, infrared, thermal, in any case; RoadScene's aligned pair is
``crop_LR_visible`` and ``cropinfrared`` (``crop_HR_visible`` has another size and ``infrared`` is raw, so neither is
used). Files pair by stem; whatever has no image ending is passed over.

`splits` says which pairs form which split.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal, TypeAlias

from dream_if.data.splits import SPLITS, Place, Split, assign_splits, first_names
from dream_if.errors import InputError
from dream_if.storage import Pair, list_folder, match

__all__ = ["LAYOUTS", "Layout", "detect_layout", "find_pairs", "locate"]

Layout: TypeAlias = Literal["llvip", "msrs", "m3fd", "roadscene", "tno", "folder", "scenes"]

LAYOUTS: tuple[str, ...] = ("llvip", "msrs", "m3fd", "roadscene", "tno", "folder")
"""The layouts that are read from a folder; the layout ``scenes`` is generated."""


_VISIBLE = frozenset({"vi", "vis", "visible"})
_INFRARED = frozenset({"ir", "infrared", "thermal"})

_ROADSCENE_VISIBLE = frozenset({"crop_lr_visible"})
_ROADSCENE_INFRARED = frozenset({"cropinfrared"})

_LLVIP_HELP = (
    "LLVIP is not part of this package: its project page, bupt-ai-cz.github.io/LLVIP, says where to download it and "
    "under which terms. Unpack it so that {root} holds visible/train, visible/test, infrared/train and infrared/test "
    "with the .jpg files, or name its folder with --data.root. To train right away without any download, use "
    "--data.layout scenes --data.root null."
)


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in list_folder(folder) if entry.is_dir()]


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
            f"{first_names(path.name for path in matches.without_infrared)}"
        )
    if matches.without_visible:
        complaints.append(
            f"{len(matches.without_visible)} infrared image(s) without a visible partner in {visible}: "
            f"{first_names(path.name for path in matches.without_visible)}"
        )
    if matches.ambiguous:
        twice = first_names(" and ".join(str(path) for path in files) for files in matches.ambiguous)
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
        raise InputError(
            f"{folder}: has more than one {kind} folder ({first_names(sub.name for sub in found)}); keep one."
        )
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
    held = first_names(sub.name for sub in _subfolders(folder)) or "none"
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
            raise _expected(layout, root, f"{folder}: no such folder, though its counterpart is present")
    return places


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
