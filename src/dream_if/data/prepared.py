"""Prepared sets: pairs stored as raw pixels in a few files, so that a crop is read without decoding.

A prepared set is a folder, written by ``dream-if prepare`` (:mod:`dream_if.data.prepare`):

* ``<split>_visible.raw`` and ``<split>_infrared.raw``: the images of a split one after the other, row by row, visible
  (H, W, 3) RGB, infrared (H, W, 1), one byte a value or two (little-endian) as in the file each came from. Every image
  starts at a multiple of 64 bytes.
* ``manifest.json``: what set and layout it was made from; for each split its files with length and checksum, and its
  pairs in order, each with name, height, width and, for each source, type and offset, and how many bytes the image
  files had; at the end the manifest's own checksum. Checksums are BLAKE2b, 32 bytes.

The files are memory-mapped. A crop of h rows touches a strip of h rows, which a disk reads in one go; an image in
memory costs nothing to read. Opening a set checks the manifest and the lengths of the files, which is quick;
:func:`find_damage` reads them whole and checks everything.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

import numpy as np
import numpy.typing as npt

from dream_if.data.images import Image
from dream_if.data.splits import SPLITS, Split
from dream_if.errors import InputError

__all__ = [
    "ALIGNMENT",
    "SOURCES",
    "TYPES",
    "Entry",
    "Manifest",
    "Packed",
    "PreparedPairs",
    "SplitEntry",
    "describe",
    "find_damage",
    "is_prepared",
    "packed_name",
    "read_manifest",
    "serialise",
]

ALIGNMENT = 64
"""Images start at multiples of this many bytes: a cache line, and more than any type needs."""

SOURCES = {"visible": 3, "infrared": 1}
"""Source -> number of channels."""

TYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2")}
"""Types of values by their name in the manifest."""

_MANIFEST = "manifest.json"
_FORMAT = "dream-if prepared pairs"
_VERSION = 2


class Entry(TypedDict):
    """A pair in the manifest: for each source the type of its values and where the first one lies, in bytes."""

    name: str
    height: int
    width: int
    visible: tuple[str, int]
    infrared: tuple[str, int]


class Packed(TypedDict):
    """A file with pixels: its length in bytes and its checksum."""

    bytes: int
    blake2b: str


class SplitEntry(TypedDict):
    """A split in the manifest: a file for each source, the pairs in order, and the bytes of the files they were in."""

    files: dict[str, Packed]
    pairs: list[Entry]
    files_read: list[tuple[int, int]]


class Manifest(NamedTuple):
    """What a prepared set holds.

    Attributes:
        source: Name of the folder it was made from.
        layout: How that was arranged.
        splits: Split -> its files and pairs.
    """

    source: str
    layout: str
    splits: dict[Split, SplitEntry]


def packed_name(split: Split, source: str) -> str:
    """Name of the file with the images of one source of one split."""
    return f"{split}_{source}.raw"


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=32).hexdigest()


def serialise(manifest: Manifest) -> bytes:
    """The content of ``manifest.json``, with the checksum of itself."""
    content: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, **manifest._asdict()}
    return (json.dumps(content | {"blake2b": _checksum(content)}, indent=1) + "\n").encode()


def is_prepared(root: Path) -> bool:
    """Whether a folder holds a prepared set, be it whole or damaged."""
    try:
        with (root / _MANIFEST).open("rb") as file:
            return _FORMAT.encode() in file.read(200)
    except OSError:
        return False


def read_manifest(root: Path) -> Manifest:
    """Read what a prepared set holds, and make sure that its files are as long as they should be.

    Args:
        root: Folder of the prepared set.

    Raises:
        InputError: The manifest cannot be read, was changed, or is of another version of the format; or a file is
            missing or of another length.
    """
    path = root / _MANIFEST
    try:
        content = json.loads(path.read_bytes())
        version, stated = content["version"], content.pop("blake2b", None)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: damaged or cut short; run 'dream-if prepare' again into an empty folder.") from error
    if version != _VERSION:
        raise InputError(
            f"{path}: has version {version} of the format, but this dream-if reads version {_VERSION}; run 'dream-if "
            "prepare' again."
        )
    if stated != _checksum(content):
        raise InputError(
            f"{path}: was changed after it was written (its checksum does not match); run 'dream-if prepare' again "
            "into an empty folder."
        )
    manifest = Manifest(content["source"], content["layout"], content["splits"])
    for split, source, packed in _files(manifest):
        file = root / packed_name(split, source)
        try:
            length = file.stat().st_size
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror}), though {path} names it.") from error
        if length != packed["bytes"]:
            raise InputError(
                f"{file}: has {length} bytes where {path} says {packed['bytes']}: cut short or changed. Copy it again, "
                "or run 'dream-if prepare' again."
            )
    return manifest


def _files(manifest: Manifest) -> list[tuple[Split, str, Packed]]:
    return [
        (split, source, packed) for split, entry in manifest.splits.items() for source, packed in entry["files"].items()
    ]


def find_damage(root: Path) -> list[str]:
    """Read all of a prepared set and compare checksums.

    Args:
        root: Folder of the prepared set.

    Returns:
        A sentence for each file whose content is not what was written.

    Raises:
        InputError: As :func:`read_manifest`, or a file cannot be read.
    """
    damage = []
    for split, source, packed in _files(read_manifest(root)):
        path = root / packed_name(split, source)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
        if found != packed["blake2b"]:
            damage.append(f"{path}: its content was changed after it was written (its checksum does not match)")
    return damage


def describe(manifest: Manifest) -> str:
    """What a prepared set holds, in a line for each split."""
    lines = [f"prepared from '{manifest.source}', layout '{manifest.layout}'"]
    for split, entry in manifest.splits.items():
        amount = sum(packed["bytes"] for packed in entry["files"].values())
        lines.append(f"  {split}: {len(entry['pairs'])} pair(s), {amount / 1e6:.1f} MB")
    return "\n".join(lines)


class PreparedPairs:
    """A split of a prepared set as a :class:`dream_if.data.pairs.PairSource`.

    Args:
        root: Folder of the prepared set.
        split: train, val or test.

    Raises:
        InputError: As :func:`read_manifest`, or the set has no such split.
    """

    def __init__(self, root: Path, split: Split) -> None:
        splits = read_manifest(root).splits
        if split not in splits:
            there = ", ".join(name for name in SPLITS if name in splits)
            raise InputError(
                f"{root}: this prepared set has no split '{split}' (splits in it: {there}). Run 'dream-if prepare' "
                "again, or choose another root."
            )
        self.root = root
        self.split: Split = split
        self.pairs = splits[split]["pairs"]
        self._maps: dict[str, npt.NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the maps: each process makes its own, where a copy would be of the pixels."""
        return self.__dict__ | {"_maps": {}}

    def read(self, position: int) -> tuple[Image, Image, str]:
        """Find one pair; nothing is read before its pixels are looked at.

        Args:
            position: Position in the split.

        Returns:
            Visible (H, W, 3) RGB, infrared (H, W, 1), each uint8 or uint16, both read-only, and the pair's name.

        Raises:
            InputError: A file cannot be opened any more.
        """
        entry = self.pairs[position]
        return self._image("visible", entry), self._image("infrared", entry), entry["name"]

    def _image(self, source: str, entry: Entry) -> Image:
        kind, offset = entry["visible"] if source == "visible" else entry["infrared"]
        shape = (entry["height"], entry["width"], SOURCES[source])
        return cast(Image, np.ndarray(shape, TYPES[kind], buffer=self._map(source), offset=offset))

    def _map(self, source: str) -> npt.NDArray[np.uint8]:
        """The bytes of one file."""
        if source not in self._maps:
            path = self.root / packed_name(self.split, source)
            try:
                self._maps[source] = np.memmap(path, np.uint8, mode="r")
            except OSError as error:
                raise InputError(f"{path}: cannot be opened ({error.strerror}).") from error
        return self._maps[source]
