"""The real `wandb sweep` and `wandb agent` against a double of the server.

Table 4 with runs that send nothing; and a grid with runs that send everything, by two agents with folders of their own,
one of which is cut off.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import TINY
from tests.runs.wandb_double import Service, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
NAME = "someone/dream-if/swp"
DATA = {"layout": "scenes", "num_scenes": 4, "crop": 16, "crops_per_pair": 2, "batch_size": 4, "num_workers": 0}


@pytest.fixture
def double() -> Iterator[Service]:
    """The double, at its address; it stops with the test."""
    service = Service()
    with serving(service):
        yield service


def variables(double: Service, home: Path) -> dict[str, str]:
    """The environment of a user of the double whose home is this folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "XDG"))}
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    key = "0" * 40
    return kept | {"HOME": str(home), "PATH": path, "WANDB_BASE_URL": double.address, "WANDB_API_KEY": key}


def start(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen:
    command = [str(TOOLS / words[0]), *words[1:]]
    out = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=out, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, limit: float) -> str:
    said, _ = process.communicate(timeout=limit)
    assert process.returncode == 0, said
    return said


def write_tiny(folder: Path, metrics: list[str]) -> None:
    """tiny.yaml, which trains the tiny network on generated scenes."""
    tiny = TINY | {"data": DATA, "model": TINY["model"] | {"metrics": metrics, "compare": []}, "panels": {"count": 1}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny))


def test_wandb_runs_table_4(double: Service, tmp_path: Path) -> None:
    sweep = yaml.safe_load((ROOT / "sweeps" / "table4.yaml").read_text())
    position = sweep["command"].index("--config=experiments/full.yaml")
    sweep["command"][position] = "--config=tiny.yaml"
    sweep["parameters"]["seed_everything"]["values"].remove(2)
    (tmp_path / "table4.yaml").write_text(yaml.safe_dump(sweep))
    write_tiny(tmp_path, ["AG", "SF", "Qabf", "SSIM", "VIFF"])
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    # Offline are the runs; sweep and agent talk to the server all the same.
    environment = variables(double, tmp_path) | {"WANDB_MODE": "offline"}

    said = finish(start(tmp_path, environment, "wandb", "sweep", "table4.yaml"), limit=60)
    assert f"wandb agent {NAME}" in said
    assert "Malformed" not in said
    said = finish(start(tmp_path, environment, "wandb", "agent", "--forward-signals", NAME), limit=1200)

    assert set(double.operations) <= {"Viewer", "UpsertSweep", "SweepWithRuns", "CreateAgent", "Heartbeat"}, said
    assert len(double.given) == 10
    seen = set()
    for name in double.given:
        run = tmp_path / "runs" / "table4" / "dream-if" / name
        assert (run / "metrics.json").exists(), said
        settings = yaml.safe_load((run / "config.yaml").read_text())
        assert settings["trainer"]["logger"]["init_args"]["group"] == settings["group"]
        assert json.loads((run / "metrics.json").read_text())["test"]["metrics"]["test/scenes/VIFF"] > 0
        seen.add((settings["group"], settings["seed_everything"]))
    assert seen == set(product(["base", "rd", "rd_ce", "rd_se", "rd_ce_se"], [0, 1]))
    table = finish(start(tmp_path, environment, "dream-if", "tables", "4", "runs/table4"), limit=60)
    for row in ("base", "rd"):
        assert row in table.lower()
    assert (tmp_path / "runs" / "table4" / "table4.html").exists()


EPOCHS = 4
GRID = {
    "method": "grid",
    "project": "dream-if",
    "command": [
        *("${env}", "dream-if", "fit", "--config=tiny.yaml", "--trainer.logger=WandbLogger"),
        *("--trainer.logger.save_dir=runs", "--trainer.logger.name=null", "--trainer.logger.tags=[grid]"),
        *("--panels.every_n_epochs=4", "--trainer.logger.job_type=training"),
        *(f"--trainer.max_epochs={EPOCHS}", "--log.requeue=true", "--then_test=true", "${args}"),
    ],
    "parameters": {"model.net.use_ce": {"values": [False, True]}, "seed_everything": {"values": [0, 1]}},
}


def wait_for(told: str, happened, process: subprocess.Popen) -> None:
    limit = time.monotonic() + 300
    while not happened():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < limit, told
        time.sleep(0.05)


