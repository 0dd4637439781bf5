"""Settings from a YAML file as a dataclass, each checked by its type."""

import re
from argparse import ArgumentError
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar, get_type_hints

from jsonargparse import ArgumentParser

from dream_if.errors import InputError

__all__ = ["expected", "from_up", "read_settings"]

Made = TypeVar("Made")


def _anything(_value: Any) -> bool:
    return True


def from_up(least: int) -> Callable[[Any], bool]:
    """Whether a number, or each of several, is the least one or more."""
    return lambda value: all(number >= least for number in (value if isinstance(value, list | tuple) else [value]))


def expected(
    words: str, default: Any = None, fits: Callable[[Any], bool] = _anything, make: Callable[[], Any] | None = None
) -> Any:
    """A field of settings.

    Args:
        words: what is expected, for the message about another value.
        default: its value where the file says nothing.
        fits: whether a value of the right type is one of those expected.
        make: makes the default, where it can be changed.
    """
    metadata = {"expected": words, "fits": fits}
    return field(default_factory=make, metadata=metadata) if make else field(default=default, metadata=metadata)


def read_settings(kind: type[Made], given: Any, where: str, whose: Callable[[str], str] | None = None) -> Made:
    """Make a dataclass of what a file says.

    Args:
        kind: the dataclass; fields that `expected` made have words for messages.
        given: what the file says.
        where: the key of it all, for messages.
        whose: gives the key of a setting by its name; ``<where>.<name>`` if left out.

    Raises:
        InputError: It is no mapping, has another key, or a value has another type.
    """
    known = {entry.name: entry.metadata for entry in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(given, Mapping) or set(given) - set(known):
        got = ", ".join(map(str, given)) if isinstance(given, Mapping) else repr(given)
        raise InputError(f"{where}: expected a mapping with some of {', '.join(known)}; got {got}.")
    # The parser would look into what may be anything for classes of its own.
    typed = {name: kind_of for name, kind_of in get_type_hints(kind).items() if kind_of is not Any and name in given}
    parser = ArgumentParser(exit_on_error=False)
    for name, kind_of in typed.items():
        parser.add_argument(f"--{name}", type=kind_of)
    wrong, reason = "", "another value"
    try:
        made = kind(**dict(given) | parser.parse_object({name: given[name] for name in typed}).as_dict())
    except ArgumentError as error:
        found = re.search(r'Parser key "(\w+)', str(error))
        wrong, reason = found[1] if found else "", str(error)
    else:
        ill = [
            key for key in given if given[key] is not None and not known[key].get("fits", _anything)(getattr(made, key))
        ]
        if not ill:
            return made
        wrong = ill[0]
    key = whose(wrong) if whose else f"{where}.{wrong}"
    raise InputError(
        f"{key}: expected {known[wrong].get('expected', reason) if wrong else reason}, got {given.get(wrong)!r}."
    )
