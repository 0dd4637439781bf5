"""Rows and controls of Table 4, the ablation, and which finished run belongs to which row of a table."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.reports.published_numbers import TABLE_4
from dream_if.reports.rows_of_runs import SEED, Lineup, chosen_base
from dream_if.runs.files import SHUFFLED
from dream_if.runs.finished import FoundRuns, Run, refuse_differences
from dream_if.runs.sweep_grid import expand, point_settings, read_sweep

__all__ = ["PLAIN", "expected_runs", "rows_of_table4", "sort_runs"]

SWITCHES = ("use_rd", "use_ce", "use_se", "frozen_dominance")
SIZES = ("dim", "num_blocks", "num_refinement_blocks")

BASE, FULL = "base", "rd_ce_se"
PLAIN = "plain"

# Row of the table, which is the runs' group -> its name for people, and its switches. The order is the paper's.
ROWS = {
    BASE: ("base", (False, False, False, False)),
    "rd": ("RD", (True, False, False, False)),
    "rd_ce": ("RD + CE", (True, True, False, False)),
    "rd_se": ("RD + SE", (True, False, True, False)),
    FULL: ("RD + CE + SE", (True, True, True, False)),
}

# Networks that the full one is compared with beside the rows. SHUFFLED is no group: it is tested in the full runs.
CONTROLS = {
    "frozen": ("control: frozen", (True, True, True, True)),
    PLAIN: ("control: plain", (False, False, False, False)),
    SHUFFLED: ("control: shuffled", (True, True, True, False)),
}

LABELS = {row: label for row, (label, _) in (ROWS | CONTROLS).items()}

GROUPS = {group: switches for group, (_, switches) in (ROWS | CONTROLS).items() if group != SHUFFLED}

# Beside these, what the network is compared with may differ: it changes nothing in the network's scores.
FREE = ("group", *(f"model.net.{name}" for name in SWITCHES), "model.compare")

Runs = dict[tuple[str, int], Run]


def rows_of_table4(found: FoundRuns, expected: Collection[tuple[str, int]] = (), base: str | None = None) -> Lineup:
    """The rows of Table 4: those that sweeps name or that runs are of, all five where no sweep names any.

    Args:
        found: the runs.
        expected: rows or controls, and seeds, of sweeps; see `expected_runs`.
        base: see `chosen_base`; the paper's for None.

    Raises:
        InputError: A row that is expected is none of Table 4, or there is no row of the name in `base`.
    """
    strange = sorted({row for row, _ in expected} - GROUPS.keys())
    if strange:
        raise InputError(
            f"--sweep: {', '.join(strange)} is not a row of Table 4; expected {', '.join(GROUPS)}. "
            "A table of other rows is made by dream-if tables sweep."
        )
    named = {row for row, _ in expected} & ROWS.keys()
    there = {run.config.get("group") for run in found.tested}
    there |= {config.get("group") for config in found.unfinished.values()}
    rows = tuple(row for row in ROWS if not named or row in named | there)
    return Lineup(
        name="table4",
        table="Table 4",
        sweep="sweeps/table4.yaml",
        rows=rows,
        labels=LABELS,
        told_by={group: {"group": group} for group in GROUPS},
        base=chosen_base(base, rows, BASE),
        free=FREE,
        full=FULL if FULL in rows else None,
        paper=TABLE_4,
        expected=frozenset(expected),
    )


def sort_runs(found: FoundRuns, lineup: Lineup) -> tuple[Runs, list[str]]:
    """Sort runs into rows and seeds.

    Returns:
        (row, seed) -> its run, of every row and then of every control that there is, each with every seed; and what
        lay among the runs and is not among these, a sentence each.

    Raises:
        InputError: A row lacks a seed that is expected or that another has, or has one twice; so does a control of
            which a run is there, begun or expected; a run is of another network than its group in Table 4 says; or
            runs differ in more than is free, the plain control in more than that and its size.
    """
    places = {run.folder: lineup.row_of(run.config, run.folder) for run in found.tested}
    ignored = [
        f"{run.folder} was left out: {lineup.of_no_row(run.config)}." for run in found.tested
        if places[run.folder] is None
    ]  # fmt: skip
    by_place: dict[tuple[str, int], list[Run]] = {}
    for run in found.tested:
        if place := places[run.folder]:
            by_place.setdefault((place, run.seed), []).append(run)
    runs = _every_row_and_seed(by_place, found, ignored, lineup)
    if lineup.paper:
        _refuse_other_networks(runs)
    _refuse_differences(runs, lineup)
    ignored += [f"{path} was left out: it is not tested yet." for path in found.unfinished]
    return runs | (_shuffled(runs, ignored) if lineup.full else {}), ignored


def _every_row_and_seed(
    by_place: Mapping[tuple[str, int], Sequence[Run]], found: FoundRuns, ignored: Sequence[str], lineup: Lineup
) -> Runs:
    """Every row and every control that there is, in the order of the table, with every seed."""
    for (row, seed), doubled in by_place.items():
        if len(doubled) > 1:
            folders = " and ".join(str(run.folder) for run in doubled)
            raise InputError(
                f"{found.place}: row {row} has seed {seed} {len(doubled)} times, in {folders}. Where the "
                "folder holds runs of several experiments, name the narrower one that holds those of the table; else "
                "move all but one away."
            )
    if not any(row in lineup.rows for row, _ in by_place):
        waiting = f" {len(found.unfinished)} run(s) there are not tested yet." if found.unfinished else ""
        raise InputError(
            f"{found.place}: there is no tested run of a row of {lineup.table}.{waiting} {' '.join((*ignored, ''))}Run "
            f"dream-if sweep {lineup.sweep} first, or name the folder that holds its runs."
        )
    begun = {
        folder: (of, int(config[SEED]))
        for folder, config in found.unfinished.items()
        if (of := lineup.row_of(config, folder)) is not None
    }
    there = {*by_place, *begun.values(), *lineup.expected}
    seeds = sorted({seed for _, seed in there if seed is not None})
    rows = [row for row in lineup.told_by if row in lineup.rows or any(row == other for other, _ in there)]
    missing = [(row, seed) for row in rows for seed in seeds if (row, seed) not in by_place]
    if missing:
        told = "; ".join(f"row {row}, seed {seed}{_begun((row, seed), begun)}" for row, seed in missing)
        raise InputError(
            f"{found.place}: every row needs every seed, and these runs are missing: {told}. "
            f"{' '.join((*ignored, ''))}Repeat the sweep, which runs what is missing, or move away what is no part of "
            "it."
        )
    return {(row, seed): by_place[row, seed][0] for row in rows for seed in seeds}


def _begun(place: tuple[str, int], begun: Mapping[Path, tuple[str, int]]) -> str:
    folders = [str(path) for path, found in begun.items() if found == place]
    return f" (not tested yet in {' and '.join(folders)})" if folders else ""


def _refuse_other_networks(runs: Runs) -> None:
    """Make sure that the networks of Table 4 have the switches of their row."""
    for (row, _), run in runs.items():
        switches = tuple(bool(run.config["model"]["net"].get(name)) for name in SWITCHES)
        if switches != GROUPS[row]:
            raise InputError(
                f"{run.folder}: its group is {row}, which has {_told(GROUPS[row])}, but its network has "
                f"{_told(switches)}. Repeat the run with experiments/ablation/{row}.yaml alone, and move this one away."
            )


def _told(switches: tuple[bool, ...]) -> str:
    return ", ".join(f"{name} {str(on).lower()}" for name, on in zip(SWITCHES, switches, strict=True))


def _refuse_differences(runs: Runs, lineup: Lineup) -> None:
    """Make sure that runs differ in what is free alone, those of a row in less, the plain control also in its size."""
    plain = [run for (row, _), run in runs.items() if row == PLAIN and row not in lineup.rows]
    others = [run for (row, _), run in runs.items() if row != PLAIN or row in lineup.rows]
    refuse_differences(others, lineup.free)
    if plain:
        refuse_differences(plain, lineup.free)
        refuse_differences([*others, *plain], (*lineup.free, *(f"model.net.{name}" for name in SIZES)))
    if not lineup.paper:
        for row in lineup.rows:
            refuse_differences([run for (other, _), run in runs.items() if other == row], ("group", "model.compare"))


def _shuffled(runs: Mapping[tuple[str, int], Run], ignored: list[str]) -> Runs:
    """What the full runs scored with the maps of another image, if each of them has that."""
    full = {seed: run for (row, seed), run in runs.items() if row == FULL}
    shuffled: Runs = {(SHUFFLED, seed): run.shuffled for seed, run in full.items() if run.shuffled is not None}
    lacking = [str(run.folder) for run in full.values() if run.shuffled is None]
    if shuffled and lacking:
        ignored.append(f"{LABELS[SHUFFLED]} was left out: it is not in the test of {' and '.join(lacking)}.")
        return {}
    return shuffled


def expected_runs(path: Path) -> list[tuple[str, int]]:
    """Row, which is the runs' group, and seed of every point of a sweep, in its order.

    Both are read from the point's parameters: ``group`` and ``seed_everything`` themselves, or the configuration that
    its parameter ``config`` names, relative to the current folder.

    Raises:
        InputError: It is no grid, a configuration that it names is missing, or its parameters do not tell row and seed.
    """
    return [_row_and_seed(path, point) for point in expand(read_sweep(path))]


def _row_and_seed(path: Path, point: Mapping[str, Any]) -> tuple[str, int]:
    settings = point_settings(point)
    row, seed = settings.get("group"), settings.get(SEED)
    if not isinstance(row, str) or not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError(
            f"{path}: expected points with a row and a seed, as in sweeps/table4.yaml: configurations with a group, "
            f"and seed_everything; got {', '.join(f'{name} {value}' for name, value in point.items())}."
        )
    return row, seed
