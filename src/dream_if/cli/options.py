"""Reading the options of a verb from a dataclass whose fields are made by `option`, `positional` and `rest`."""

import re
from collections.abc import Sequence
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_origin, get_type_hints

from jsonargparse import ArgumentParser

from dream_if.errors import InputError
from dream_if.messages import explain

__all__ = ["OneLineErrors", "is_stream", "named_folders", "option", "positional", "read_options", "rest"]

Options = TypeVar("Options")


class OneLineErrors:
    """For a parser: says what is wrong in a line, without the usage of a hundred options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Half a flag is a typo like any other. The next class is a parser, which mypy cannot know.
        super().__init__(*args, allow_abbrev=False, **kwargs)  # type: ignore[call-arg]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message as an InputError."""
        raise InputError(message) from ex


class Parser(OneLineErrors, ArgumentParser):
    """Of our own verbs."""


def option(about: str, *, default: Any = MISSING, short: str = "", **how: Any) -> Any:
    """A field for ``--name``, with ``-`` for ``_``; required without a default, a flag where the default is False.

    A field of the type ``Sequence[str]`` takes several words, by ``action="append"`` or ``nargs="+"``.

    Args:
        about: its help.
        default: its value if it is left out.
        short: another flag, such as ``-o``.
        **how: more for ``add_argument``.
    """
    if default is False:
        how |= {"action": "store_true"}
    return field(default=default, metadata={"flags": [short] if short else [], "how": how | {"help": about}})


def positional(about: str, *, default: Any = MISSING, **how: Any) -> Any:
    """A field for an argument without a flag; it may be left out where it has a default."""
    if default is not MISSING:
        how = {"nargs": "?"} | how
    return field(default=default, metadata={"flags": None, "how": how | {"help": about}})


def rest() -> Any:
    """A field for the words after ``--``, of which a verb has at most one."""
    return field(default=(), metadata={"rest": True})


def read_options(kind: type[Options], args: Sequence[str], *, prog: str, about: str) -> Options:
    """Read the options of a verb.

    Args:
        kind: a dataclass of fields that this module makes.
        args: the words after the verb.
        prog: the command up to the verb, for the help.
        about: what the verb does, likewise.

    Raises:
        InputError: An option is missing, unknown, or of another type than its field.
    """
    parser = Parser(prog=prog, description=about)
    after: dict[str, tuple[str, ...]] = {}
    hints = get_type_hints(kind)
    for each in fields(kind):  # type: ignore[arg-type]  # which is a dataclass
        if each.metadata.get("rest"):
            place = args.index("--") if "--" in args else len(args)
            args, after[each.name] = args[:place], tuple(args[place + 1 :])
        else:
            _add(parser, each.name, hints[each.name], each.default, **each.metadata)
    try:
        given = parser.parse_args(list(args))
    except InputError as error:
        flags = {name: name.replace("_", "-") for name in parser.get_defaults().keys()}  # noqa: SIM118  (a Namespace)
        message = re.sub(r'(?<=Parser key ")(\w+)', lambda key: f"--{flags[key[1]]}", str(error))
        raise InputError(explain(message, flags.values())) from error
    return kind(**vars(given), **after)


def _add(parser: Parser, name: str, kind: Any, default: Any, flags: list[str] | None, how: dict[str, Any]) -> None:
    """Add one option: text as it is, other types as jsonargparse reads them; None is a default alone."""
    kind = next((plain for plain in (str, int, float) if kind == plain | None), kind)
    several = get_origin(kind) is Sequence
    if kind is not str and not several and not how.keys() & {"action", "choices"}:
        how = how | {"type": kind}
    if default is not MISSING:
        how = how | {"default": list(default) if several else default}
    elif flags is not None:
        how = how | {"required": True}
    names = [name] if flags is None else [*flags, f"--{name.replace('_', '-')}"]
    parser.add_argument(*names, **how)


def is_stream(word: str) -> bool:
    """Whether a source or output is a URL (``udp://``, ``pipe:0``) or a camera's device, and no file."""
    return re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:", word) is not None or word.startswith("/dev/video")


def named_folders(given: Sequence[str]) -> dict[str, Path]:
    """The NAME=FOLDER of ``--fused`` as a mapping, in their order.

    Raises:
        InputError: one of them has another form, or a name is there twice.
    """
    folders: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        name = name.strip()
        if not (name and equals and folder):
            raise InputError(f"--fused: expected NAME=FOLDER, such as ours=results/ours, got {text!r}.")
        if name in folders:
            raise InputError(f"--fused: the name {name!r} is given twice; each method needs its own.")
        folders[name] = Path(folder).expanduser()
    return folders
