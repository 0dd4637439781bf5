"""Readable messages about configurations and arguments that cannot be used."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.yaml_files import read_yaml

__all__ = ["LONGEST", "configurations", "explain", "flat", "keys_of", "read_configuration"]


def configurations(args: Sequence[str]) -> Iterator[str]:
    """The files that the arguments name as configurations."""
    for word, following in zip(args, [*args[1:], ""], strict=True):
        if word in ("-c", "--config") and following:
            yield following
        elif word.startswith("--config="):
            yield word.removeprefix("--config=")


def read_configuration(path: Path) -> dict[str, Any]:
    """Make sure that a file is YAML with settings by name; the parser's own complaint would not name the file.

    Raises:
        InputError: It is not, see also `read_yaml`, or has so many classes that the parser would not come to an end.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected settings by name, such as 'data: {{crop: 96}}', and found none.")
    classes = sum(key.endswith("class_path") for key in keys_of(content))
    if classes > MOST_CLASSES or _classes_deep(content) > DEEPEST_CLASSES:
        raise InputError(
            f"{path}: has more than {MOST_CLASSES} class_path, or more than {DEEPEST_CLASSES} within each other; the "
            "parser's time doubles or triples with each level."
        )
    return content


def _classes_deep(content: Any) -> int:
    """How many class_path stand within each other."""
    below = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    own = isinstance(content, dict) and "class_path" in content
    return own + max(map(_classes_deep, below), default=0)


def keys_of(content: Any, above: str = "") -> Iterator[str]:
    """Every key in a configuration with those above it, such as ``data.degradation.init_args.clean``."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield f"{above}{key}"
            yield from keys_of(value, f"{above}{key}.")
    if isinstance(content, list):
        for value in content:
            yield from keys_of(value, above)


def flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting that is no mapping itself, with its dotted key."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def explain(message: str, known: Iterable[str] = (), written: Sequence[str] = ()) -> str:
    """A message of the parser in words for people, with the setting that may have been meant.

    Args:
        message: what the parser said.
        known: all settings.
        written: the settings in configuration files: below a ``class_path`` the parser gives but their last part.
    """

    def whole(name: str) -> str:
        return next((key for key in written if key == name or key.endswith(f".{name}")), name)

    message = FOR_DEVELOPERS.sub("", message)
    unknown = UNKNOWN.search(message)
    if unknown:
        flag, name = unknown[1], whole(unknown[2])
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
        what = "setting" if flag or "unrecognized" not in message else "argument"
        return f"there is no {what} {flag}{name}" + (f"; did you mean {flag}{near[0]}?" if near else ".")
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    value = next(
        (found[2] for found in (re.search(r"(Given value:|Got value:) (.*)", line) for line in lines) if found), ""
    )
    keys = [whole(key) for key in re.findall(r'Parser key "([^"]+)":', message)]
    if len(keys) > 1 and keys[-1].startswith(keys[0]):
        del keys[:-1]  # the innermost says it all
    reasons = dict.fromkeys(line for line in lines if line and not line.startswith(FRAMING))
    wanted = dict.fromkeys(filter(None, map(_wanted, lines)))
    if wanted and any(line.startswith(NO_PATH) for line in reasons):
        wanted |= {"a path such as package.module.name": None}
        reasons = {line: None for line in reasons if not line.startswith(NO_PATH)}
    told = [re.sub(f"{NO_PATH}(.*)", CLASS_HELP, line) for line in reasons]
    told = [SHARE.sub(r"expected 0 or more and below 1, got \1.", line) for line in told]
    got = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    text = " ".join(told) if told else f"expected {' or '.join(wanted)}, got {got}." if wanted else message
    return ": ".join([*keys, text])


LONGEST = 200
"""Characters of a value that a message repeats."""

DEEPEST_CLASSES, MOST_CLASSES = 6, 100  # the parser took a second for 7 within each other, and minutes for 8

UNKNOWN = re.compile(
    r"(?:unrecognized arguments: |Subcommand '\w+' does not accept option '|Option '(?=.*' is not accepted))"
    r"(-*)([^\s'=]+)"
)

FOR_DEVELOPERS = re.compile(r"[^.\n]*\bset_parsing_settings\b[^.\n]*(\.|$)", re.MULTILINE)
"""A sentence about what to write in code of ours."""

NO_PATH = "Expected a dot import path string: "

CLASS_HELP = r"\1 is not a known class; write its full path, such as torch.optim.AdamW."

SHARE = re.compile(r"Not of type Share: (?:could not convert string to float: )?(\S{1,200}).*")

# How the parser frames the reasons why a value fits none of the types that a setting may have.
FRAMING = (
    "Parser key ",
    "Does not validate against any of the Union subtypes",
    "Subtypes: ",
    "Errors:",
    "Expected a <class ",
    "Expected a typing.Literal",
    "Expected a path but ",
    "Not a valid subclass of ",
    "Subclass types expect one of",
    "a class path (str)",
    "a dict with",
    "Given value",
)


def _wanted(line: str) -> str:
    """What a value should have been, from a line such as ``Expected a <class 'int'>``."""
    choice = re.match(r"Expected a typing\.Literal\[([^\]]*)\]", line)
    if choice:
        return choice[1].replace("'", "")
    kind = re.match(r"Expected a <class '([^']+)'>", line)
    names = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "NoneType": "null"}
    return names.get(kind[1], kind[1]) if kind else ""
