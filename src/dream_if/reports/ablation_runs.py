"""Rows and controls of Table 4, the ablation: which finished run, and which point of a sweep, belongs to which."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.messages import read_configuration
from dream_if.runs.files import SHUFFLED
from dream_if.runs.finished import FoundRuns, Run, refuse_differences
from dream_if.runs.sweep_grid import expand, read_sweep

__all__ = ["BASE", "CONTROLS", "FULL", "LABELS", "PLAIN", "ROWS", "expected_runs", "sort_runs"]

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


def sort_runs(found: FoundRuns, folder: Path, expected: Collection[tuple[str, int]]) -> tuple[Runs, list[str]]:
    """Sort runs into rows and seeds.

    Args:
        found: the runs.
        folder: where they were found, for messages.
        expected: rows or controls, and seeds, that must be there.

    Returns:
        (row, seed) -> its run, of every row and then of every control that there is, each with every seed; and what
        lay among the runs and is not among these, a sentence each.

    Raises:
        InputError: A row lacks a seed that is expected or that another has, or has one twice; so does a control of
            which a run is there, begun or expected; a run is of another network than its group says; or runs differ
            in more than group, seed, switches and what computes nothing, the plain control in more than its size.
    """
    ignored = [
        f"{run.folder} was left out: its group is {run.group}, which is no row." for run in found.tested
        if run.group not in GROUPS
    ]  # fmt: skip
    runs = _by_row_and_seed([run for run in found.tested if run.group in GROUPS], found, folder, ignored, expected)
    for (row, _), run in runs.items():
        switches = tuple(bool(run.config["model"]["net"].get(name)) for name in SWITCHES)
        if switches != GROUPS[row]:
            raise InputError(
                f"{run.folder}: its group is {row}, which has {_told(GROUPS[row])}, but its network has "
                f"{_told(switches)}. Repeat the run with experiments/ablation/{row}.yaml alone, and move this one away."
            )
    _refuse_differences(runs)
    ignored += [f"{path} was left out: it is not tested yet." for path in found.unfinished]
    return runs | _shuffled(runs, ignored), ignored


def _by_row_and_seed(
    tested: Sequence[Run],
    found: FoundRuns,
    folder: Path,
    ignored: Sequence[str],
    expected: Collection[tuple[str, int]],
) -> Runs:
    """Every row and every control that there is, in the order of the table, with every seed."""
    by_place: dict[tuple[str, int], list[Run]] = {}
    for run in tested:
        by_place.setdefault((str(run.group), run.seed), []).append(run)
    for (row, seed), doubled in by_place.items():
        if len(doubled) > 1:
            folders = " and ".join(str(run.folder) for run in doubled)
            raise InputError(
                f"{folder}: row {row} has seed {seed} {len(doubled)} times, in {folders}. Where the "
                "folder holds runs of several experiments, name the narrower one that holds those of the table; else "
                "move all but one away."
            )
    if not any(row in ROWS for row, _ in by_place):
        waiting = f" {len(found.unfinished)} run(s) there are not tested yet." if found.unfinished else ""
        raise InputError(
            f"{folder}: there is no tested run of a row of Table 4.{waiting} {' '.join((*ignored, ''))}Run "
            "dream-if sweep sweeps/table4.yaml first, or name the folder that holds its runs."
        )
    strange = sorted({row for row, _ in expected} - GROUPS.keys())
    if strange:
        raise InputError(f"--sweep: {', '.join(strange)} is no row of Table 4; expected {', '.join(GROUPS)}.")
    begun = [(row, seed) for row, seed in found.unfinished.values() if row in GROUPS]
    there = {*by_place, *begun, *expected}
    seeds = sorted({seed for _, seed in there})
    rows = [row for row in GROUPS if row in ROWS or any(row == other for other, _ in there)]
    missing = [(row, seed) for row in rows for seed in seeds if (row, seed) not in by_place]
    if missing:
        told = "; ".join(f"row {row}, seed {seed}{_begun(row, seed, found)}" for row, seed in missing)
        raise InputError(
            f"{folder}: every row needs every seed, and these runs are missing: {told}. {' '.join((*ignored, ''))}"
            "Repeat the sweep, which runs what is missing, or move away what is no part of it."
        )
    return {(row, seed): by_place[row, seed][0] for row in rows for seed in seeds}


def _begun(row: str, seed: int, found: FoundRuns) -> str:
    folders = [str(path) for path, place in found.unfinished.items() if place == (row, seed)]
    return f" (not tested yet in {' and '.join(folders)})" if folders else ""


def _told(switches: tuple[bool, ...]) -> str:
    return ", ".join(f"{name} {str(on).lower()}" for name, on in zip(SWITCHES, switches, strict=True))


def _refuse_differences(runs: Runs) -> None:
    """Make sure that runs of one size differ in what is free alone, and the plain control beside that in its size."""
    plain = [run for (row, _), run in runs.items() if row == PLAIN]
    others = [run for (row, _), run in runs.items() if row != PLAIN]
    refuse_differences(others, FREE)
    if plain:
        refuse_differences(plain, FREE)
        refuse_differences([*others, *plain], (*FREE, *(f"model.net.{name}" for name in SIZES)))


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
    overlay = read_configuration(Path(str(point["config"]))) if "config" in point else {}
    settings = {**overlay, **point}
    row, seed = settings.get("group"), settings.get("seed_everything")
    if not isinstance(row, str) or not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError(
            f"{path}: expected points with a row and a seed, as in sweeps/table4.yaml: configurations with a group, "
            f"and seed_everything; got {', '.join(f'{name} {value}' for name, value in point.items())}."
        )
    return row, seed
