"""Runs points as processes, a given number at a time, and leaves none running."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dream_if.errors import InputError
from dream_if.runs.sweep_display import Board, State
from dream_if.runs.sweep_point import RESULTS, Point
from dream_if.storage import make_folder

__all__ = ["run_points"]

POLL = 0.2  # seconds between two looks at the processes
PATIENCE = 15.0  # seconds that a process has to end by itself when asked to
TAIL = 15  # lines of a failed point's log that are shown

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when the one that started it has ended


def _end_with_runner() -> None:
    """Called in the new process, before the command takes its place."""
    assert LIBC is not None
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A running point.

    On Linux it is asked to end when the runner is killed. Its output goes to the point's log, on which there is a lock.
    The process inherits it, so that it lasts as long as the process: no point is ever run twice at the same time.

    Args:
        point: what to run.
        log: the open and locked log.
        slot: which of the places for processes it takes.
        environment: of the process.
    """

    def __init__(self, point: Point, log: IO[bytes], slot: int, environment: Mapping[str, str]) -> None:
        self.point = point
        self.slot = slot
        self._log = log
        checkpoint = point.checkpoint()
        command = [*point.command, *(["--ckpt_path", str(checkpoint)] if checkpoint else [])]
        self._start = log.tell()
        point.write_record()
        # A group of its own: Ctrl-C is for the runner, which ends the process and whatever that has started.
        self._process = subprocess.Popen(  # noqa: S603  (the sweep file's command is what the user wants run)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=_end_with_runner if LIBC else None,
        )

    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def ask_to_end(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def close(self) -> None:
        """End whatever is left of the process, and give the point free."""
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def last_lines(self) -> list[str]:
        """The end of what it has printed."""
        text = self.point.log.read_bytes()[self._start :].decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-TAIL:]


def run_points(
    points: Sequence[Point], board: Board, *, workers: int, devices: Sequence[str], threads: int, project: str
) -> None:
    """Run points until each has finished or failed, or until Ctrl-C, SIGTERM or SIGHUP.

    A point that another process is running, here or on a machine with the same disk, is waited for.

    Args:
        points: what to run. Those that are finished are left as they are.
        board: what to tell of their states.
        workers: how many run at a time.
        devices: values for ``CUDA_VISIBLE_DEVICES``, dealt out among the workers; empty without GPUs.
        threads: that compute in each process.
        project: of W&B.

    Raises:
        KeyboardInterrupt: It was asked to stop. All processes have ended by then.
    """
    waiting = list(points)
    running: list[Process] = []
    with _asked_to_stop() as asked:
        try:
            while (waiting or running) and not asked:
                for process in [process for process in running if process.status() is not None]:
                    running.remove(process)
                    _conclude(process, board)
                for point in list(waiting):
                    free = sorted(set(range(workers)) - {process.slot for process in running})
                    if not free:
                        break
                    log = _lock(point)
                    if log is None:
                        board.change(point, State.ELSEWHERE)
                        continue
                    waiting.remove(point)
                    settled = _settle(point, board)
                    if settled is not None:
                        log.close()
                        board.change(point, settled)
                        continue
                    device = devices[free[0] % len(devices)] if devices else None
                    running.append(Process(point, log, free[0], _environment(point, device, threads, project)))
                    board.change(point, State.RUNNING)
                time.sleep(POLL)
        finally:
            for process in running:
                process.ask_to_end()
            limit = time.monotonic() + PATIENCE
            while any(process.status() is None for process in running) and time.monotonic() < limit and len(asked) < 2:
                time.sleep(POLL)
            for process in running:
                process.close()
                board.change(process.point, State.STOPPED)
    if asked:
        raise KeyboardInterrupt


def _settle(point: Point, board: Board) -> State | None:
    """What becomes of a point that need not or must not be run; None if it is to be run.

    Its lock is held. Until then another call may have run it, even with other settings.
    """
    try:
        point.refuse_another()
        return State.FINISHED if point.is_finished() else None
    except InputError as error:
        board.print(str(error))
        return State.FAILED


def _conclude(process: Process, board: Board) -> None:
    """Say how a point has ended."""
    point = process.point
    status = process.status()
    process.close()
    try:
        finished = status == 0 and point.is_finished()
    except InputError as error:
        finished = False
        board.print(str(error))
    if finished:
        board.change(point, State.FINISHED)
        return
    board.change(point, State.FAILED)
    told = "" if status else (
        f" but left no results of its {point.last_stage} in {point.folder / RESULTS}, so it is not finished; take out "
        "what stops it early, such as --trainer.fast_dev_run or --print_config"
    )  # fmt: skip
    said = process.last_lines()
    words = "the end of" if said else "it said nothing in"
    board.print(f"{point.name} ended with status {status}{told}; {words} {point.log}")
    for line in said:
        board.print(f"  {line}")


def _lock(point: Point) -> IO[bytes] | None:
    """The point's log, locked and open for more; None if another process has it."""
    import fcntl  # not on Windows, where the other verbs work

    log = (make_folder(point.folder) / point.log.name).open("ab")
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.close()
        return None
    return log


def _environment(point: Point, device: str | None, threads: int, project: str) -> dict[str, str]:
    """The variables of a point's process."""
    chosen = {"WANDB_MODE": "offline", "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    forced = {"WANDB_RUN_ID": point.name, "WANDB_PROJECT": project}
    if device is not None:
        forced["CUDA_VISIBLE_DEVICES"] = device
    # So that `dream-if` is the one beside this interpreter, also where its folder is not on the path.
    forced["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return chosen | dict(os.environ) | forced  # what the user has set stays


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Signals that ask to stop, as they come, in place of what they do by themselves.

    A signal that raised an exception could do so between the start of a process and the line that takes note of it.
    """
    came: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in signals}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
