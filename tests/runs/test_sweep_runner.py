"""Points as processes: how they are ended, that none is left behind, and that none runs twice at a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from dream_if.runs.sweep_display import Board, State
from dream_if.runs.sweep_point import Point

PYTHON = sys.executable  # before the stand-in takes its place
RUNNER = """\
import sys
from pathlib import Path
from rich.console import Console
from dream_if.runs.sweep_display import Board
from dream_if.runs.sweep_point import Point
from dream_if.runs.sweep_runner import run_points

sys.executable = sys.argv[1]
points = []
for name in sys.argv[2:]:
    command = ("/usr/bin/env", "dream-if", "fit", "--trainer.logger.save_dir=runs")
    points.append(Point(name, {"which": name}, command, {"then_test": True}, Path("runs", "here", name)))
with Board(points, Console()) as board:
    run_points(points, board, workers=2, devices=[], threads=1, project="here")
"""


@pytest.fixture
def start(stand_in: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a runner of points with these names, in a process of its own; what it prints goes to a pipe."""
    program = str(stand_in / "python")
    started = []

    def call(*names: str) -> subprocess.Popen:
        words = [PYTHON, "-c", RUNNER, program, *names]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


def pid_of(name: str) -> int:
    """The process of a sleeping point, as soon as it is there."""
    path = Path("runs/here", name, "pid")
    limit = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < limit, f"{name} has not started"
        time.sleep(0.05)
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_processes_too(start, order, number: signal.Signals) -> None:
    for name in ("a", "b"):
        order(name, "sleep 60")
    runner = start("a", "b", "c")
    pids = [pid_of(name) for name in ("a", "b")]
    runner.send_signal(number)
    out, _ = runner.communicate(timeout=15)
    assert "KeyboardInterrupt" in out
    assert "a: stopped" in out
    assert not any(is_alive(pid) for pid in pids)
    assert not Path("runs/here/c").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_after_kill_9_nothing_goes_on_and_the_point_is_run_again(start, order, calls) -> None:
    order("a", "sleep 60")
    first = start("a")
    pid = pid_of("a")
    first.kill()
    first.wait()
    limit = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < limit
        time.sleep(0.05)
    order("a", "")
    second = start("a", "b")
    out, _ = second.communicate(timeout=20)
    assert "a: finished" in out
    assert second.returncode == 0
    assert sorted(call["run"] for call in calls()) == ["a", "a", "b"]


def test_a_point_that_runs_elsewhere_is_waited_for(start, order, calls) -> None:
    order("a", "sleep 60")
    start("a")
    pid = pid_of("a")
    second = start("a", "b")
    for line in second.stdout:
        if "b: finished" in line:
            break
        assert "a: running;" not in line
    assert [call["run"] for call in calls()] == ["a", "b"]
    order("a", "")
    os.kill(pid, signal.SIGKILL)  # nobody has it any more: now it is run again
    out, _ = second.communicate(timeout=15)
    assert "a: finished" in out
    assert second.returncode == 0
    assert [call["run"] for call in calls()] == ["a", "b", "a"]


def test_two_runners_share_the_points(start, order, calls) -> None:
    for name in ("a", "b", "c", "d"):
        order(name, "sleep 0.5")
    runners = [start("a", "b", "c", "d") for _ in range(2)]
    for runner in runners:
        out, _ = runner.communicate(timeout=20)
        assert runner.returncode == 0, out
        assert all(f"{name}: finished" in out for name in "abcd")
    assert sorted(call["run"] for call in calls()) == ["a", "b", "c", "d"]


def test_on_a_terminal_there_is_a_table() -> None:
    points = [Point(f"{seed}-x", {"seed": seed}, (), {}, Path("runs", str(seed))) for seed in range(3)]
    console = Console(force_terminal=True, width=80, record=True)
    with Board(points, console) as board:
        board.change(points[0], State.BEFORE)
        board.change(points[1], State.RUNNING)
        board.change(points[1], State.FAILED)
        board.print("above the table")
        table = board.table()
    console.print(table)
    shown = console.export_text()
    assert "above the table" in shown
    assert "1 of 3 points finished" in shown
    for row in (("0", "finished before", "", "0-x"), ("1", "failed", "0:00:00", "1-x"), ("2", "waiting", "", "2-x")):
        assert any([cell.strip() for cell in line.split("│")[1:-1]] == list(row) for line in shown.splitlines()), row
