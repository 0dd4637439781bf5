"""Finished runs in their folders: settings, test metrics, and the metrics of single images."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from dream_if.data.conditions import CLEAN
from dream_if.errors import InputError
from dream_if.messages import flat
from dream_if.metrics import METRICS
from dream_if.runs.files import NETWORK, SHUFFLED, is_statistic, read_config, read_images, read_metrics
from dream_if.runs.sweep_point import IDLE

__all__ = ["FoundRuns", "Run", "find_records", "find_runs", "refuse_differences"]

# Settings that tell where a run's files go or how it was started, not what it computes.
PLACES = ("ckpt_path", "checkpoint.dirpath", "trainer.default_root_dir", "trainer.logger")

SHOWN = 4  # differences named in a message
CLOSE = 1e-5  # by what part two means of the same numbers may differ: a GPU may add them up in float32


@dataclass(frozen=True)
class Run:
    """A run that was tested.

    Attributes:
        folder: where its files lie.
        config: every setting.
        fit: what metrics.json says of the training; empty where the folder holds a test alone.
        parameters: of its network; None where metrics.json tells none.
        directions: metric -> whether higher is better; None where neither end is.
        checkpoint: name of the file that was tested; None where metrics.json names none.
        means: test set -> metric -> mean over its images; NaN where it is undefined.
        images: test set -> a line for each image, by its name, and a column for each metric; NaN where it is undefined.
        dominance: test set -> statistic of the dominance maps -> mean over the images for which it is defined, NaN
            without any; a set without statistics is empty.
        places: test set -> the name of its folder and the condition, `CLEAN` where nothing was done to it.
        shuffled: the same run with what its network scored with the dominance maps of another image; None where that
            was not tested.
    """

    folder: Path
    config: Mapping[str, Any]
    fit: Mapping[str, Any]
    parameters: int | None
    directions: Mapping[str, bool | None]
    checkpoint: str | None
    means: Mapping[str, Mapping[str, float]]
    images: Mapping[str, pd.DataFrame]
    dominance: Mapping[str, Mapping[str, float]]
    places: Mapping[str, tuple[str, str]]
    shuffled: Self | None = None

    @property
    def group(self) -> str | None:
        """What the runs of a row have in common, by the configuration; None without any."""
        group: str | None = self.config.get("group")
        return group

    @property
    def seed(self) -> int:
        """`seed_everything`."""
        return int(self.config["seed_everything"])


@dataclass(frozen=True)
class FoundRuns:
    """What lies below some folders.

    Attributes:
        place: the folders, for messages.
        tested: the runs that are tested.
        unfinished: folder of a run that is not tested yet -> its settings.
    """

    place: str
    tested: tuple[Run, ...]
    unfinished: Mapping[Path, Mapping[str, Any]]


def find_runs(*folders: Path) -> FoundRuns:
    """Read every run in and below folders, at any depth, in the order of the folders and of the paths in each.

    A run is a folder that holds ``config.yaml``; it is tested when the ``metrics.json`` beside it has a test. A run
    below two of the folders is read once.

    Raises:
        InputError: There is no such folder, or a file in it cannot be read.
    """
    tested, unfinished = [], {}
    for folder, config, record in find_records(*folders):
        if record.get("test"):
            tested.append(_run(folder, config, record))
        else:
            unfinished[folder] = config
    return FoundRuns(" and ".join(map(str, folders)), tuple(tested), unfinished)


def find_records(*folders: Path) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Folder, settings and ``metrics.json`` of every run, as `find_runs` finds them; a run may have no metrics yet.

    Raises:
        InputError: There is no such folder, or a file in it cannot be read.
    """
    paths: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; name the one that holds the runs of the table.")
        for path in sorted(folder.rglob("config.yaml")):
            # MLflow keeps a copy of a run's files within its folder.
            if path.parent.name != "artifacts" or not path.parents[1].joinpath("config.yaml").exists():
                paths.setdefault(path.resolve(), path)
    for path in paths.values():
        config = read_config(path)
        if config is not None:
            yield path.parent, config, read_metrics(path.with_name("metrics.json"))


def _run(folder: Path, config: dict[str, Any], record: dict[str, Any]) -> Run:
    known = {name: metric.higher_is_better for name, metric in METRICS.items()}
    directions = known | record["test"].get("higher_is_better", {})
    scored = read_images(folder / "per_image.csv", directions)
    checkpoint = record["test"].get("checkpoint")
    run = Run(
        folder=folder,
        config=config,
        fit=record.get("fit", {}),
        parameters=record["test"].get("parameters"),
        directions=directions,
        checkpoint=None if checkpoint is None else Path(checkpoint).name,
        **_tested(folder, record, scored, NETWORK),
        places=_places(config["data"], scored[NETWORK]),
    )
    if SHUFFLED not in scored and not _means(record, scored, SHUFFLED):
        return run
    shuffled = replace(run, **_tested(folder, record, scored, SHUFFLED))
    for name, images in run.images.items():
        if name not in shuffled.images or set(shuffled.images[name].index) != set(images.index):
            raise InputError(
                f"{folder / 'per_image.csv'}: expected {SHUFFLED} to have the images of {NETWORK}; it has others of "
                f"{name}. Test the run again."
            )
    return replace(run, shuffled=shuffled)


