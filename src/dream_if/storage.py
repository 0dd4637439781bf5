"""Files on disk: files and folders written whole, JSON lines, hashes, and images listed and paired by name."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from dream_if.errors import DiskError, InputError

try:
    import fcntl
except ImportError:  # Windows: nobody can tell whether another process is alive
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "IMAGE_ENDINGS",
    "Matches",
    "Pair",
    "append_json_lines",
    "atomic_file",
    "atomic_folder",
    "cache_key",
    "file_digest",
    "images_by_stem",
    "list_folder",
    "make_folder",
    "match",
    "read_json_lines",
    "refuse_used_folder",
    "write_atomically",
]

PART = ".dream-if"
"""The ending of hidden files and folders that are not whole yet."""

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
"""Of the files that are taken for images, in any case."""


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

    What a killed process has left of files in this folder is removed. Of two processes that write the same file, the
    one that is ready last has the say.

    Args:
        path: the file. Under its name there is the old content or the new, never a part.

    Yields:
        An empty file beside it, to be written to.

    Raises:
        InputError: The folder cannot be written to, or the disk is full.
    """
    new = not path.parent.exists()
    make_folder(path.parent)
    part = lock = None
    try:
        part, lock = _new_part(path)
        yield part
        part.chmod(0o644)  # a temporary file is its owner's alone
        part.replace(path)
    except OSError as error:
        raise DiskError(
            f"{path}: cannot be written ({error.strerror}); what was there before is as it was. Make room or name "
            "another folder."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)  # gone already where it became the file
        if lock is not None:
            os.close(lock)
        if new:
            with suppress(OSError):  # there is something in it
                path.parent.rmdir()


def _new_part(path: Path) -> tuple[Path, int | None]:
    """An empty file beside another, and its lock, see `_lock`."""
    _remove_left_overs(path.parent.resolve())
    while True:
        # Beside the file, not in the system's folder for such: a rename across file systems would be a copy.
        handle, name = tempfile.mkstemp(PART, f".{path.name}.", path.parent)
        os.close(handle)
        with suppress(BlockingIOError, FileNotFoundError):  # another process took it for a left-over
            lock = _lock(Path(name))
            if lock is None or os.path.exists(name):
                return Path(name), lock
            os.close(lock)


@cache
def _remove_left_overs(folder: Path) -> None:
    """Remove what killed processes were writing: once, for a folder may hold very many files."""
    for left in folder.glob(f".*{PART}"):
        with suppress(OSError):  # it is another process's, or gone
            if left.is_file() and (lock := _lock(left)) is not None:
                left.unlink()
                os.close(lock)


def _lock(path: Path) -> int | None:
    """Lock a file or folder for this process as long as what is returned is open; a killed process keeps none.

    Returns:
        None where the system or the disk knows no locks.

    Raises:
        BlockingIOError: Another process has it.
        FileNotFoundError: It is gone.
    """
    if fcntl is None:
        return None
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return lock


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write a file at once: under its name there is the old content or the new, never a part.

    Raises:
        InputError: The folder cannot be written to, or the disk is full.
    """
    with atomic_file(path) as part:
        part.write_bytes(data)


def refuse_used_folder(path: Path, purpose: str) -> None:
    """Make sure that a folder that is to be made is not there yet, or empty.

    Args:
        path: the folder.
        purpose: what is to be written there, for the message.

    Raises:
        InputError: There are files in it, or it is a file.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path}: expected a new or empty folder for {purpose}, found one in use; name another.")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill: it takes its name when the block ends, and is gone if the block fails.

    Args:
        path: the folder. It must not be there yet, or be empty. What a killed process has left of it is removed.

    Yields:
        The empty folder to be filled, a hidden one beside it.

    Raises:
        InputError: Another process fills it; it cannot be written to, or the disk is full.
    """
    make_folder(path.parent)
    whole = Path(os.path.abspath(path))  # "." has no name
    part, lock = whole.with_name(f".{whole.name}{PART}"), None
    try:
        there = part.exists()
        part.mkdir(exist_ok=True)
        lock = _lock(part)
        if there and lock is None:  # where there are no locks it must be new
            raise FileExistsError
        for left in part.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if not isinstance(error, FileExistsError | BlockingIOError | FileNotFoundError):
            raise InputError(f"{path}: cannot be written ({error.strerror}).") from error
        raise InputError(
            f"{path}: another process is filling it; wait for that one. If there is none, remove {part}."
        ) from error
    try:
        yield part
        part.replace(whole)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); nothing was kept. Make room or name another folder."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # gone already where it became the folder
        if lock is not None:
            os.close(lock)


def read_json_lines(path: Path) -> list[Any]:
    """What `append_json_lines` wrote; lines that are no JSON, as a crash leaves them, are passed over.

    Raises:
        InputError: The file is there and cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); remove it to start again.") from error
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def append_json_lines(path: Path, entries: Iterable[Any]) -> None:
    """Add entries to a file, one JSON value a line, and return once they are safe on the disk.

    Raises:
        InputError: The file cannot be written to, or the disk is full.
    """
    text = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    try:
        with path.open("a+b") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that a crash cut short must not swallow the next one
                    text = f"\n{text}"
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({error.strerror}).") from error


def cache_key(parts: Any, **options: Any) -> str:
    """SHA-256, in hexadecimal digits, of everything that a stored result depends on.

    Args:
        parts: what JSON can hold.
        **options: of `json.dumps`.

    >>> cache_key(["small", 3])[:8]
    '5fca2216'
    """
    return hashlib.sha256(json.dumps(parts, **options).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error


def list_folder(path: Path) -> list[Path]:
    """What lies in a folder, sorted, without the dot files, which are side files of some systems.

    Raises:
        InputError: It cannot be listed.
    """
    try:
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{path}: cannot be listed ({error.strerror}).") from error


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Stem -> the image files of that stem in a folder.

    Raises:
        InputError: It cannot be listed.
    """
    found: dict[str, list[Path]] = {}
    for entry in list_folder(folder):
        if entry.suffix.lower() in IMAGE_ENDINGS and entry.is_file():
            found.setdefault(entry.stem, []).append(entry)
    return found


@dataclass(frozen=True)
class Pair:
    """A visible and an infrared file of the same scene; ``name`` is their common stem."""

    name: str
    visible: Path
    infrared: Path


class Matches(NamedTuple):
    """What two folders hold together, by stem.

    ``ambiguous`` lists the files that share folder and stem (``a.png``, ``a.jpg``); their stems are in no pair.
    """

    pairs: list[Pair]
    without_infrared: list[Path]
    without_visible: list[Path]
    ambiguous: list[list[Path]]


def match(visible: Path, infrared: Path) -> Matches:
    """Pair the images of two folders by stem; nothing is raised for what does not match.

    Args:
        visible: Folder of visible images.
        infrared: Folder of infrared images.

    Returns:
        Pairs sorted by name, and what could not be paired.
    """
    first, second = images_by_stem(visible), images_by_stem(infrared)
    ambiguous = [files for group in (first, second) for _, files in sorted(group.items()) if len(files) > 1]
    unclear = {files[0].stem for files in ambiguous}
    return Matches(
        pairs=[
            Pair(stem, first[stem][0], second[stem][0]) for stem in sorted((first.keys() & second.keys()) - unclear)
        ],
        without_infrared=[first[stem][0] for stem in sorted(first.keys() - second.keys())],
        without_visible=[second[stem][0] for stem in sorted(second.keys() - first.keys())],
        ambiguous=ambiguous,
    )
