"""The points of a W&B sweep file, and the command of each.

The words of a command are those that ``wandb agent`` would run, in the same order. The keys are those of schema.json in
W&B's package `sweeps` 0.3.0.
"""

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.messages import configurations, flat, keys_of, read_configuration
from dream_if.shipped import find

__all__ = ["Sweep", "command_of", "expand", "fit_arguments", "point_name", "point_settings", "read_sweep"]

Value = str | int | float | bool | list[Any]

# What a grid may say; the rest of W&B's keys is for its server or its launcher.
USED_KEYS = {"name", "project", "program", "method", "command", "parameters"}
IDLE_KEYS = {"apiVersion", "kind", "description", "entity", "metric", "metrics"}
OTHER_KEYS = {"controller", "job", "image_uri", "run_cap", "scheduler", "early_terminate"}

VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


@dataclass(frozen=True)
class Sweep:
    """A grid.

    Attributes:
        path: its file.
        name: what it is called; the file's stem where the file says nothing.
        project: of W&B, by which the runs' folder is called; None where the file says nothing.
        command: its words, with macros such as ``${args}``.
        parameters: the values of each parameter, by its name; names are sorted, as W&B sorts them.
    """

    path: Path
    name: str
    project: str | None
    command: tuple[str, ...]
    parameters: Mapping[str, tuple[Value, ...]]


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        InputError: It is no sweep file, or one that takes W&B's server: another method than a grid, for instance.
    """
    content = read_configuration(path)
    known = USED_KEYS | IDLE_KEYS | OTHER_KEYS
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise InputError(f"{path}: a sweep has no key {key}" + (f"; did you mean {near[0]}?" if near else "."))
    for key in ("method", "parameters", "command"):
        if not content.get(key):
            raise InputError(f"{path}: {key} is missing; sweeps/table4.yaml in the repository has one to look at.")
    method = content["method"]
    if method != "grid":
        raise InputError(
            f"{path}: method is {method}, which chooses points by means of W&B's server; here only a grid is run. "
            f"With an account: wandb sweep {path}, then wandb agent --forward-signals <the name it prints>."
        )
    for key in OTHER_KEYS & content.keys():
        raise InputError(
            f"{path}: {key} is for W&B's server; leave it out to run the grid here, or with an account: "
            f"wandb sweep {path}, then wandb agent --forward-signals <the name it prints>."
        )
    if not isinstance(content["parameters"], dict):
        raise InputError(f"{path}: parameters: expected values by name, got {content['parameters']}.")
    if not isinstance(content["command"], list):
        raise InputError(f"{path}: command: expected a list of words, got {content['command']}.")
    for name in content["parameters"]:
        if not isinstance(name, str):
            raise InputError(f"{path}: parameters: expected names of settings, got {name}.")
    parameters = {name: _values(path, name, choice) for name, choice in sorted(content["parameters"].items())}
    program = content.get("program")
    command = tuple(str(program) if word == "${program}" and program else str(word) for word in content["command"])
    project = content.get("project")
    return Sweep(
        path, str(content.get("name", path.stem)), None if project is None else str(project), command, parameters
    )


def _values(path: Path, name: str, choice: Any) -> tuple[Value, ...]:
    """The values of one parameter of a grid."""
    where = f"{path}: parameters.{name}"
    if not isinstance(choice, dict) or len(choice.keys() & {"value", "values"}) != 1:
        raise InputError(f"{where}: a grid takes 'values: [...]' or one 'value: ...', got {choice}.")
    if choice.keys() - {"value", "values"} and choice.get("distribution") not in ("categorical", "constant"):
        raise InputError(f"{where}: a grid has no distributions; write 'values: [...]' alone, got {choice}.")
    values = choice["values"] if "values" in choice else [choice["value"]]
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}.values: expected a list of values, got {values}.")
    for value in values:
        if value is None:
            raise InputError(f"{where}: null would arrive as the text None; write it in quotes, 'null'.")
        if not isinstance(value, str | int | float | bool | list):
            raise InputError(
                f"{where}: expected texts, numbers, true or false, got {value}; settings that change together go "
                "into a configuration file, and its name here, with the parameter config."
            )
    if len({_as_text(where, value) for value in values}) < len(values):
        raise InputError(f"{where}: a value appears twice, so points would run twice; got {values}.")
    return tuple(values)


def _as_text(where: str, value: Value) -> str:
    """A value as JSON, which tells values apart, 1 and true among them."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:  # a date in a list, which YAML knows and JSON does not
        raise InputError(f"{where}: {value} holds what is neither text nor number; write dates in quotes.") from error


def expand(sweep: Sweep) -> list[dict[str, Value]]:
    """The points of a grid, each as its parameters' values by name; the last name changes fastest."""
    return [dict(zip(sweep.parameters, values, strict=True)) for values in product(*sweep.parameters.values())]


