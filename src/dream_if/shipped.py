"""The configurations and sweeps that come with the package: `--config small` works from any folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dream_if.errors import InputError

__all__ = ["PLACE", "find", "names", "with_shipped"]

PACKAGE = Path(__file__).resolve().parent
BUILT = PACKAGE / "configurations"  # where setup.py puts them; in a checkout they lie beside src
PLACE = BUILT if BUILT.is_dir() else PACKAGE.parents[1]


def names(folder: str) -> list[str]:
    """Names of the YAML files of ``experiments`` or ``sweeps``, such as ``ablation/rd``."""
    files = (PLACE / folder).rglob("*.yaml")
    return sorted(file.relative_to(PLACE / folder).with_suffix("").as_posix() for file in files)


def find(given: str, folder: str) -> str:
    """What a word means where a file is wanted: itself, unless it names a file that comes with the package.

    Args:
        given: a path; ``small``; or ``experiments/small.yaml``, as files of the package name each other.
        folder: ``experiments`` or ``sweeps``.

    Raises:
        InputError: It is neither, and has no ending, so that only a name can be meant.
    """
    if Path(given).expanduser().exists():
        return given
    name = given.removeprefix(f"{folder}/").removesuffix(".yaml")
    file = PLACE / folder / f"{name}.yaml"
    if file.is_file():
        return str(file)
    if not Path(given).suffix:
        raise InputError(f"{given}: neither a file nor one of ours, which are {', '.join(names(folder))}.")
    return given


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
