"""File lists: which pairs a table was made from, and whether a download has the same files."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from dream_if.errors import InputError
from dream_if.storage import Pair, file_digest

__all__ = ["find_differences", "list_files"]

COLUMNS = ("set", "name", "size", "visible_sha256", "infrared_sha256")


def list_files(sets: Mapping[str, Iterable[Pair]]) -> str:
    """The pairs of sets as CSV: set, name, width and height in pixels such as 640x480, and a hash of each file.

    Args:
        sets: name -> its pairs.

    Returns:
        A header, and a line for each pair.

    Raises:
        InputError: A file cannot be read.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for name, pairs in sets.items():
        for pair in pairs:
            digests = file_digest(pair.visible), file_digest(pair.infrared)
            with Image.open(pair.visible) as image:
                table.writerow([name, pair.name, f"{image.width}x{image.height}", *digests])
    return text.getvalue()


def find_differences(path: Path, name: str, pairs: Iterable[Pair]) -> tuple[int, list[str]]:
    """Compare files with a list that `list_files` made.

    Args:
        path: the list.
        name: of the set, capitals aside; a list of one set is taken whatever its name.
        pairs: of all splits. Where several have one name, one of them suffices.

    Returns:
        How many pairs the list names, and a sentence for each that is missing and each file that is another.

    Raises:
        InputError: The list cannot be read, is none, or has several sets and none of this name.
    """
    try:
        rows = list(csv.DictReader(path.read_text().splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of files ({error}).") from error
    if not rows or not rows[0].keys() >= set(COLUMNS):
        raise InputError(f"{path}: expected a list of pairs with the columns {', '.join(COLUMNS)}, as a table writes.")
    sets = list(dict.fromkeys(row["set"] for row in rows))
    wanted = sets[0] if len(sets) == 1 else next((each for each in sets if each.lower() == name.lower()), None)
    if wanted is None:
        raise InputError(f"{path}: is of the sets {', '.join(sets)}; give the folder one of these names, got {name}.")
    by_name: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_name.setdefault(pair.name, []).append(pair)
    rows = [row for row in rows if row["set"] == wanted]
    different = []
    for row in rows:
        found = [_different(pair, row) for pair in by_name.get(row["name"], [])]
        found = found or [[f"{row['name']}: there is no such pair"]]
        different += sorted(found, key=len)[0]
    return len(rows), different


def _different(pair: Pair, row: Mapping[str, str]) -> list[str]:
    """A sentence for each file of a pair that is not the one listed."""
    listed = ((pair.visible, row["visible_sha256"]), (pair.infrared, row["infrared_sha256"]))
    return [f"{file}: is another file than the one listed" for file, digest in listed if file_digest(file) != digest]
