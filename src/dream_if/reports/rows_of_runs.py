"""The rows of a table of finished runs, the settings that assign a run to a row, and the base."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.runs.sweep_grid import expand, point_settings, read_sweep
from dream_if.yaml_files import parse_yaml

__all__ = ["SEED", "Lineup", "chosen_base", "rows_of_sweeps"]

SEED = "seed_everything"
SHOWN = 4  # settings named in a message


@dataclass(frozen=True)
class Lineup:
    """The rows of a table.

    Attributes:
        name: of the table's files.
        table: what a title and a message call the table.
        sweep: file of the sweep whose runs it shows.
        rows: without controls, in the order of the table.
        labels: row or control -> its name for people.
        told_by: row or control -> settings that its runs have, and no others among the runs.
        base: the row that the others are tested against.
        free: settings that may differ between the runs, beside the seed.
        full: the row that is tested against the controls; None where there are none.
        paper: row -> metric -> what the paper prints; empty if the table is not of the paper.
        expected: (row or control, seed) that must be there; the seed None where the sweep does not tell it.
    """

    name: str
    table: str
    sweep: str
    rows: tuple[str, ...]
    labels: Mapping[str, str]
    told_by: Mapping[str, Mapping[str, Any]]
    base: str
    free: tuple[str, ...]
    full: str | None = None
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    expected: frozenset[tuple[str, int | None]] = frozenset()

    @property
    def others(self) -> list[str]:
        """The rows but for the base."""
        return [row for row in self.rows if row != self.base]

    @property
    def keys(self) -> list[str]:
        """The settings that tell the rows apart."""
        return list(dict.fromkeys(key for settings in self.told_by.values() for key in settings))

    @property
    def leads(self) -> bool:
        """Whether the table asks of the full row alone where it is ahead, and not of each row but the base."""
        return self.full is not None and self.full != self.base

    def row_of(self, config: Mapping[str, Any], folder: Path) -> str | None:
        """The row or control of a run by its settings; None if it is of none.

        Of several rows that a run fits it is of the one with the most settings.

        Raises:
            InputError: Several rows have as many.
        """
        fitting = [
            row
            for row, settings in self.told_by.items()
            if all(_agree(asked, _at(config, key), key) for key, asked in settings.items())
        ]
        most = max((len(self.told_by[row]) for row in fitting), default=0)
        found = [row for row in fitting if len(self.told_by[row]) == most]
        if len(found) > 1:
            raise InputError(
                f"{folder}: its settings are those of the rows {' and '.join(found)}; give the configuration of each "
                "row a group of its own, and repeat the run."
            )
        return found[0] if found else None

    def of_no_row(self, config: Mapping[str, Any]) -> str:
        """Why a run is of no row, in words."""
        return f"its {' and its '.join(f'{key} is {_at(config, key)}' for key in self.keys[:SHOWN])}, which is no row"


def chosen_base(asked: str | None, rows: Sequence[str], default: str) -> str:
    """The row that the others are tested against.

    Args:
        asked: None for the default.
        rows: those that there are.
        default: taken if it is among them, else the first.

    Raises:
        InputError: There is no row of the name that is asked for.
    """
    if asked is not None and asked not in rows:
        raise InputError(f"--base: expected a row of the table, one of {'; '.join(rows)}; got {asked}.")
    return asked or (default if default in rows else rows[0])


def rows_of_sweeps(paths: Sequence[Path], base: str | None) -> Lineup:
    """The rows of any grids: a row for each combination of values, whatever the seed.

    A row is called by the values of what varies: ``rd`` for ``config: ablation/rd.yaml`` alone, else
    ``dim=16, stride=2``.

    Args:
        paths: sweep files, at least one.
        base: see `chosen_base`; the first row for None.

    Raises:
        InputError: A file is no grid, or there is no row of the name in `base`.
    """
    sweeps = [read_sweep(path) for path in paths]
    points = [(sweep, point) for sweep in sweeps for point in expand(sweep)]
    names = _names([point for _, point in points], [sweep.name for sweep, _ in points])
    settings = [point_settings(point) for _, point in points]
    varied = [key for key in _varied(settings) if key != SEED]
    known = dict.fromkeys([*varied, *(key for _, point in points for key in point if key not in (SEED, "config"))])
    rows = tuple(dict.fromkeys(names))
    return Lineup(
        name=f"sweep_{paths[0].stem}",
        table=f"sweep {', '.join(dict.fromkeys(sweep.name for sweep in sweeps))}",
        sweep=str(paths[0]),
        rows=rows,
        labels={row: row for row in rows},
        told_by={name: {key: of[key] for key in known if key in of} for name, of in zip(names, settings, strict=True)},
        base=chosen_base(base, rows, rows[0]),
        # Another class has other arguments.
        free=tuple(dict.fromkeys(("group", *(key.removesuffix(".class_path") for key in varied), "model.compare"))),
        expected=frozenset((name, _seed(of.get(SEED))) for name, of in zip(names, settings, strict=True)),
    )


def _seed(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _varied(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys in which points differ, in the order in which they come."""
    keys = dict.fromkeys(key for point in points for key in point)
    return [key for key in keys if len({json.dumps(point.get(key), default=str) for point in points}) > 1]


def _names(points: Sequence[Mapping[str, Any]], otherwise: Sequence[str]) -> list[str]:
    """What the rows of points are called; `otherwise` where nothing but the seed varies."""
    varied = [key for key in _varied(points) if key != SEED]
    files = {str(point["config"]) for point in points if "config" in point}
    stems = {file: Path(file).stem for file in files}
    if len(set(stems.values())) < len(files):
        stems = {file: file for file in files}

    def told(point: Mapping[str, Any]) -> Iterator[str]:
        for key in varied:
            value = point.get(key)
            if key == "config" and value is not None:
                yield stems[str(value)]
            elif value is not None:
                yield f"{_short(key, varied)}={value if isinstance(value, str) else json.dumps(value)}"

    return [", ".join(told(point)) or name for point, name in zip(points, otherwise, strict=True)]


def _short(key: str, keys: Sequence[str]) -> str:
    """The last parts of a dotted key, as many as tell it from the others."""
    parts = key.split(".")
    tails = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
    return next((tail for tail in tails if sum(f".{one}".endswith(f".{tail}") for one in keys) == 1), key)


def _at(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _agree(asked: Any, found: Any, key: str) -> bool:
    """Whether a run has what a sweep asks for, which may be text for a number, or a class without its module."""
    if isinstance(found, Mapping) and "class_path" in found:
        return _agree(asked, found["class_path"], f"{key}.class_path")
    if key.endswith("class_path"):
        return str(found) == str(asked) or str(found).endswith(f".{asked}")
    readings = [asked, _read(asked)] if isinstance(asked, str) else [asked]
    return any(reading == found and isinstance(reading, bool) == isinstance(found, bool) for reading in readings)


def _read(text: str) -> Any:
    """What the command line makes of a text: a number, also 1e-3, or what YAML reads."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_yaml(text, "the value")
    except InputError:
        return text
