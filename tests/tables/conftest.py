from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.tables.made_runs import ROWS, SETS, scores_of, write_run


@pytest.fixture
def write_ablation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write all rows with these seeds below `runs/table4` of an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)

    def written(seeds: Iterable[int] = (0, 1, 2), sets: dict[str, int] = SETS) -> Path:
        for row in ROWS:
            for seed in seeds:
                folder = Path("runs/table4/deep") / f"{row}-{seed}"
                write_run(folder, row, seed, scores=scores_of(row, seed, sets))
        return Path("runs/table4")

    return written
