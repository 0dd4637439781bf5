"""`dream-if doctor` says what is there, and goes on where something is not."""

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import pytest
import torch

from dream_if.cli.verbs import doctor


def test_what_goes_into_an_issue(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    outcome = run("doctor")
    assert outcome.status == 0, outcome.out
    subjects = {line.split()[0] for line in outcome.out.splitlines()}
    assert subjects == doctor.CHECKS.keys()
    for part in (
        f"torch {installed('torch')}",
        "OMP_NUM_THREADS=3",
        "3 threads",
        torch.backends.cpu.get_cpu_capability(),
    ):
        assert part in outcome.out
    for file in doctor.WEIGHTS.glob("*.safetensors"):
        assert f"{file.stem}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" in outcome.out
    assert "secret" not in outcome.out


def test_every_extra_of_the_package_is_told() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert doctor.EXTRAS.keys() == project["optional-dependencies"].keys()


def test_a_package_of_an_extra_and_one_that_is_needed_are_missing(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> str:
        if name in ("av", "timm"):
            raise PackageNotFoundError(name)
        return "0.1" if name == "kornia" else installed(name)

    monkeypatch.setattr(doctor, "version", without)
    outcome = run("doctor")
    assert outcome.status == 1
    assert "pip install 'dream-if[video]' would add av" in outcome.out
    assert "MISSING, too old or too new: kornia>=0.8, timm>=1.0" in outcome.out
    assert "none without the extra video" in outcome.out


def test_damaged_weights(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"half of it")
    (tmp_path / "mine.json").write_text(json.dumps({"sha256": "0" * 64}))
    monkeypatch.setattr(doctor, "WEIGHTS", tmp_path)
    outcome = run("doctor")
    assert outcome.status == 1
    assert f"DAMAGED: {tmp_path / 'mine.safetensors'}" in outcome.out


@pytest.mark.parametrize("broken", ["torch", "PIL", "psutil", "packaging"])
def test_it_goes_on_without_a_library(broken: str) -> None:
    program = f"import sys; sys.modules[{broken!r}] = None\nfrom dream_if.cli import main; sys.exit(main(['doctor']))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == ""
    assert "MISSING: " in ended.stdout
    assert "browser " in ended.stdout


def test_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert next(doctor._browser()).startswith("none of chromium")
