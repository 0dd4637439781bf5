"""What a table compares: methods, sets, conditions and metrics, read from a YAML file.

The file has `methods`, `sets` and `metrics` that all tables share, and under `tables` a part for each of them that may
replace these and add its own. docs/tables.md has an example with every key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from dream_if.data.degradations import KINDS
from dream_if.errors import InputError
from dream_if.metrics import METRICS, TABLE_METRICS
from dream_if.tables.inputs import CLEAN, Condition, Images, Place, SetSettings
from dream_if.tables.methods import SOURCES, Method, Pictures, make_method
from dream_if.tables.restorers import Restorer, make_restorer

__all__ = ["LPIPS_SELF", "TABLES", "Plan", "Row", "read_plan"]

LPIPS_SELF = "LPIPS_self"
"""LPIPS between what a method makes of the corrupted pair and what it makes of the clean one."""

TABLES = ("1", "2", "3", "5", "severity", "shift", "efficiency")
SHARED = ("ours", "methods", "sets", "metrics", "tables")
OWN = {
    "1": (),
    "2": ("conditions", "restore"),
    "3": ("conditions", "restore"),
    "5": ("train", "seeds", "steps", "batch", "rate", "size", "detector", "yolo"),
    "severity": ("kinds", "levels", "seed", "source"),
    "shift": ("pixels",),
    "efficiency": ("size", "repeats"),
}
"""Table -> what its part may have beside `SHARED`."""

DEFAULT_METRICS = {
    "2": (*TABLE_METRICS, "LPIPS"),
    "3": ("LPIPS", LPIPS_SELF, "Qabf", "SSIM", "VIFF"),
    "severity": ("LPIPS", "Qabf", "SSIM", "VIFF"),
}


@dataclass(frozen=True)
class Row:
    """A row of a table: a method, and what cleans its sources first."""

    name: str
    method: Method
    restorer: Restorer | None = None

    def keys(self, place: Place) -> list[str]:
        """Texts that stand for all that the row's image depends on beside the pair, of method and restorer."""
        return [self.method.key(place), "" if self.restorer is None else self.restorer.key_at(place)]

    def check(self, places: Sequence[Place]) -> None:
        """Make sure, before anything is computed, that the row can have an image of all these pairs.

        Raises:
            InputError: It cannot.
        """
        self.method.check(self.name, places)
        if self.restorer is not None:
            self.restorer.check(places)


@dataclass(frozen=True)
class Plan:
    """A table before it is computed.

    Attributes:
        table: one of `TABLES`.
        ours: name of the row that is tested against the others.
        rows: ours first, the sources last unless the file puts them elsewhere.
        images: set -> its pairs; only those that are there.
        conditions: in their order.
        metrics: symbols, `LPIPS_SELF` among them.
        missing: sets that are not there, a sentence each.
        own: what the table's part of the file has beside these.
    """

    table: str
    ours: str
    rows: tuple[Row, ...]
    images: Mapping[str, Images]
    conditions: tuple[Condition, ...]
    metrics: tuple[str, ...]
    missing: tuple[str, ...]
    own: Mapping[str, Any]

    def row(self, name: str) -> Row:
        """The row of this name."""
        return next(row for row in self.rows if row.name == name)

    def places(self) -> list[Place]:
        """Every picture that a row has to make, the clean ones for `LPIPS_SELF` included."""
        conditions = [condition.name for condition in self.conditions]
        if LPIPS_SELF in self.metrics and CLEAN not in conditions:
            conditions.append(CLEAN)
        return [
            Place(name, condition, stem)
            for name, images in self.images.items()
            for condition in conditions
            for stem in images.names
        ]


def read_plan(
    path: Path, table: str, *, data: Path, weights: str | None, device: torch.device, limit: int | None = None
) -> Plan:
    """Read what a table compares, and make sure of all of it before anything is computed.

    Args:
        path: the YAML file.
        table: one of `TABLES`.
        data: what ``{data}`` stands for in the sets' roots.
        weights: what ``{weights}`` stands for among the methods.
        device: where methods compute.
        limit: so many pairs of each set at most.

    Raises:
        InputError: The file cannot be read, or something in it cannot be used.
    """
    settings = _settings(path, table)
    rows, ours = _rows(settings, table, device, weights)
    images, missing = {}, []
    for name, given in _mapping(settings, "sets").items():
        chosen = SetSettings.read(str(name), given, data)
        if limit is not None:
            chosen = replace(chosen, limit=min(limit, chosen.limit or limit))
        if chosen.missing:
            missing.append(chosen.missing)
        else:
            images[chosen.name] = Images(chosen)
    if not images:
        raise InputError(
            f"{path}: none of its sets is there. {'. '.join(missing)}. --data names the folder of all sets."
        )
    asked = settings.get("metrics") or DEFAULT_METRICS.get(table, TABLE_METRICS)
    if not isinstance(asked, list | tuple) or not all(isinstance(metric, str) for metric in asked):
        raise InputError(f"{path}: metrics: expected a list of names such as [Qabf, SSIM], got {asked!r}.")
    metrics = tuple(dict.fromkeys(asked))
    unknown = [metric for metric in metrics if metric not in METRICS and metric != LPIPS_SELF]
    if unknown:
        raise InputError(
            f"{path}: metrics: unknown are {', '.join(unknown)}; there are {', '.join((*METRICS, LPIPS_SELF))}."
        )
    plan = Plan(
        table=table,
        ours=ours,
        rows=rows,
        images=images,
        conditions=_conditions(settings, table),
        metrics=metrics,
        missing=tuple(missing),
        own={key: settings[key] for key in OWN[table] if key in settings},
    )
    if table != "efficiency":
        places = plan.places()
        for row in plan.rows:
            row.check(places)
        for pairs in plan.images.values():
            pairs.check(plan.conditions)
    return plan


