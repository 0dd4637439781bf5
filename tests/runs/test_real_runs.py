"""Sweeps of real trainings: what runs side by side, or is killed and repeated, gives the same results."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY, write_pairs

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("dream-if")
SWEEP = {
    "method": "grid",
    "project": "here",
    "command": [
        *("${env}", "dream-if", "fit", "--config=tiny.yaml", "--trainer.logger=WandbLogger"),
        *("--trainer.logger.save_dir=runs", "--then_test=true", "--trainer.max_epochs=8", "--threads=1", "${args}"),
    ],
    "parameters": {"model.net.use_rd": {"value": True}, "seed_everything": {"values": [0, 1]}},
}


def sweep(folder: Path, *args: str) -> subprocess.Popen:
    """`dream-if sweep` on the two points, in this folder."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return subprocess.Popen(
        [PROGRAM, "sweep", "two.yaml", *args],
        cwd=folder,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen) -> str:
    out, _ = process.communicate(timeout=540)
    assert process.returncode == 0, out
    return out


def results(folder: Path) -> dict[str, dict[str, float]]:
    """The test metrics of both runs."""
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("runs/here/*/metrics.json")}
    assert len(found) == 2
    return {name: record["test"]["metrics"] for name, record in found.items()}


def place(folder: Path) -> Path:
    """A folder with data, network and sweep."""
    write_pairs(folder / "pairs", {"train": 4, "val": 3, "test": 3})
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "two.yaml").write_text(yaml.safe_dump(SWEEP))
    return folder


@pytest.fixture(scope="module")
def sequential(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """The test metrics of both points, run one after the other."""
    folder = place(tmp_path_factory.mktemp("sequential"))
    finish(sweep(folder))
    found = results(folder)
    assert len({json.dumps(metrics) for metrics in found.values()}) == 2  # the seed makes a difference
    return found


def test_two_workers_give_what_one_gives(sequential: dict, tmp_path: Path) -> None:
    finish(sweep(place(tmp_path), "--workers", "2"))
    assert results(tmp_path) == sequential


def test_kill_9_in_the_middle_and_the_same_again(sequential: dict, tmp_path: Path) -> None:
    process = sweep(place(tmp_path))
    try:
        limit = time.monotonic() + 400
        while not list(tmp_path.glob("runs/here/*/checkpoints/last.ckpt")):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < limit
            time.sleep(0.05)
    finally:
        running = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        children = running.read_text().split() if running.exists() else []
        process.kill()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        process.communicate()
    run = next(tmp_path.glob("runs/here/*"))
    assert not (run / "metrics.json").exists()
    finish(sweep(tmp_path))
    assert results(tmp_path) == sequential
    assert yaml.safe_load((run / "config.yaml").read_text())["ckpt_path"].endswith("checkpoints/last.ckpt")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert finish(sweep(tmp_path)).count("finished before") == 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
