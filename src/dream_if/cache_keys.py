"""Hashes of the code, classes and networks that a score depends on, so that a change makes the score invalid."""

import hashlib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dream_if.errors import InputError
from dream_if.storage import file_digest

__all__ = [
    "maker_digest",
    "package_digest",
    "source_digest",
    "state_digest",
    "thing_digest",
]


def package_digest(packages: Iterable[ModuleType]) -> str:
    """Hash of the source of packages."""
    found = hashlib.sha256()
    for package in packages:
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()


def source_digest(made: Any) -> str:
    """Hash of the file that a class or function is written in; "" where there is none."""
    try:
        file = inspect.getsourcefile(made)
    except TypeError:
        file = None
    return file_digest(Path(file)) if file and Path(file).is_file() else ""


def maker_digest(class_path: str, init_args: Mapping[str, Any]) -> str:
    """Hash of a class or function that `instantiate` has imported, and of its arguments.

    Args:
        class_path: of the class, or of a function that makes things.
        init_args: its arguments. Where one names a file, the content counts.

    Raises:
        InputError: A file cannot be read.
    """
    module, _, name = class_path.rpartition(".")
    where = sys.modules[module]
    found = hashlib.sha256(class_path.encode())
    for source in (source_digest(where), source_digest(getattr(where, name))):  # a package may only pass it on
        found.update(f"{source};".encode())
    _take(found, dict(init_args), files=True)
    return found.hexdigest()


def thing_digest(class_path: str, init_args: Mapping[str, Any], made: Any) -> str:
    """Hash of all that is known of a thing that `instantiate` made: its maker, its own class and its tensors.

    Args:
        class_path: see `maker_digest`.
        init_args: see `maker_digest`.
        made: the thing.

    Raises:
        InputError: A file or the tensors of a network cannot be read.
    """
    own = made if isinstance(made, FunctionType | MethodType) else type(made)
    parts = [maker_digest(class_path, init_args), source_digest(own), state_digest(made)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def state_digest(made: Any) -> str:
    """Hash of the tensors of a network, byte by byte; of anything else, of those it holds as attributes or encloses.

    Weights may come from a file that the arguments do not name.

    Raises:
        InputError: A tensor cannot be read.
    """
    held = made
    if isinstance(made, FunctionType):
        held = inspect.getclosurevars(made).nonlocals
    elif not isinstance(made, nn.Module):
        held = getattr(made, "__dict__", {})
    if isinstance(held, Mapping):
        held = {name: value for name, value in held.items() if isinstance(value, nn.Module | Tensor | np.ndarray)}
    found = hashlib.sha256()
    _take(found, held)
    return found.hexdigest()


def _take(found: "hashlib._Hash", value: Any, *, files: bool = False) -> None:
    """Take a value into a hash; what is no container, tensor or network by its text."""
    if isinstance(value, nn.Module):
        try:
            value = value.state_dict()  # which may have more than tensors: what get_extra_state returns
        except Exception as error:  # that is foreign code
            raise InputError(f"the state of a {type(value).__name__} cannot be read ({error}).") from error
    if isinstance(value, Mapping):
        for name in sorted(value, key=str):
            found.update(f"{name!r}:".encode())
            _take(found, value[name], files=files)
        found.update(b"}")
    elif isinstance(value, list | tuple):
        for entry in value:
            _take(found, entry, files=files)
        found.update(b"]")
    elif isinstance(value, np.ndarray) and value.dtype != object:
        found.update(f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Tensor):
        try:
            content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        except (RuntimeError, ValueError) as error:  # a sparse one, or one without content: on meta, or not yet made
            raise InputError(f"a tensor among what it holds cannot be read ({error}).") from error
        found.update(f"{value.dtype} {tuple(value.shape)} ".encode() + content)
    else:
        if files and isinstance(value, str) and _is_file(value):
            found.update(file_digest(Path(value).expanduser()).encode())
        found.update(re.sub(r" at 0x[0-9a-fA-F]+", "", f"{value!r};").encode())  # another one in each process


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, no such home
        return False
