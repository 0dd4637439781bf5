"""What a table compares: methods, sets, conditions and metrics, read from a YAML file.

The file has `methods`, `sets` and `metrics` that all tables share, and under `tables` a part for each of them that may
replace these and add its own. docs/tables.md has an example with every key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from dream_if.data.conditions import CLEAN, Condition
from dream_if.data.degradations import KINDS
from dream_if.errors import InputError
from dream_if.methods.method import PairId
from dream_if.methods.rows import Row, make_rows
from dream_if.metrics import TABLE_METRICS, find_metric
from dream_if.scoring.engine import LPIPS_SELF
from dream_if.scoring.test_sets import SetSettings, TestSet
from dream_if.settings import expected, from_up, read_settings
from dream_if.yaml_files import read_yaml

__all__ = ["TABLES", "CostSettings", "DetectionSettings", "TablePlan", "TableSettings", "TrainedSettings", "read_plan"]

DEFAULT_METRICS = {
    "2": (*TABLE_METRICS, "LPIPS"),
    "3": ("LPIPS", LPIPS_SELF, "Qabf", "SSIM", "VIFF"),
    "severity": ("LPIPS", "Qabf", "SSIM", "VIFF"),
}
PAPERS_CONDITIONS = {
    # Noise as in the text, and whatever comes as in the training.
    "2": {"gaussian": {"kind": "gaussian", "level": 3}, "random": {"kind": "random"}},
    "3": {kind: {"kind": kind, "level": 3} for kind in ("rain", "gaussian", "poisson", "speckle", "blur", "resize")},
}
NAMED = "a mapping from names to settings, with at least one"


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


@dataclass(frozen=True)
class TableSettings:
    """What a table is told, by the file and by its own part of it; each table has its own further settings."""

    ours: Any = None
    methods: Any = expected(NAMED, fits=_is_mapping)
    sets: Any = expected(NAMED, fits=_is_mapping)
    metrics: list[str] | None = expected("a list of names such as [Qabf, SSIM]")


@dataclass(frozen=True)
class _Corrupted(TableSettings):
    conditions: Any = expected("a mapping from names to conditions", fits=_is_mapping)
    restore: Any = None


@dataclass(frozen=True)
class _Severity(TableSettings):
    kinds: list[str] | None = expected(f"a list of names such as {list(KINDS[:2])}")
    levels: list[int] | None = expected("a list of whole numbers such as [1, 2, 3, 4]")
    seed: Any = None
    source: Any = None


@dataclass(frozen=True)
class _Shifts(TableSettings):
    pixels: list[int] | None = expected("a list of whole numbers such as [1, 2, 4, 8]")


@dataclass(frozen=True)
class CostSettings(TableSettings):
    """Efficiency.

    Attributes:
        size: height and width of the pair.
        repeats: how often it is fused.
    """

    size: tuple[int, int] = expected("height and width from 16 pixels up", (480, 640), from_up(16))
    repeats: int = expected("1 or more", 5, from_up(1))


def _names_a_class(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "class_path" in value
        and set(value) <= {"class_path", "init_args"}
        and isinstance(value.get("init_args") or {}, Mapping)
    )


@dataclass(frozen=True)
class TrainedSettings(TableSettings):
    """How networks are trained on fused images.

    Attributes:
        train: training pairs of each set; all if None.
        seeds: one network for each.
        steps: of the optimizer.
        batch: images in each step.
        rate: peak of the learning rate.
        size: pixels to which the shorter side of an image is brought.
    """

    train: int | None = expected("a whole number from 1 up", fits=from_up(1))
    seeds: list[int] = expected(
        "a list of whole numbers such as [0, 1, 2]",
        fits=lambda seeds: bool(seeds) and min(seeds) >= 0,
        make=lambda: [0],
    )
    steps: int = expected("a whole number from 2 up", 300, from_up(2))
    batch: int = expected("a whole number from 1 up", 8, from_up(1))
    rate: float = expected("a number between 0 and 1", 2e-3, lambda rate: 0 < rate < 1)
    size: int = expected("a whole number from 32 up", 480, from_up(32))

    @property
    def own(self) -> Mapping[str, Any] | None:
        """``class_path`` and ``init_args`` of a network of the user's; None for ours."""
        return None


