"""Images made elsewhere, in a folder for each set and condition."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Literal

from torch import Tensor

from dream_if.data.conditions import CLEAN
from dream_if.data.pairs import read_image, to_tensor
from dream_if.errors import InputError
from dream_if.methods.method import Method, PairId
from dream_if.storage import file_digest, images_by_stem

__all__ = ["FusedFolder", "Pattern", "image_like", "picture_in"]

PLACES = ("set", "condition")
"""What stands in braces in a path."""


class Pattern:
    """A folder's path with ``{set}`` and ``{condition}`` for their names.

    Args:
        text: the path.
        key: of the setting, for messages.

    Raises:
        InputError: Something else stands in braces, or a brace is not closed.
    """

    def __init__(self, text: str, key: str) -> None:
        self.text = text
        try:
            fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            raise InputError(f"{key}: {text!r} is not a path with {{set}} and {{condition}} ({error}).") from error
        wrong = [str(field[0]) for field in fields if field not in [(name, "", None) for name in PLACES]]
        if wrong:
            raise InputError(
                f"{key}: {text!r}: {{set}} and {{condition}} are all that may stand in braces, got {{{wrong[0]}}}."
            )

    def at(self, pair: PairId) -> Path:
        """The folder of a pair's set and condition."""
        return Path(self.text.format(set=pair.set, condition=pair.condition)).expanduser()


@lru_cache(maxsize=64)
def _pictures(folder: Path, changed: int) -> dict[str, list[Path]]:  # noqa: ARG001  (so that a change is seen)
    """Stem -> image files of a folder that was changed last at this time."""
    return images_by_stem(folder)


def picture_in(folder: Path, stem: str, who: str) -> Path:
    """The image of a pair in a folder.

    Args:
        folder: where.
        stem: of the pair's files.
        who: the method or setting that the folder belongs to, for messages.

    Raises:
        InputError: There is no such folder, or none or several images of this stem in it.
    """
    if not folder.is_dir():
        raise InputError(f"{who}: {folder} is not a folder; name one that holds an image for each pair.")
    files = _pictures(folder, folder.stat().st_mtime_ns)
    if not files:
        raise InputError(f"{who}: there is no image in {folder}; expected {stem}.png or the like for each pair.")
    found = files.get(stem, [])
    if len(found) != 1:
        names = " and ".join(path.name for path in found)
        what = f"more than one image of this name ({names})" if found else f"none of its {len(files)} images"
        raise InputError(f"{who}: for the pair {stem} there is {what} in {folder}; expected {stem}.png or the like.")
    return found[0]


def image_like(path: Path, channels: Literal[1, 3], source: Tensor) -> Tensor:
    """Read an image, (1, C, H, W) in [0, 1], to stand beside a source of the same height and width, on its device.

    Raises:
        InputError: It cannot be read, or has another size.
    """
    image = to_tensor(read_image(path, channels))[None]
    if image.shape[-2:] != source.shape[-2:]:
        sizes = [f"{picture.shape[-1]}x{picture.shape[-2]}" for picture in (image, source)]
        raise InputError(f"{path}: is {sizes[0]}, but its source is {sizes[1]} (width x height).")
    return image.to(source.device)


class FusedFolder(Method):
    """Fused images that someone made, in a folder for each set.

    Args:
        pattern: the folder, with ``{set}`` and ``{condition}`` for their names.

    Raises:
        InputError: Something else stands in braces.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._folder = Pattern(pattern, "a folder of images")
        self.says = f"images in {pattern}"

    def _file(self, pair: PairId, who: str) -> Path:
        return picture_in(self._folder.at(pair), pair.name, who)

    def key(self, pair: PairId) -> str:
        """See `Method.key`."""
        return file_digest(self._file(pair, self.says))

    def check(self, name: str, pairs: Sequence[PairId]) -> None:
        """See `Method.check`."""
        for word, found in (("set", {p.set for p in pairs}), ("condition", {p.condition for p in pairs})):
            if len(found) > 1 and f"{{{word}}}" not in self.pattern:
                raise InputError(
                    f"methods.{name}: {self.pattern} is one folder for {len(found)} {word}s "
                    f"({', '.join(sorted(found))}); write {{{word}}} where its name stands in the path. Sources as "
                    f"they are have the name {CLEAN}."
                )
        for pair in pairs:
            self._file(pair, f"methods.{name}")

    def fuse(self, visible: Tensor, infrared: Tensor, pair: PairId) -> Tensor:
        """See `Method.fuse`."""
        return image_like(self._file(pair, self.says), 3, visible)
