"""YAML files that people write: read whole, or refused in a sentence before they take memory or time."""

from pathlib import Path
from typing import Any

import yaml

from dream_if.errors import InputError

__all__ = ["parse_yaml", "read_yaml"]

MOST_BYTES = 1_000_000
MOST_VALUES = 20_000  # a value counts as often as aliases repeat it
DEEPEST = 50


def read_yaml(path: Path) -> Any:
    """What a YAML file says.

    Args:
        path: the file.

    Raises:
        InputError: It is no file, cannot be read, is no YAML, has a key twice, holds more than a megabyte or 20000
            values, or is nested deeper than 50 levels, as one is that refers to itself.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such configuration file.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: has more than {MOST_BYTES} bytes; a configuration has a few thousand.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a YAML file, nor any text.") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """What YAML says, such as a value of the command line.

    Args:
        text: the YAML.
        name: what messages call it.

    Raises:
        InputError: As `read_yaml`, but for the file and its length.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(name, node, [0])
        return loader.construct_document(node)
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{name}: not a YAML file: {error.problem}{line}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{name}: not a YAML file, nor any text.") from error
    except RecursionError as error:
        raise InputError(f"{name}: is nested deeper than {DEEPEST} levels.") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name}: a value cannot be read: {error}") from error


def _check(name: str, node: yaml.Node, count: list[int], above: str = "", depth: int = 0) -> None:
    """Refuse keys that are there twice, and what is too much or too deep.

    Args:
        name: what messages call the YAML.
        node: what to look at.
        count: of the values so far, one number.
        above: the key of it all, with a point at its end.
        depth: levels above it.
    """
    count[0] += 1
    if count[0] > MOST_VALUES or depth > DEEPEST:
        what = f"is nested deeper than {DEEPEST} levels" if depth > DEEPEST else f"has more than {MOST_VALUES} values"
        raise InputError(f"{name}: {what}{f', below {above[:100]}' if above else ''}; aliases count in full.")
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check(name, value, count, above, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            word = str(key.value)[:100] if isinstance(key, yaml.ScalarNode) else "a key that is not a word"
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise InputError(f"{name}: {above}{word} appears twice, again in line {line}; keep one.")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            _check(name, value, count, f"{above}{word}.", depth + 1)
