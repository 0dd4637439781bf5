"""Which files are scored: sources and fused images paired by stem, all checked before the first score."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dream_if.data.pairs import decode_image
from dream_if.errors import InputError
from dream_if.storage import Matches, Pair, file_digest, match

__all__ = ["READERS", "ImageFile", "ImageSet", "find_images"]

READERS = min(8, os.cpu_count() or 1)
"""Threads that read files: decoding and hashing release the interpreter."""


class ImageFile(NamedTuple):
    """A file that can be read: where it is, (width, height) in pixels, and the SHA-256 of its bytes."""

    path: Path
    size: tuple[int, int]
    digest: str


@dataclass(frozen=True)
class ImageSet:
    """Sources and the fused images that belong to them, in the same order.

    Attributes:
        names: the common stems, sorted.
        visible: visible sources.
        infrared: infrared sources, each of its visible partner's size.
        fused: method -> its images.
        extra: method -> stems in its folder that have no sources; they are not scored.
    """

    names: tuple[str, ...]
    visible: tuple[ImageFile, ...]
    infrared: tuple[ImageFile, ...]
    fused: dict[str, tuple[ImageFile, ...]]
    extra: dict[str, tuple[str, ...]]

    def resized(self, method: str) -> dict[str, tuple[int, int]]:
        """Name -> (width, height) of the method's images that have another size than their sources."""
        triples = zip(self.names, self.fused[method], self.visible, strict=True)
        return {name: fused.size for name, fused, visible in triples if fused.size != visible.size}


def _listed(things: Iterable[object]) -> str:
    return ", ".join(str(thing) for thing in things)


def _twice(matches: Matches) -> str:
    return _listed(" and ".join(path.name for path in files) for files in matches.ambiguous)


def _match_sources(visible: Path, infrared: Path) -> Matches:
    """Pair the sources.

    Raises:
        InputError: a partner is missing, a stem is there twice, or there is no pair at all.
    """
    matches = match(visible, infrared)
    problems = []
    if matches.without_infrared:
        names = _listed(path.name for path in matches.without_infrared)
        problems.append(f"{len(matches.without_infrared)} visible image(s) without a partner in {infrared}: {names}")
    if matches.without_visible:
        names = _listed(path.name for path in matches.without_visible)
        problems.append(f"{len(matches.without_visible)} infrared image(s) without a partner in {visible}: {names}")
    if matches.ambiguous:
        problems.append(f"files that differ only in their ending: {_twice(matches)}")
    if problems:
        raise InputError(f"{'; '.join(problems)}. Partners share their stem; add the missing files or remove these.")
    if not matches.pairs:
        raise InputError(
            f"no images in {visible} and {infrared}; expected the sources as image files (png, jpg, jpeg, bmp, tif, "
            "tiff, webp) with the same stem in both folders."
        )
    return matches


def _match_fused(method: str, folder: Path, visible: Path, names: list[str]) -> tuple[Matches, list[str]]:
    """Pair the sources with a method's images; the second list says what is wrong with them."""
    matches = match(visible, folder)
    problems = []
    if not matches.pairs and not matches.ambiguous:
        held = _listed(path.name for path in matches.without_visible[:3]) or "no image"
        problem = f"{method}: nothing in {folder} has the stem of a source (sources: {_listed(names[:3])}, ...; "
        return matches, [f"{problem}the folder: {held}{', ...' if len(matches.without_visible) > 3 else ''})"]
    if matches.ambiguous:
        problems.append(f"{method}: files in {folder} that differ only in their ending: {_twice(matches)}")
    unclear = {files[0].stem for files in matches.ambiguous}
    missing = [path.stem for path in matches.without_infrared if path.stem not in unclear]
    if missing:
        problems.append(
            f"{method}: {len(missing)} of {len(names)} image(s) missing in {folder}, for the source(s) "
            f"{_listed(missing)}"
        )
    return matches, problems


def _read(path: Path) -> ImageFile | InputError:
    """Read a file to its end; what is wrong with it is returned, so that all files can be named at once."""
    try:
        height, width = decode_image(path).shape[:2]
        return ImageFile(path, (width, height), file_digest(path))
    except InputError as error:
        return error


def find_images(
    visible: Path,
    infrared: Path,
    fused: Mapping[str, Path],
    *,
    resize: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ImageSet:
    """Find all images of an evaluation, and make sure of every one before anything is computed.

    Args:
        visible: folder of visible sources.
        infrared: folder of infrared sources.
        fused: method -> folder of its fused images.
        resize: let fused images have another size than their sources.
        progress: called with (files read, files in all).

    Returns:
        At least one triple for each method.

    Raises:
        InputError: naming everything that is missing, twice there, unreadable or of the wrong size, in all folders.
    """
    sources = _match_sources(visible, infrared)
    names = [pair.name for pair in sources.pairs]
    problems: list[str] = []
    matched: dict[str, Matches] = {}
    for method, folder in fused.items():
        matched[method], found = _match_fused(method, folder, visible, names)
        problems += found
    paths = [path for pair in sources.pairs for path in (pair.visible, pair.infrared)]
    paths += [pair.infrared for matches in matched.values() for pair in matches.pairs]
    paths = list(dict.fromkeys(paths))
    files: dict[Path, ImageFile] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for done, (path, read) in enumerate(zip(paths, pool.map(_read, paths), strict=True), start=1):
            if isinstance(read, InputError):
                problems.append(str(read).rstrip("."))
            else:
                files[path] = read
            if progress is not None:
                progress(done, len(paths))
    problems += [
        f"{pair.visible} is {one} but {pair.infrared} is {other} (width x height)"
        for pair, one, other in _unequal(sources, files)
    ]
    wrong = {}
    if not resize:  # of a source and a fused image, which stands where `match` puts the infrared one
        wrong = {method: _unequal(matches, files) for method, matches in matched.items()}
    for method, unequal in wrong.items():
        if unequal:
            sizes = _listed(f"{pair.infrared} is {other}, not {one}" for pair, one, other in unequal)
            problems.append(f"{method}: {len(unequal)} image(s) of another size than their sources: {sizes}")
    if problems:
        hint = " --resize scales fused images to the size of their sources, and says so." if any(wrong.values()) else ""
        raise InputError(f"{'; '.join(problems)}. A fused image has the stem and size of its sources.{hint}")
    return ImageSet(
        names=tuple(names),
        visible=tuple(files[pair.visible] for pair in sources.pairs),
        infrared=tuple(files[pair.infrared] for pair in sources.pairs),
        fused={method: tuple(files[pair.infrared] for pair in matches.pairs) for method, matches in matched.items()},
        extra={method: tuple(p.stem for p in matches.without_visible) for method, matches in matched.items()},
    )


def _unequal(matches: Matches, files: Mapping[Path, ImageFile]) -> list[tuple[Pair, str, str]]:
    """The pairs whose two files can be read and differ in size, with both sizes in words."""
    pairs = [pair for pair in matches.pairs if pair.visible in files and pair.infrared in files]
    sizes = [(pair, files[pair.visible].size, files[pair.infrared].size) for pair in pairs]
    return [(pair, f"{one[0]}x{one[1]}", f"{two[0]}x{two[1]}") for pair, one, two in sizes if one != two]