@dataclass(frozen=True)
class DetectionSettings(TrainedSettings):
    """How the detectors of Table 5 are trained.

    Attributes:
        detector: see `own`.
        yolo: what YOLO's program is told.
    """

    detector: Any = expected("a mapping with class_path and init_args", fits=_names_a_class)
    yolo: Any = expected("a mapping such as {model: yolo11n.pt}", fits=_is_mapping)

    @property
    def own(self) -> Mapping[str, Any] | None:  # noqa: D102
        return self.detector


@dataclass(frozen=True)
class _Segmentation(TrainedSettings):
    network: Any = expected("a mapping with class_path and init_args", fits=_names_a_class)

    @property
    def own(self) -> Mapping[str, Any] | None:
        return self.network


PARTS: dict[str, type[TableSettings]] = {
    "1": TableSettings,
    "2": _Corrupted,
    "3": _Corrupted,
    "5": DetectionSettings,
    "segmentation": _Segmentation,
    "severity": _Severity,
    "shift": _Shifts,
    "efficiency": CostSettings,
}
"""Table -> what it may be told."""

TABLES = tuple(PARTS)
SHARED = tuple(entry.name for entry in fields(TableSettings))


@dataclass(frozen=True)
class TablePlan:
    """A table before it is computed.

    Attributes:
        table: one of `TABLES`.
        ours: name of the row that is tested against the others.
        rows: ours first, the sources last unless the file puts them elsewhere.
        images: set -> its pairs; only those that are there.
        conditions: in their order.
        metrics: symbols, `LPIPS_SELF` among them.
        missing: sets that are not there, a sentence each.
        settings: all that the table is told.
    """

    table: str
    ours: str
    rows: tuple[Row, ...]
    images: Mapping[str, TestSet]
    conditions: tuple[Condition, ...]
    metrics: tuple[str, ...]
    missing: tuple[str, ...]
    settings: TableSettings

    @property
    def on_scenes_alone(self) -> bool:
        """Whether no set is of photographs."""
        return all(images.generated for images in self.images.values())

    def pairs(self) -> list[PairId]:
        """Every pair that a row has to fuse, the clean ones for `LPIPS_SELF` included."""
        conditions = [condition.name for condition in self.conditions]
        if LPIPS_SELF in self.metrics and CLEAN not in conditions:
            conditions.append(CLEAN)
        return [
            PairId(name, condition, stem)
            for name, images in self.images.items()
            for condition in conditions
            for stem in images.names
        ]


def read_plan(
    path: Path,
    table: str,
    *,
    data: Path,
    weights: str | None,
    device: torch.device,
    limit: int | None = None,
    trust_code: bool = False,
) -> TablePlan:
    """Read what a table compares, and make sure of all of it before anything is computed.

    Args:
        path: the YAML file.
        table: one of `TABLES`.
        data: what ``{data}`` stands for in the sets' roots and among the methods.
        weights: what ``{weights}`` stands for among the methods.
        trust_code: see `dream_if.inference.load_network`.
        device: where methods compute.
        limit: so many pairs of each set at most.

    Raises:
        InputError: The file cannot be read, or something in it cannot be used.
    """
    settings = _settings(path, table)
    methods = {str(name): _with_data(method, data) for name, method in _named(settings.methods, "methods").items()}
    ours = next(iter(methods)) if settings.ours is None else str(settings.ours)
    if ours not in methods:
        raise InputError(f"ours: {ours!r} is none of the methods {', '.join(methods)}.")
    restore = getattr(settings, "restore", None)
    rows = make_rows(methods, ours, restore, f"tables.{table}.restore", device, weights, trust_code)
    images, missing = {}, []
    for name, given in _named(settings.sets, "sets").items():
        chosen = SetSettings.read(str(name), given, data)
        if limit is not None:
            chosen = replace(chosen, limit=min(limit, chosen.limit or limit))
        absent = chosen.missing(str(name))
        if absent:
            missing.append(absent)
        else:
            images[str(name)] = TestSet(str(name), chosen)
    if not images:
        raise InputError(
            f"{path}: none of its sets is present. {'. '.join(missing)}. --data names the folder of all sets."
        )
    asked = settings.metrics or DEFAULT_METRICS.get(table, TABLE_METRICS)
    try:
        metrics = tuple(dict.fromkeys(name if name == LPIPS_SELF else find_metric(name) for name in asked))
    except InputError as error:
        raise InputError(f"{path}: metrics: {error}, {LPIPS_SELF}.") from error
    conditions = tuple(_conditions(settings, table))
    plan = TablePlan(table, ours, rows, images, conditions, metrics, tuple(missing), settings)
    if table != "efficiency":
        pairs = plan.pairs()
        for row in plan.rows:
            row.check(pairs)
        for test_set in plan.images.values():
            test_set.check(plan.conditions)
    return plan