def point_settings(point: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a point of a sweep, by dotted key, those in the file that its ``config`` names included."""
    overlay = read_configuration(Path(find(str(point["config"]), "experiments"))) if "config" in point else {}
    return dict(flat(overlay)) | {key: value for key, value in point.items() if key != "config"}


def point_name(point: Mapping[str, Value]) -> str:
    """A name for a point that people can read, and that no other point has: ``rd_ce-2-3f9a1c``.

    It depends on the point alone, so that a value that joins the grid later changes no other name. It serves as a
    folder's name and as W&B's run id.
    """
    texts = [Path(value).stem if isinstance(value, str) else str(value) for value in point.values()]
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", "-".join(texts)).strip("-._")[:48]
    digest = hashlib.sha256(json.dumps(point, sort_keys=True).encode()).hexdigest()
    return f"{readable or 'point'}-{digest[:6]}"


def command_of(
    sweep: Sweep, point: Mapping[str, Value], presets: Sequence[str] = (), overrides: Sequence[str] = ()
) -> list[str]:
    """The words that run a point.

    Without presets and overrides they are those that ``wandb agent`` would run.

    Args:
        sweep: the grid.
        point: one of its points.
        presets: configuration files that take the place of those that the command itself names.
        overrides: options that come last.

    Raises:
        InputError: The command has a macro that is unknown here, does not use the point's parameters, or an override
            would change what the point is.
    """
    macros = {
        "${env}": ["/usr/bin/env"],
        "${args}": [f"--{name}={value}" for name, value in point.items()],
        "${args_no_equals}": [text for name, value in point.items() for text in (f"--{name}", str(value))],
    }
    _refuse_changes_of(point, overrides)
    words: list[str] = []
    for word in _with_presets(sweep, presets):
        if word in macros:
            words += macros[word]
            continue
        words.append(VARIABLE.sub(lambda found: _variable(sweep, found[1]), word))
        if "${" in words[-1]:
            raise InputError(
                f"{sweep.path}: command: {word} is unknown here; expected {', '.join(macros)}, ${{envvar:NAME}}, or "
                "${program} with a program in the file."
            )
    if point and not {"${args}", "${args_no_equals}"} & set(sweep.command):
        raise InputError(
            f"{sweep.path}: command: it does not use the parameters, so that all points would be the same run; end it "
            "with ${args}."
        )
    return [*words, *overrides]


def fit_arguments(sweep: Sweep, command: Sequence[str]) -> list[str]:
    """The arguments of ``dream-if`` in a command, from ``fit`` on.

    Raises:
        InputError: The command is another one.
    """
    start = command.index("dream-if") if "dream-if" in command else len(command)
    # env takes variables in front of the program
    ahead = [word for word in command[:start] if "=" not in word or word.startswith("-")]
    if ahead not in ([], ["/usr/bin/env"]) or list(command[start + 1 : start + 2]) != ["fit"]:
        raise InputError(f"{sweep.path}: command: expected ${{env}}, dream-if, fit, ..., got {' '.join(command)}.")
    return list(command[start + 1 :])


def _variable(sweep: Sweep, name: str) -> str:
    if name not in os.environ:
        raise InputError(f"{sweep.path}: command: the environment variable {name} is not set.")
    return os.environ[name]


def _with_presets(sweep: Sweep, presets: Sequence[str]) -> list[str]:
    """The command with other configuration files, in the place of its first."""
    if not presets:
        return list(sweep.command)
    words: list[str] = []
    places: list[int] = []
    following = False
    for word in sweep.command:
        if following or word == "--config" or word.startswith("--config="):
            places.append(len(words))
            following = word == "--config"
        else:
            words.append(word)
    if not places:
        raise InputError(f"{sweep.path}: command: there is no --config for a preset to replace.")
    return [*words[: places[0]], *(f"--config={preset}" for preset in presets), *words[places[0] :]]


def _refuse_changes_of(point: Mapping[str, Value], overrides: Sequence[str]) -> None:
    """Refuse overrides that come after a point's own settings and would undo them."""
    for path in configurations(["fit", *overrides]):
        raise InputError(
            f"--config {path} would come after the point's own settings and could undo them; put it before the --, "
            f"as --preset {path}: it then takes the place of the command's own configuration."
        )
    settled = set(point)
    if "config" in point:
        settled.update(keys_of(read_configuration(Path(find(str(point["config"]), "experiments")))))
    for name in _flags(overrides):
        if name in settled or any(key.startswith(f"{name}.") for key in settled):
            raise InputError(f"--{name} is what the sweep itself varies; take it out of the options after --.")


def _flags(words: Iterable[str]) -> list[str]:
    return [word[2:].partition("=")[0] for word in words if word.startswith("--")]
