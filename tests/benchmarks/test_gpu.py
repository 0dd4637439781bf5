"""benchmarks/gpu.py at toy sizes on the CPU: it runs, keeps what it has, and tells what went wrong."""

import json
from pathlib import Path

import pytest

from benchmarks import gpu, gpu_steps


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of time are for a GPU, not for a machine that runs tests."""
    for name, step in gpu_steps.STEPS.items():
        monkeypatch.setitem(gpu_steps.STEPS, name, step._replace(most=1000))


@pytest.mark.slow
def test_steps_run_and_are_kept(tmp_path: Path) -> None:
    status = gpu.main(["--device", "cpu", "--tiny", "--minutes", "30", "--steps", "tiles", "--out", str(tmp_path)])
    done = {step["name"]: step for step in json.loads((tmp_path / "gpu.json").read_text())}
    assert status == 0, done
    assert dict(done["tiles"]["rows"])["whole"] == "200x160"
    assert "| whole | 200x160 |" in (tmp_path / "gpu.md").read_text()


def test_a_step_out_of_time_is_stopped_and_the_next_one_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gpu_steps.STEPS, "fit", gpu_steps.STEPS["fit"]._replace(least=0))
    words = ["--device", "cpu", "--tiny", "--minutes", "0.1", "--steps", "fit", "speed", "--out", str(tmp_path)]
    assert gpu.main(words) == 0
    fit, speed = json.loads((tmp_path / "gpu.json").read_text())
    assert fit["outcome"].startswith("stopped after")
    assert speed["outcome"].startswith("left out")


def test_a_wrong_result_fails(tmp_path: Path) -> None:
    run = gpu_steps.Run(tmp_path, "cpu", 10, tiny=True)
    run.close("near", 1e-4, 1e-3)
    run.close("not a number", float("nan"), 1e-3)
    assert run.wrong == ["not a number"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["card", "tests", "training", "processes", "speed", "metrics", "loader", "fit"])
def test_each_step(tmp_path: Path, name: str) -> None:
    status = gpu.main(["--device", "cpu", "--tiny", "--minutes", "30", "--steps", name, "--out", str(tmp_path)])
    assert status == 0, (tmp_path / "gpu.md").read_text()
