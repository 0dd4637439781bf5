"""`make reproduce`: a table that fails does not stop the others, and is named in the end."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def reproduce(tmp_path: Path):
    """`reproduce(failing, **variables)`: the outcome, and the calls of a command that only writes them down."""
    (tmp_path / "bin").mkdir()
    installed, log = tmp_path / "installed", tmp_path / "log"
    installed.touch()

    def call(
        failing: str, goal: str = "reproduce", **variables: object
    ) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        command = tmp_path / "bin" / "dream-if"
        command.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\ncase "$*" in {failing}) exit 2;; esac\n')
        command.chmod(0o755)
        given = [f"{name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            ["make", "-s", "-C", REPOSITORY, goal, f"BIN={tmp_path}/bin", f"INSTALLED={installed}", *given],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        lines = log.read_text().splitlines()
        log.unlink()
        return done, lines

    return call


STEPS = ["1", "2", "3", "severity", "shift", "efficiency", "5"]


def test_those_that_failed_are_named_and_the_others_made(reproduce, tmp_path: Path) -> None:
    (tmp_path / "my data" / "LlVip").mkdir(parents=True)
    done, calls = reproduce('"tables 2 "*|"tables shift "*', DATA=tmp_path / "my data")
    assert done.returncode != 0
    assert "make reproduce: failed: table2 shift\n" in done.stderr
    assert [call.split()[1] for call in calls if call.startswith("tables") and "experiments" in call] == STEPS
    assert f"--data.root={tmp_path}/my data/LlVip" in calls[-2]
    assert calls[-1].startswith("tables 4 runs/table4/full")


def test_without_llvip_table_4_is_named_as_missing(reproduce, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done, calls = reproduce("none", DATA=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "table 4 left out: no LLVIP in" in done.stderr
    assert not any("sweep" in call for call in calls)
    assert len(calls) == len(STEPS)


@pytest.mark.parametrize(("given", "plan"), [({}, "demo"), ({"DATA": "data"}, "segmentation")])
def test_segmentation_is_made_on_scenes_or_on_msrs(reproduce, given: dict, plan: str) -> None:
    _, calls = reproduce("none", goal="reproduce-segmentation", **given)
    (call,) = calls
    assert call.startswith(f"tables segmentation experiments/tables/{plan}.yaml --weights small")


def test_on_scenes(reproduce) -> None:
    done, calls = reproduce('"tables 4 "*', PRESET="demo")
    assert done.returncode != 0
    assert "make reproduce: failed: table4\n" in done.stderr
    assert all("experiments/tables/demo.yaml" in call for call in calls[: len(STEPS)])
    assert "experiments/table4_scenes.yaml" in calls[-2]