def _tested(
    folder: Path, record: Mapping[str, Any], scored: Mapping[str, Mapping[str, pd.DataFrame]], method: str
) -> dict[str, Any]:
    """What the test says of a method: `means`, `images` and `dominance` of a `Run`."""
    means = _means(record, scored, method)
    frames = scored.get(method, {})
    statistics = {name: [column for column in frame if is_statistic(column)] for name, frame in frames.items()}
    images = {name: frame.drop(columns=statistics[name]) for name, frame in frames.items()}
    if not means or {name: set(frame) for name, frame in images.items()} != {
        name: set(of) for name, of in means.items()
    }:
        of_method = "" if method == NETWORK else f"{method}: "
        raise InputError(
            f"{folder}: metrics.json and per_image.csv are not of the same test: {of_method}{_contents(means)} in the "
            f"one, {_contents(images)} in the other. Test the run again."
        )
    for name, by_metric in means.items():
        for metric, mean in by_metric.items():
            of_images = _mean(images[name][metric])
            undefined = math.isnan(mean) and math.isnan(of_images)
            if not undefined and not math.isclose(mean, of_images, rel_tol=CLOSE, abs_tol=CLOSE):
                raise InputError(
                    f"{folder}: metrics.json and per_image.csv are not of the same test: the mean {metric} on {name} "
                    f"is {mean:.6g} in the one, {of_images:.6g} in the other. Test the run again."
                )
    dominance = {name: {column: _mean(frames[name][column]) for column in of} for name, of in statistics.items()}
    return {"means": means, "images": images, "dominance": dominance}


def _means(
    record: Mapping[str, Any], scored: Mapping[str, Mapping[str, pd.DataFrame]], method: str
) -> dict[str, dict[str, float]]:
    """Test set -> metric -> mean of a method, from ``test/<set>/<metric>`` and ``test/<set>/<method>/<metric>``.

    The name of a set may have a / in it, so those in ``per_image.csv`` tell where it ends.
    """
    sets = sorted({name for found in scored.values() for name in found}, key=len, reverse=True)
    means: dict[str, dict[str, float]] = {}
    for key, value in record["test"].get("metrics", {}).items():
        place = key.removeprefix("test/")
        name = next((name for name in sets if place.startswith(f"{name}/")), place.partition("/")[0])
        *methods, metric = place.removeprefix(f"{name}/").split("/")
        if methods == ([] if method == NETWORK else [method]) and not is_statistic(metric):
            means.setdefault(name, {})[metric] = math.nan if value is None else float(value)
    return means


def _places(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Test set -> the name of its folder, and the condition, by the settings of the data.

    A set under a condition is called ``<folder>+<condition>``, and either may have a + in it.
    """
    roots = data.get("test_root") or data.get("root") or []
    folders = {Path(os.path.abspath(root)).name for root in ([roots] if isinstance(roots, str) else roots)}
    told = data.get("test_degradation")
    conditions = [name for name, made in told.items() if made] if isinstance(told, Mapping) else []
    places = {}
    for name in names:
        found = [(name.removesuffix(f"+{one}"), one) for one in conditions if name.endswith(f"+{one}")]
        found.sort(key=lambda place: (place[0] not in folders, len(place[0])))
        places[name] = found[0] if found and name not in folders else (name, CLEAN)
    return places


def _mean(values: Iterable[float]) -> float:
    """Mean of what is defined; NaN if nothing is."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _contents(by_set: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{name} with {', '.join(sorted(metrics))}" for name, metrics in by_set.items()) or "nothing"


def refuse_differences(runs: Sequence[Run], free: Sequence[str]) -> None:
    """Make sure that runs differ in nothing but what they may.

    Beside the free settings that is the seed, also where it was filled in as ``data.train_seed``, where files go, and
    what computes nothing. Absolute paths are alike if their last parts are. How long they were trained may differ if a
    setting of ``data`` or ``trainer`` is free.

    Args:
        runs: at least one.
        free: settings that may differ, such as ``model.net.use_rd``.

    Raises:
        InputError: Two runs differ in another setting, in the checkpoint that was tested, in what it was tested on, or
            in how long they were trained.
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
            more = f", and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            raise InputError(
                f"{first.folder} and {run.folder} were not run alike, so the table would not show what it says: "
                f"{told}{more}. Rows may differ in seed_everything, {', '.join(free)} alone. Move one of "
                "the two away and repeat it, or give each setting a folder of its own."
            )
    if any(setting.startswith(("data.", "trainer.")) for setting in free):
        return  # the length may follow from these
    # One whose folder holds a test alone is passed over.
    for unit in ("epochs", "steps"):
        lengths = {run.folder: run.fit[unit] for run in runs if run.fit.get(unit) is not None}
        counts = Counter(lengths.values())
        if len(counts) < 2:
            continue
        usual, times = counts.most_common(1)[0]
        folder = next(folder for folder, length in lengths.items() if length != usual)
        raise InputError(
            f"{folder}: this run was trained for {lengths[folder]} {unit}, {times} of the {len(lengths)} runs for "
            f"{usual}, so the table would compare trainings of different length. Move the run away and repeat it."
        )


def _compared(run: Run, free: Sequence[str]) -> dict[str, Any]:
    """Setting -> value, for all that must agree."""
    left_out = (*free, *PLACES, *IDLE, "seed_everything")
    settings = {
        key: _name(value)
        for key, value in flat(run.config)
        if not any(key == name or key.startswith(f"{name}.") for name in left_out)
    }
    if settings.get("data.train_seed") == run.seed:
        settings["data.train_seed"] = "the seed"
    settings["the tested checkpoint"] = run.checkpoint
    settings["what was tested"] = _contents(run.images)
    for name, images in run.images.items():
        # A digest, because a list of thousands of names tells nobody which of them differ.
        digest = hashlib.sha256("\n".join(sorted(images.index)).encode()).hexdigest()
        settings[f"the list of images of {name}"] = f"{len(images)} names with digest {digest[:8]}"
    return settings


def _name(value: Any) -> Any:
    """A setting; of an absolute path, which another machine has elsewhere, its last part.

    A number may be text: the command line reads ``--trainer.devices=1`` so, a file does not.
    """
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, list):
        return [_name(one) for one in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
