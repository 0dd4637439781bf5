from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dream_if.tables.runs import Run
from tests.tables.made_runs import CONTROLS, ROWS, SETS, SHUFFLED, scores_of, write_run


@pytest.fixture
def write_ablation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write all rows with these seeds below `runs/table4` of an empty folder, which is the current one.

    With controls, every network counts as one of 1.5 M parameters, the plain control as one of 2.5 M.
    """
    monkeypatch.chdir(tmp_path)

    def size(run: Run) -> int:
        return 2_500_000 if run.group == "plain" else 1_500_000

    def written(seeds: Iterable[int] = (0, 1, 2), sets: dict[str, int] = SETS, controls: Iterable[str] = ()) -> Path:
        if controls:
            monkeypatch.setattr("dream_if.tables.table4.parameters", size)
        for row in (*ROWS, *CONTROLS.keys() & controls):
            for seed in seeds:
                shuffled = scores_of(SHUFFLED, seed, sets) if row == "rd_ce_se" and SHUFFLED in controls else None
                folder = Path("runs/table4/deep") / f"{row}-{seed}"
                write_run(folder, row, seed, scores=scores_of(row, seed, sets), shuffled=shuffled)
        return Path("runs/table4")

    return written
