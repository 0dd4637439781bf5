"""Several processes, and gradients that are accumulated, give what one process gives with the larger batch."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

FIT = ("fit", "--config", "tiny.yaml")


def script(workspace: Path) -> Path:
    """`dream-if` as a file, which Lightning and torchrun start again for more processes."""
    path = workspace / "dream-if"
    path.write_text("import sys\n\nfrom dream_if.cli import main\n\nsys.exit(main())\n")
    return path


def in_processes(*command: object) -> str:
    """Run a command that starts more processes, and return what it said on the standard error."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    words = [sys.executable, *map(str, command)]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.fixture
def plain(workspace: Path) -> Path:
    """The workspace, with an optimizer whose steps are proportional to the gradient, noise and all.

    AdamW's first steps are as large for a gradient of rounding errors as for any other.
    """
    settings = yaml.safe_load((workspace / "tiny.yaml").read_text())
    settings["model"]["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.001}}
    settings["data"]["degradation"] = {"class_path": "dream_if.data.RandomDegradations"}
    settings["trainer"]["max_epochs"] = 3
    (workspace / "tiny.yaml").write_text(yaml.safe_dump(settings))
    return workspace


def record(workspace: Path, place: str) -> tuple[dict[str, torch.Tensor], list[dict[str, float]], int]:
    """Weights after the last epoch, what was logged epoch by epoch, and the number of steps."""
    folder = workspace / place / "dream-if/version_0"
    held = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [
            {key: float(value) for key, value in row.items() if value and key != "train/data_wait"}
            for row in csv.DictReader(file)
        ]
    assert sum("train/loss" in row for row in rows) == 3
    return held["state_dict"], rows, held["global_step"]


def assert_same_training(workspace: Path, one: str, other: str) -> None:
    weights, rows, steps = record(workspace, one)
    weights_other, rows_other, steps_other = record(workspace, other)
    assert steps == steps_other
    assert rows_other == [pytest.approx(row, rel=1e-5) for row in rows]
    for name, tensor in weights.items():
        torch.testing.assert_close(weights_other[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


def test_accumulated_gradients_are_those_of_the_larger_batch(run, plain: Path) -> None:
    assert run(*FIT, "--trainer.logger.save_dir", "one").status == 0
    parts = ("--data.batch_size", 2, "--trainer.accumulate_grad_batches", 2)
    assert run(*FIT, "--trainer.logger.save_dir", "parts", *parts).status == 0
    assert_same_training(plain, "one", "parts")
    small = ("--trainer.logger.save_dir", "small", "--data.batch_size", 2)
    assert run(*FIT, *small).status == 0
    with pytest.raises(AssertionError):  # smaller batches without it are another training
        assert_same_training(plain, "one", "small")


@pytest.mark.slow
def test_torchrun_trains_like_one_process_with_twice_the_batch(run, plain: Path) -> None:
    assert run(*FIT, "--trainer.logger.save_dir", "one").status == 0
    said = in_processes(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, script(plain),
        *FIT, "--data.batch_size", 2, "--trainer.devices", 2, "--threads", 1, "--trainer.logger.save_dir", "two",
    )  # fmt: skip
    assert said.count("Computing with 1 thread") == 1
    assert_same_training(plain, "one", "two")


@pytest.mark.slow
def test_two_processes_predict_the_files_of_one(run, trained: Path, workspace: Path) -> None:
    words = ("predict", "--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints/last.ckpt")
    assert run(*words, "--trainer.logger.save_dir", "one").status == 0
    split = ("--trainer.logger.save_dir", "two", "--trainer.strategy", "ddp", "--trainer.devices", 2)
    in_processes(script(workspace), *words, *split)
    one, two = (
        {str(path.relative_to(workspace / place)): path.read_bytes() for path in (workspace / place).rglob("*.png")}
        for place in ("one", "two")
    )
    assert len(one) == 3
    assert one == two
