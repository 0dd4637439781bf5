"""Things of the user's own that a table takes in: classes by their path, and files made elsewhere."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from dream_if.errors import InputError

__all__ = ["file_digest", "instantiate", "package_digest", "picture_in", "source_digest"]

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def instantiate(class_path: str, init_args: Mapping[str, Any]) -> Any:
    """Import a class, from the current folder too, and make one.

    Raises:
        InputError: It cannot be imported, or does not take these arguments.
    """
    module, _, name = class_path.rpartition(".")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(module), name)(**init_args)
    except Exception as error:  # importing a foreign module may raise anything
        raise InputError(
            f"class_path {class_path!r} with {dict(init_args)!r}: cannot be made ({type(error).__name__}: {error}). "
            "Expected package.module.Class, to be imported from here or installed."
        ) from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(made):
        raise InputError(f"class_path {class_path!r}: a {type(made).__name__} cannot be called; it needs a forward.")
    return made


def source_digest(made: type) -> str:
    """Hash of the file that a class is written in, so that scores do not outlive a change; "" where there is none."""
    try:
        file = inspect.getsourcefile(made)
    except TypeError:
        file = None
    return file_digest(Path(file)) if file else ""


def package_digest(packages: Iterable[ModuleType]) -> str:
    """Hash of the source of packages."""
    found = hashlib.sha256()
    for package in packages:
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error


@lru_cache(maxsize=64)
def _pictures(folder: Path, changed: int) -> dict[str, list[Path]]:  # noqa: ARG001  (so that a change is seen)
    """Stem -> image files of a folder that was changed last at this time."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS:
            found.setdefault(path.stem, []).append(path)
    return found


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
    found = files.get(stem, [])
    if len(found) != 1:
        names = " and ".join(path.name for path in found)
        what = f"more than one image of this name ({names})" if found else f"none of its {len(files)} images"
        raise InputError(f"{who}: for the pair {stem} there is {what} in {folder}; expected {stem}.png or the like.")
    return found[0]
