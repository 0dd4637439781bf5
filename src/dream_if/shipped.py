"""The configurations and sweeps that come with the package: `--config small` works from any folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["find", "names", "with_shipped"]

PACKAGE = Path(__file__).resolve().parent
PLACES = (PACKAGE, PACKAGE.parents[1])  # installed; a checkout


def names(folder: str) -> list[str]:
    """Names of the YAML files of ``experiments`` or ``sweeps``, such as ``ablation/rd``."""
    files = {file.relative_to(place / folder) for place in PLACES for file in (place / folder).rglob("*.yaml")}
    return sorted(file.with_suffix("").as_posix() for file in files)


def find(given: str, folder: str) -> str:
    """What a word means where a file is wanted: itself, unless it names a file that comes with the package.

    Args:
        given: a path; ``small``; or ``experiments/small.yaml``, as files of the package name each other.
        folder: ``experiments`` or ``sweeps``.
    """
    if Path(given).exists():
        return given
    name = given.removeprefix(f"{folder}/").removesuffix(".yaml")
    files = [place / folder / f"{name}.yaml" for place in PLACES]
    return next((str(file) for file in files if file.is_file()), given)


def with_shipped(args: Sequence[str]) -> list[str]:
    """The arguments, with paths in the place of names of configurations."""
    return list(_found(args))


def _found(args: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in args:
        flag, equals, given = word.partition("=")
        if flag == "--config" and equals:
            yield f"{flag}={find(given, 'experiments')}"
        else:
            yield find(word, "experiments") if before in ("-c", "--config") else word
        before = word
