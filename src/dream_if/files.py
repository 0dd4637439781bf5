"""Writing files so that what is there is always whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dream_if.errors import InputError

__all__ = ["atomic_file", "make_folder", "write_atomically"]


def make_folder(path: Path) -> Path:
    """Make a folder for output, and its parents, unless it is there.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: this output folder cannot be made ({error.strerror}); name another.") from error
    if not os.access(path, os.W_OK):
        raise InputError(f"{path}: this output folder cannot be written to; change its rights or name another.")
    return path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A file to write piece by piece: it takes its name when the block ends, and is gone if the block fails.

    Args:
        path: the file. Under its name there is the old content or the new, never a part.

    Yields:
        An empty file beside it, to be written to.

    Raises:
        InputError: The folder cannot be written to, or the disk is full.
    """
    make_folder(path.parent)
    part = None
    try:
        # Beside the file, not in the system's folder for such: a rename across file systems would be a copy.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = Path(file.name)
        yield part
        part.chmod(0o644)  # a temporary file is its owner's alone
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); what was there before is as it was. Make room or name "
            "another folder."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)  # gone already where it became the file


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write a file at once: under its name there is the old content or the new, never a part.

    Raises:
        InputError: The folder cannot be written to, or the disk is full.
    """
    with atomic_file(path) as part:
        part.write_bytes(data)
