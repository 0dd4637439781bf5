"""Finished runs as they lie in their folders: settings, test metrics, and the metrics of single images."""

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dream_if.errors import InputError
from dream_if.metrics import METRICS

__all__ = ["FoundRuns", "Run", "find_runs", "refuse_differences"]

NETWORK = "network"
"""What per_image.csv calls the network among the methods."""

# Settings that tell where a run's files go or how it was started, not what it computes.
PLACES = ("ckpt_path", "checkpoint.dirpath", "trainer.default_root_dir", "trainer.logger")

SHOWN = 4  # differences named in a message


@dataclass(frozen=True)
class Run:
    """A run that was tested.

    Attributes:
        folder: where its files lie.
        config: every setting.
        group: what the runs of a row have in common, by the configuration; None without any.
        seed: `seed_everything`.
        fit: what metrics.json says of the training; empty where the folder holds a test alone.
        checkpoint: name of the file that was tested; None where metrics.json names none.
        means: test set -> metric -> mean over its images; NaN where it is undefined.
        images: test set -> image -> metric -> value; NaN where it is undefined.
    """

    folder: Path
    config: Mapping[str, Any]
    group: str | None
    seed: int
    fit: Mapping[str, Any]
    checkpoint: str | None
    means: Mapping[str, Mapping[str, float]]
    images: Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class FoundRuns:
    """The tested runs below a folder, and the folders of runs that are not tested yet with (group, seed)."""

    tested: tuple[Run, ...]
    unfinished: Mapping[Path, tuple[str | None, int]]


def find_runs(folder: Path) -> FoundRuns:
    """Read every run at any depth below a folder, in the order of their paths.

    A run is a folder that holds ``config.yaml``; it is tested when the ``metrics.json`` beside it has a test.

    Raises:
        InputError: There is no such folder, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the one that holds the runs of the table.")
    tested, unfinished = [], {}
    for path in sorted(folder.rglob("config.yaml")):
        config = _read_config(path)
        if config is None:
            continue
        record = _read_metrics(path.with_name("metrics.json"))
        if record.get("test"):
            tested.append(_run(path.parent, config, record))
        else:
            unfinished[path.parent] = (config.get("group"), config["seed_everything"])
    return FoundRuns(tuple(tested), unfinished)


def _read_config(path: Path) -> dict[str, Any] | None:
    """The settings of a run; None for a file of the same name that is none of ours, such as a tracker's."""
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a YAML file; move its folder away and repeat the run.") from error
    if not isinstance(config, dict) or not {"model", "data", "trainer", "seed_everything"} <= config.keys():
        return None
    return config


def _read_metrics(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a JSON file ({error}); move its folder away and repeat the run.") from error
    if not isinstance(record, dict) or not all(isinstance(part, dict) for part in record.values()):
        raise InputError(f"{path}: expected what a run writes, such as fit and test; move its folder away.")
    return record


def _run(folder: Path, config: dict[str, Any], record: dict[str, Any]) -> Run:
    means: dict[str, dict[str, float]] = {}
    for key, value in record["test"].get("metrics", {}).items():
        parts = key.split("/")
        if len(parts) == 3:  # four name a method that the network is compared with
            means.setdefault(parts[1], {})[parts[2]] = math.nan if value is None else float(value)
    images = _read_images(folder / "per_image.csv")
    scored = {name: set(next(iter(by_image.values()))) for name, by_image in images.items()}
    if not means or scored != {name: set(values) for name, values in means.items()}:
        raise InputError(
            f"{folder}: metrics.json and per_image.csv are not of the same test: {_contents(means)} in the one, "
            f"{_contents(scored)} in the other. Test the run again."
        )
    checkpoint = record["test"].get("checkpoint")
    return Run(
        folder=folder,
        config=config,
        group=config.get("group"),
        seed=config["seed_everything"],
        fit=record.get("fit", {}),
        checkpoint=None if checkpoint is None else Path(checkpoint).name,
        means=means,
        images=images,
    )


def _read_images(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Test set -> image -> metric -> value of the network."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, which the test of a run writes; test the run again.")
    images: dict[str, dict[str, dict[str, float]]] = {}
    with path.open(newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                if None in row or None in row.values():
                    raise ValueError("it has another number of columns than the first line")
                name, method, image = row.pop("set"), row.pop("method"), row.pop("name")
                values = {metric: float(value or math.nan) for metric, value in row.items()}
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"{path}: line {line} is not one of set, method, name and numbers ({error}); test the run again."
                ) from error
            unknown = sorted(values.keys() - METRICS.keys())
            if unknown:
                raise InputError(
                    f"{path}: this version knows no metric {', '.join(unknown)}; make the table with the version that "
                    "tested the run, or test the run again."
                )
            if method == NETWORK:
                images.setdefault(name, {})[image] = values
    return images


def _contents(by_set: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} with {', '.join(sorted(metrics))}" for name, metrics in by_set.items()) or "nothing"


def refuse_differences(runs: Sequence[Run], free: Sequence[str]) -> None:
    """Make sure that runs differ in nothing but what they may.

    Beside the free settings that is the seed, also where it was filled in as ``data.train_seed``, and where files go.

    Args:
        runs: at least one.
        free: settings that may differ, such as ``model.net.use_rd``.

    Raises:
        InputError: Two runs differ in another setting, in the checkpoint that was tested, or in what it was tested on.
    """
    first = runs[0]
    settings = _compared(first, free)
    for run in runs[1:]:
        others = _compared(run, free)
        differing = [key for key in {**settings, **others} if settings.get(key) != others.get(key)]
        if differing:
            told = "; ".join(
                f"{key} is {settings.get(key, 'not set')} in the first and {others.get(key, 'not set')} in the second"
                for key in differing[:SHOWN]
            )
            raise InputError(
                f"{first.folder} and {run.folder} were not run alike, so the table would not show what it says: "
                f"{told}{_more(differing)}. Rows may differ in seed_everything, {', '.join(free)} alone. Move one of "
                "the two away and repeat it, or give each setting a folder of its own."
            )


def _compared(run: Run, free: Sequence[str]) -> dict[str, Any]:
    """Setting -> value, for all that must agree."""
    left_out = (*free, *PLACES, "seed_everything")
    settings = {
        key: value
        for key, value in _flat(run.config)
        if not any(key == name or key.startswith(f"{name}.") for name in left_out)
    }
    if settings.get("data.train_seed") == run.seed:
        settings["data.train_seed"] = "the seed"
    settings["the tested checkpoint"] = run.checkpoint
    settings["what was tested"] = _contents({name: next(iter(images.values())) for name, images in run.images.items()})
    for name, images in run.images.items():
        # A digest, because a list of thousands of names tells nobody which of them differ.
        digest = hashlib.sha256("\n".join(sorted(images)).encode()).hexdigest()
        settings[f"the list of images of {name}"] = f"{len(images)} names with digest {digest[:8]}"
    return settings


def _more(things: Sequence[str]) -> str:
    return f", and {len(things) - SHOWN} more" if len(things) > SHOWN else ""


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