def test_two_agents_run_a_grid_and_lose_nothing(double: Service, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        write_tiny(folder, ["AG", "Qabf"])
        (folder / "grid.yaml").write_text(yaml.safe_dump(GRID))
    environment = variables(double, tmp_path)
    agent = ("wandb", "agent", "--forward-signals", NAME)
    finish(start(one, environment, "wandb", "sweep", "grid.yaml"), limit=60)

    first = start(one, environment, *agent)  # cut off in its first run, after a whole epoch
    state = one / "runs" / "dream-if" / "run00" / "checkpoints" / "last.ckpt"
    wait_for("the first epoch", state.exists, first)
    first.send_signal(signal.SIGTERM)
    said = first.communicate(timeout=120)[0]
    assert double.again == ["run00"], said
    epochs_before = [line["epoch"] for _, line in sorted(double.runs["run00"].history.items()) if "val/Qabf" in line]
    assert 0 < len(epochs_before) < EPOCHS

    agents = [start(one, environment, *agent)]
    wait_for("the run that was cut off is given out", lambda: double.given.count("run00") == 2, agents[0])
    agents.append(start(other, environment, *agent))
    said = "".join(finish(process, limit=1200) for process in agents)
    assert f"it continues from {state.relative_to(one)}" in said

    where = {path.parent.name: path.parent for path in tmp_path.glob("*/runs/dream-if/*/metrics.json")}
    assert set(where) == set(double.runs) == {"run00", "run01", "run02", "run03"}
    assert len({folder.parents[2] for folder in where.values()}) == 2  # each agent had some
    points = set()
    for name, run in double.runs.items():
        assert run.state == "finished"
        assert run.facts["jobType"] == "training"
        assert run.facts["tags"] == ["grid"]
        written = yaml.safe_load((where[name] / "config.yaml").read_text())
        settings = {key: held["value"] for key, held in run.config.items() if key != "_wandb"}
        points.add((settings["model.net.use_ce"], settings["seed_everything"]))
        assert settings["model.net.use_ce"] is written["model"]["net"]["use_ce"]
        assert settings["model.loss.weights.gradient"] == written["model"]["loss"]["weights"]["gradient"]
        assert settings["trainer.max_epochs"] == EPOCHS
        assert not [key for key in settings if key in ("config", "net", "_instantiator")]
        scores = [line["val/Qabf"] for _, line in sorted(run.history.items()) if "val/Qabf" in line]
        assert len(scores) == EPOCHS
        assert run.summary["val/Qabf.max"] == max(scores)
        assert run.summary["val/Qabf.max_epoch"] == scores.index(max(scores))
        metrics = json.loads((where[name] / "metrics.json").read_text())
        assert run.summary["test/scenes/AG"] == pytest.approx(metrics["test"]["metrics"]["test/scenes/AG"], rel=1e-6)
        held = double.files_of([artifact for artifact in run.artifacts if artifact["type"] == "dream-if-run"][-1])
        assert set(held) == {"best.ckpt", "config.yaml", "metrics.json", "per_image.csv"}
        assert held["best.ckpt"] == (where[name] / "checkpoints" / "best.ckpt").read_bytes()
        assert held["per_image.csv"] == (where[name] / "per_image.csv").read_bytes()
        [table] = [artifact for artifact in run.artifacts if artifact["type"] == "run_table"]
        rows = json.loads(double.files_of(table)["test/images.table.json"])
        assert rows["columns"][:3] == ["set", "method", "name"]
        assert len(rows["data"]) == len(pd.read_csv(where[name] / "per_image.csv"))
        assert run.summary["panels/scenes"]["_type"] == "images/separated"
    assert points == set(product([False, True], [0, 1]))
    assert [line["epoch"] for _, line in sorted(double.runs["run00"].history.items()) if "val/Qabf" in line] == [
        *range(EPOCHS)
    ]  # none lost, none twice

    table = ("dream-if", "tables", "sweep")
    options = ("--sweep", "grid.yaml", "--out")
    finish(start(one, environment, *table, "runs", "../other/runs", *options, "here"), limit=300)
    finish(start(one, environment, *table, f"wandb:{NAME}", *options, "there"), limit=300)
    assert (one / "there" / "sweep_grid.csv").read_text() == (one / "here" / "sweep_grid.csv").read_text()
    assert sorted(path.name for path in (tmp_path / ".cache/dream-if/wandb" / NAME).iterdir()) == sorted(where)
