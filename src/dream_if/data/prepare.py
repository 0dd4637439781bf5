"""From image files to a prepared set, see :mod:`dream_if.data.prepared`."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from dream_if.data.images import Image
from dream_if.data.layouts import detect_layout, find_pairs, locate
from dream_if.data.own_layout import is_own, own_splits
from dream_if.data.pairs import PairFiles
from dream_if.data.prepared import (
    ALIGNMENT,
    SOURCES,
    TYPES,
    Entry,
    Manifest,
    SplitEntry,
    is_prepared,
    packed_name,
    read_manifest,
    serialise,
)
from dream_if.data.splits import SPLITS, Split, assign_splits
from dream_if.errors import InputError
from dream_if.machine import choose_threads
from dream_if.storage import Pair, atomic_folder, match, refuse_used_folder

__all__ = ["prepare_pairs"]

_ROUND = 4  # pairs that each thread decodes before they are written: what is held in memory at once


def _find_splits(layout: str, root: Path, asked: Sequence[Split] | None) -> dict[Split, list[Pair]]:
    """The pairs of the splits that were asked for, by default of all that the set has."""
    if is_own(layout):
        return own_splits(layout, root, asked)
    if asked is None:
        places = locate(layout, root)
        formed = assign_splits(layout, root, {place: match(*folders).pairs for place, folders in places.items()})
        asked = [split for split in SPLITS if split in places or split in formed]
    # Once more with the rules that a training has, which take no folder with a partner missing.
    return {split: find_pairs(layout, root, split) for split in asked}


class _Writer:
    """Writes the images of one source one after the other, and sums them up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.blake2b(digest_size=32)
        self._length = 0

    def add(self, image: Image) -> tuple[str, int]:
        """Append an image; its type by name, and where it starts."""
        start = self._length
        kind = image.dtype.name
        pixels = image.astype(TYPES[kind], order="C", copy=False).data.cast("B")
        for part in (pixels, bytes(-len(pixels) % ALIGNMENT)):
            self._file.write(part)
            self._sum.update(part)
            self._length += len(part)
        return kind, start

    @property
    def packed(self) -> tuple[int, str]:
        """Length in bytes and checksum of what was written."""
        return self._length, self._sum.hexdigest()


def _read_in_order(pairs: Sequence[Pair]) -> Iterator[tuple[Image, Image, str]]:
    """The pairs in order, decoded by several threads; no more than a round of them is in memory."""
    files, threads = PairFiles(pairs), min(8, choose_threads().number)
    with ThreadPoolExecutor(threads) as pool:  # decoding releases the interpreter
        for first in range(0, len(files), threads * _ROUND):
            yield from pool.map(files.read, range(first, min(first + threads * _ROUND, len(files))))


def _write_split(folder: Path, split: Split, pairs: Sequence[Pair], advance: Callable[[], None]) -> SplitEntry:
    entries: list[Entry] = []
    with ExitStack() as files:
        opened = {source: files.enter_context((folder / packed_name(split, source)).open("wb")) for source in SOURCES}
        writers = {source: _Writer(file) for source, file in opened.items()}
        for visible, infrared, name in _read_in_order(pairs):
            entries.append(
                {
                    "name": name,
                    "height": visible.shape[0],
                    "width": visible.shape[1],
                    "visible": writers["visible"].add(visible),
                    "infrared": writers["infrared"].add(infrared),
                }
            )
            advance()
        for file in opened.values():
            _settle(file)
    summed = {source: writer.packed for source, writer in writers.items()}
    return {
        "files": {source: {"bytes": length, "blake2b": digest} for source, (length, digest) in summed.items()},
        "pairs": entries,
        "files_read": _stamps(pairs),
    }


def _settle(file: BinaryIO) -> None:
    """Have a file on the disk before the folder gets its name: a power cut must not leave holes in it."""
    file.flush()
    os.fsync(file.fileno())


def _stamps(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Bytes of each pair's files, which tell of most changes without reading; unlike dates, a copy keeps them."""
    return [(pair.visible.stat().st_size, pair.infrared.stat().st_size) for pair in pairs]


def _names(manifest: Manifest) -> dict[str, list[str]]:
    return {split: [pair["name"] for pair in entry["pairs"]] for split, entry in manifest.splits.items()}


def prepare_pairs(
    root: Path,
    out: Path,
    layout: str | None = None,
    splits: Sequence[Split] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Manifest, bool]:
    """Write a prepared set with the pairs, splits, names and order of a set of image files.

    It is written beside ``out`` first and renamed, so ``out`` is complete or not there.

    Args:
        root: Folder of the set of image files.
        out: Folder to make; it may exist if it is empty, or hold the same prepared set.
        layout: One of :data:`dream_if.data.layouts.LAYOUTS`, or the path of a function; None to guess it.
        splits: Which splits; None for all that the set has.
        progress: Called with (pairs done, pairs in all) as they are done.

    Returns:
        What the prepared set holds, and whether it was written now; if not, it was there already, with the same pairs.

    Raises:
        InputError: The set is not as its layout says, a file in it cannot be used, ``out`` is in use or cannot be
            written, or another process fills it.
    """
    if is_prepared(root):
        raise InputError(f"{root}: is a prepared set already; name the folder with the image files.")
    known = detect_layout(root) if layout is None else layout
    pairs = _find_splits(known, root, splits)
    source = root.resolve().name
    if is_prepared(out):
        there = read_manifest(out)
        if there.source != source or _names(there) != {split: [p.name for p in own] for split, own in pairs.items()}:
            raise InputError(
                f"{out}: holds a prepared set of other pairs (from {there.source}); remove it or name another."
            )
        for split, own in pairs.items():
            for pair, then, now in zip(own, there.splits[split]["files_read"], _stamps(own), strict=True):
                if tuple(then) != now:
                    raise InputError(
                        f"{out}: was prepared from other files: those of the pair '{pair.name}' ({split}) had "
                        f"{then[0]} and {then[1]} bytes and have {now[0]} and {now[1]}. Remove it to prepare it again, "
                        "or name another."
                    )
        return there, False
    refuse_used_folder(out, "the prepared set")
    total, done = sum(map(len, pairs.values())), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with atomic_folder(out) as part:
        written = {split: _write_split(part, split, own, advance) for split, own in pairs.items()}
        manifest = Manifest(source, known, written)
        with (part / "manifest.json").open("wb") as file:
            file.write(serialise(manifest))
            _settle(file)
    return manifest, True