def _settings(path: Path, table: str) -> dict[str, Any]:
    """The shared part of the file, with the table's own over it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(content, Mapping) or set(content) - set(SHARED):
        raise InputError(f"{path}: expected the keys {', '.join(SHARED)}; got {_keys(content)}.")
    tables = content.get("tables") or {}
    if not isinstance(tables, Mapping):
        raise InputError(f"{path}: tables: expected a mapping from tables to settings of theirs, got {tables!r}.")
    parts = {str(key): part or {} for key, part in tables.items()}
    if set(parts) - set(TABLES):
        raise InputError(f"{path}: tables: expected some of {', '.join(TABLES)}; got {', '.join(parts)}.")
    part = parts.get(table, {})
    allowed = (*SHARED[:-1], *OWN[table])
    if not isinstance(part, Mapping) or set(part) - set(allowed):
        raise InputError(f"{path}: tables.{table}: expected some of {', '.join(allowed)}; got {_keys(part)}.")
    return {**{key: content[key] for key in SHARED[:-1] if key in content}, **part}


def _keys(content: Any) -> str:
    return ", ".join(map(str, content)) if isinstance(content, Mapping) else repr(content)


def _mapping(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = settings.get(key)
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{key}: expected a mapping from names to settings, with one at least; got {found!r}.")
    return found


def _rows(
    settings: Mapping[str, Any], table: str, device: torch.device, weights: str | None
) -> tuple[tuple[Row, ...], str]:
    """The rows, ours first, and the name of ours."""
    given = {str(name): method for name, method in _mapping(settings, "methods").items()}
    ours = str(settings.get("ours", next(iter(given))))
    if ours not in given:
        raise InputError(f"ours: {ours!r} is none of the methods {', '.join(given)}.")
    for source in SOURCES:
        if source not in given.values():
            given[f"{source} alone"] = source
    names = [ours, *(other for other in given if other != ours)]
    rows = [_row(name, given[name], device, weights) for name in names]
    restorers = settings.get("restore") or []
    for number, entry in enumerate(restorers if isinstance(restorers, list) else [restorers]):
        restorer = make_restorer(entry, f"tables.{table}.restore[{number}]", device)
        rows += [
            Row(f"{row.name}, after {restorer.name}", row.method, restorer)
            for row in rows
            if row.name != ours and row.restorer is None and not isinstance(row.method, Pictures)
        ]
    doubled = {row.name for row in rows if sum(other.name == row.name for other in rows) > 1}
    if doubled:
        raise InputError(
            f"methods: {', '.join(sorted(doubled))} would be there twice; give each row its own name, and restorers "
            "theirs by a name beside their options, as in {nlm: {h: 10}, name: weak NLM}."
        )
    return tuple(rows), ours


def _row(name: str, given: Any, device: torch.device, weights: str | None) -> Row:
    restorer = None
    if isinstance(given, Mapping) and "restore" in given:
        restorer = make_restorer(given["restore"], f"methods.{name}.restore", device)
        given = {key: value for key, value in given.items() if key != "restore"}
    method = make_method(name, given, device, weights)
    if restorer is not None and isinstance(method, Pictures):
        raise InputError(f"methods.{name}: images that are fused already cannot be restored first; drop restore.")
    return Row(name, method, restorer)


def _conditions(settings: Mapping[str, Any], table: str) -> tuple[Condition, ...]:
    clean = Condition()
    if table in ("1", "5", "efficiency"):
        return (clean,)
    if table == "shift":
        pixels = _numbers(settings, "pixels", [1, 2, 4, 8])
        shifts = [Condition.read(f"shift {n}", {"kind": "shift", "arguments": {"pixels": n}}) for n in pixels]
        return (clean, *shifts)
    if table == "severity":
        more = {key: settings[key] for key in ("seed", "source") if key in settings}
        kinds = settings.get("kinds") or KINDS
        if not isinstance(kinds, list | tuple) or not all(isinstance(kind, str) for kind in kinds):
            raise InputError(f"kinds: expected a list of names such as {list(KINDS[:2])}, got {kinds!r}.")
        graded = [
            Condition.read(f"{kind} {level}", {"kind": kind, "level": level, **more})
            for kind in dict.fromkeys(kinds)
            for level in _numbers(settings, "levels", [1, 2, 3, 4])
        ]
        return (clean, *graded)
    given = settings.get("conditions") or _papers_conditions(table)
    if not isinstance(given, Mapping):
        raise InputError(f"conditions: expected a mapping from names to conditions, got {given!r}.")
    return tuple(Condition.read(str(name), condition) for name, condition in given.items())


def _papers_conditions(table: str) -> dict[str, Any]:
    """Table 2: noise as in the text, and whatever comes as in the training; Table 3: every kind at level 3."""
    if table == "2":
        return {"gaussian": {"kind": "gaussian", "level": 3}, "random": {"kind": "random"}}
    order = ("rain", "gaussian", "poisson", "speckle", "blur", "resize")
    return {kind: {"kind": kind, "level": 3} for kind in order}


def _numbers(settings: Mapping[str, Any], key: str, default: Sequence[int]) -> list[int]:
    found = settings.get(key) or default
    if not isinstance(found, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in found):
        raise InputError(f"{key}: expected a list of whole numbers such as {list(default)}, got {found!r}.")
    return sorted(set(found))
