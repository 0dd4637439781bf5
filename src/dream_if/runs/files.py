"""The files that a run leaves, read and checked: settings, metrics, and the metrics of single images."""

import csv
import io
import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from dream_if.errors import InputError
from dream_if.yaml_files import read_yaml

__all__ = ["NETWORK", "SHUFFLED", "is_statistic", "read_config", "read_images", "read_metrics"]

NETWORK = "network"
"""What per_image.csv calls the network among the methods."""

SHUFFLED = "shuffled"
"""What it calls the network with the dominance maps of another image."""


def is_statistic(name: str) -> bool:
    """Whether a column is a statistic of dominance maps, by its name, and no metric."""
    return name.startswith("RD_")


def read_config(path: Path) -> dict[str, Any] | None:
    """The settings of a run; None for another program's file of the same name, such as a tracker's.

    Raises:
        InputError: It is not YAML, or a setting that a table reads is not what a run writes.
    """
    try:
        config = read_yaml(path)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; move its folder away and repeat the run.") from error
    if not isinstance(config, dict) or not {"model", "data", "trainer", "seed_everything"} <= config.keys():
        return None
    for name in ("model", "data", "trainer"):
        _expect(path, name, config[name], dict, "settings by name")
    _expect(path, "model.net", config["model"].get("net"), dict, "settings by name")
    _expect(path, "checkpoint", config.get("checkpoint", {}), dict, "settings by name")
    _expect(path, "seed_everything", config["seed_everything"], int, "a whole number")
    _expect(path, "group", config.get("group"), str | None, "a name or null")
    return config


def read_metrics(path: Path) -> dict[str, Any]:
    """What a run notes of its stages, by stage; empty without such a file.

    Raises:
        InputError: It is not JSON, or not what a run writes.
    """
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({error}); move its folder away and repeat the run.") from error
    if not isinstance(record, dict) or not all(isinstance(part, dict) for part in record.values()):
        raise InputError(f"{path}: expected what a run writes, such as fit and test; move its folder away.")
    fit, test = record.get("fit", {}), record.get("test", {})
    for name in ("steps", "epochs"):
        _expect(path, f"fit.{name}", fit.get(name), int | None, "a whole number")
    _expect(path, "fit.hardware", fit.get("hardware"), str | None, "text")
    _expect(path, "fit.versions", fit.get("versions"), dict | str | None, "versions by name")
    _expect(path, "test.checkpoint", test.get("checkpoint"), str | None, "the path of a file")
    _expect(path, "test.parameters", test.get("parameters"), int | None, "a whole number")
    directions = test.get("higher_is_better", {})
    _expect(path, "test.higher_is_better", directions, dict, "true or false by metric")
    for name, higher in directions.items():
        _expect(path, f"test.higher_is_better.{name}", higher, bool, "true or false")
    _expect(path, "test.metrics", test.get("metrics", {}), dict, "numbers by name")
    for name, value in test.get("metrics", {}).items():
        _expect(path, f"test.metrics.{name}", value, int | float | None, "a number or null")
    return record


def _expect(path: Path, key: str, value: Any, kind: Any, told: str) -> None:
    """Refuse a value of another type; true and false are no numbers here, though Python takes them for such."""
    if (isinstance(value, bool) and kind is not bool) or not isinstance(value, kind):
        raise InputError(
            f"{path}: {key}: expected {told}, got {json.dumps(value, default=str)}; move its folder away and repeat "
            "the run."
        )


def read_images(path: Path, metrics: Collection[str]) -> dict[str, dict[str, pd.DataFrame]]:
    """What the network scored, and with shuffled maps where that was tested.

    Args:
        path: per_image.csv of a run.
        metrics: those there are.

    Returns:
        Method -> test set -> a line for each image, by its name, and a column for each metric and statistic of
        dominance maps; NaN where one is undefined.

    Raises:
        InputError: There is no such file, it is not what a test writes, or it has an image twice.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, which the test of a run writes; test the run again.")
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a text file; test the run again.") from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    values: dict[tuple[str, str, str], list[float]] = {}
    try:
        columns = [column for column in rows.fieldnames or () if column not in ("set", "method", "name")]
        unknown = sorted(column for column in columns if column not in metrics and not is_statistic(column))
        if unknown:
            raise InputError(
                f"{path}: this version knows no metric {', '.join(unknown)}; make the table with the version that "
                "tested the run, or test the run again."
            )
        for row in rows:
            if None in row or None in row.values():
                raise ValueError("it has another number of columns than the first line")
            place = row["method"], row["set"], row["name"]
            if place in values and place[0] in (NETWORK, SHUFFLED):
                raise InputError(
                    f"{path}: line {rows.line_num} has {place[2]} of {place[1]} a second time; test the run again."
                )
            values[place] = [float(row[column] or math.nan) for column in columns]
    except InputError:
        raise
    except (csv.Error, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: line {rows.line_num} is not one of set, method, name and numbers ({error}); test the run again."
        ) from error
    scored: dict[str, dict[str, pd.DataFrame]] = {}
    for method, name in dict.fromkeys(place[:2] for place in values if place[0] in (NETWORK, SHUFFLED)):
        of_set = {place[2]: found for place, found in values.items() if place[:2] == (method, name)}
        scored.setdefault(method, {})[name] = pd.DataFrame.from_dict(of_set, orient="index", columns=columns)
    return scored