def _with_data(method: Any, data: Path) -> Any:
    """A method's setting with ``{data}`` filled in where it is a path."""
    if isinstance(method, str):
        return method.replace("{data}", str(data))
    if isinstance(method, Mapping) and isinstance(method.get("method"), str):
        return {**method, "method": method["method"].replace("{data}", str(data))}
    return method


def _settings(path: Path, table: str) -> TableSettings:
    """The shared part of the file, with the table's own over it."""
    content = read_yaml(path)
    if not isinstance(content, Mapping) or set(content) - {*SHARED, "tables"}:
        raise InputError(f"{path}: expected the keys {', '.join((*SHARED, 'tables'))}; got {_told(content)}.")
    tables = content.get("tables") or {}
    if not isinstance(tables, Mapping):
        raise InputError(f"{path}: tables: expected a mapping from tables to settings of theirs, got {tables!r}.")
    parts = {str(key): part or {} for key, part in tables.items()}
    if set(parts) - set(TABLES):
        raise InputError(f"{path}: tables: expected some of {', '.join(TABLES)}; got {', '.join(parts)}.")
    part = parts.get(table, {})
    allowed = [entry.name for entry in fields(PARTS[table])]
    if not isinstance(part, Mapping) or set(part) - set(allowed):
        raise InputError(f"{path}: tables.{table}: expected some of {', '.join(allowed)}; got {_told(part)}.")
    given = {**{key: content[key] for key in SHARED if key in content}, **part}
    # A setting that is left empty is as one that is not there.
    given = {key: value for key, value in given.items() if value is not None}
    return read_settings(
        PARTS[table], given, str(path), lambda key: f"tables.{table}.{key}" if key in part else f"{path}: {key}"
    )


def _conditions(settings: TableSettings, table: str) -> list[Condition]:
    """The conditions of a table, in its order."""
    named: Any = {}
    if isinstance(settings, _Corrupted):
        named = settings.conditions or PAPERS_CONDITIONS[table]
        return [Condition.read(str(name), given) for name, given in named.items()]
    if isinstance(settings, _Severity):
        more = {
            key: value for key, value in (("seed", settings.seed), ("source", settings.source)) if value is not None
        }
        levels = sorted(set(settings.levels or [1, 2, 3, 4]))
        kinds = dict.fromkeys(settings.kinds or KINDS)
        named = {f"{k} {level}": {"kind": k, "level": level, **more} for k in kinds for level in levels}
    if isinstance(settings, _Shifts):
        pixels = sorted(set(settings.pixels or [1, 2, 4, 8]))
        named = {f"shift {n}": {"kind": "shift", "arguments": {"pixels": n}} for n in pixels}
    return [Condition(), *(Condition.read(name, given) for name, given in named.items())]


def _told(content: Any) -> str:
    return ", ".join(map(str, content)) if isinstance(content, Mapping) else repr(content)


def _named(found: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    if not found:
        raise InputError(f"{key}: expected {NAMED}; got {found!r}.")
    return found
