"""Classes and functions of the user's own, by their path."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.shipped import PLACE

__all__ = ["from_here", "imported", "instantiate"]


def imported(class_path: str) -> Any:
    """Import a class or function, from the current folder too.

    Raises:
        InputError: It cannot be imported.
    """
    module, _, name = class_path.rpartition(".")
    try:
        with from_here():
            return getattr(importlib.import_module(module), name)
    except Exception as error:  # importing a foreign module may raise anything
        raise InputError(
            f"class_path {class_path!r}: cannot be imported ({_told(error)}). Expected package.module.Class, to be "
            "imported from here or installed."
        ) from error


@contextmanager
def from_here() -> Iterator[None]:
    """Modules of the current folder, and ``experiments`` of this package, can be imported, after all that is installed.

    The folder is named in full: what a configuration in another folder names is imported while that is the current one.
    """
    added = [place for place in (str(Path.cwd()), str(PLACE)) if place not in sys.path]
    sys.path.extend(added)
    try:
        yield
    finally:
        for place in added:
            sys.path.remove(place)


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
        with from_here():  # it may import more when it is made
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
