"""Which runs of the ablation a sweep file asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.messages import read_configuration
from dream_if.runs.sweep_grid import expand, read_sweep

__all__ = ["expected_runs"]


def expected_runs(path: Path) -> list[tuple[str, int]]:
    """Row, which is the runs' group, and seed of every point of a sweep, in its order.

    Both are read from the point's parameters: ``group`` and ``seed_everything`` themselves, or the configuration that
    its parameter ``config`` names, relative to the current folder.

    Raises:
        InputError: It is no grid, a configuration of its is missing, or its parameters do not tell row and seed.
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
