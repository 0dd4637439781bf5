"""Things of the user's own that a table takes in: classes by their path, and files made elsewhere."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from dream_if.errors import InputError
from dream_if.storage import images_by_stem
from dream_if.tables.inputs import Place

__all__ = ["Pattern", "imported", "instantiate", "picture_in"]

PLACES = ("set", "condition")
"""What stands in braces in a path."""


def imported(class_path: str) -> Any:
    """Import a class or function, from the current folder too.

    Raises:
        InputError: It cannot be imported.
    """
    module, _, name = class_path.rpartition(".")
    try:
        with _from_here():
            return getattr(importlib.import_module(module), name)
    except Exception as error:  # importing a foreign module may raise anything
        raise InputError(
            f"class_path {class_path!r}: cannot be imported ({_told(error)}). Expected package.module.Class, to be "
            "imported from here or installed."
        ) from error


@contextmanager
def _from_here() -> Iterator[None]:
    """Modules of the current folder can be imported."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)


def _told(error: Exception) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def instantiate(class_path: str, init_args: Any) -> Any:
    """Import a class, from the current folder too, and make one.

    Args:
        class_path: package.module.Class, or a function that returns the thing.
        init_args: a mapping from names of arguments to values; None for none.

    Raises:
        InputError: It cannot be imported, or does not take these arguments.
    """
    if init_args is None:
        init_args = {}
    if not isinstance(init_args, Mapping) or not all(isinstance(name, str) for name in init_args):
        raise InputError(f"init_args: expected a mapping from names of arguments to values, got {init_args!r}.")
    try:
        with _from_here():  # it may import more when it is made
            made = imported(class_path)(**init_args)
    except InputError:
        raise
    except Exception as error:  # a foreign class may raise anything
        raise InputError(
            f"class_path {class_path!r} with {dict(init_args)!r}: cannot be made ({_told(error)})."
        ) from error
    if not callable(made):
        raise InputError(f"class_path {class_path!r}: a {type(made).__name__} cannot be called; it needs a forward.")
    return made


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
        raise InputError(f"{who}: {folder} is no folder; name one that holds an image for each pair.")
    files = _pictures(folder, folder.stat().st_mtime_ns)
    if not files:
        raise InputError(f"{who}: there is no image in {folder}; expected {stem}.png or the like for each pair.")
    found = files.get(stem, [])
    if len(found) != 1:
        names = " and ".join(path.name for path in found)
        what = f"more than one image of this name ({names})" if found else f"none of its {len(files)} images"
        raise InputError(f"{who}: for the pair {stem} there is {what} in {folder}; expected {stem}.png or the like.")
    return found[0]


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
            raise InputError(f"{key}: {text!r} is no path with {{set}} and {{condition}} in it ({error}).") from error
        wrong = [str(field[0]) for field in fields if field not in [(name, "", None) for name in PLACES]]
        if wrong:
            raise InputError(
                f"{key}: {text!r}: {{set}} and {{condition}} are what may stand in braces, got {{{wrong[0]}}}."
            )

    def at(self, place: Place) -> Path:
        """The folder of a pair's set and condition."""
        return Path(self.text.format(set=place.set, condition=place.condition)).expanduser()
