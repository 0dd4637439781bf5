"""What an attack may take, what it counts, and commands in processes of their own that can be killed."""

import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dream_if.cli.main import HINT, main

SEED = int(os.environ.get("SEED", "1"))
SECONDS = float(os.environ.get("ATTACK_SECONDS", "600"))
"""For all of the attack; each of its parts has a share."""

COUNTS: Counter[tuple[str, str]] = Counter()
"""(what was attacked, what came of it) -> how often."""

LONGEST = 120.0  # seconds for one command; beyond, it hangs
MOST_MEMORY = 1.5 * 2**30


@dataclass
class Ended:
    """How a command ended: its exit status, None where it was killed, and what it printed."""

    status: int | None
    said: str
    seconds: float
    memory: float

    def fault(self) -> str:
        """What is wrong with it, empty where it ended as it may: well, or with one line."""
        if "Traceback" in self.said:
            return f"traceback: {self.said[-1500:]}"
        if self.status not in (0, 1, 2):
            return f"status {self.status} after {self.seconds:.0f} s: {self.said[-500:]}"
        errors = [line for line in self.said.splitlines() if line.startswith("dream-if: error: ")]
        if self.status == 2 and (len(errors) != 1 or not errors[0].endswith(HINT)):
            return f"status 2 without its one line: {self.said[-500:]}"
        return f"{self.memory / 2**20:.0f} MiB" if self.memory > MOST_MEMORY else ""


def command(words: Sequence[object], folder: Path, kill_after: float | None = None) -> Ended:
    """Run `dream-if` in a fork of this process, which has imported everything already.

    Args:
        words: after `dream-if`.
        folder: to run in.
        kill_after: seconds until it and what it has started get SIGKILL; None for those after which it hangs.
    """
    log = folder.parent / f"{folder.name}.log"
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(words, folder, log)
    limit = LONGEST if kill_after is None else kill_after
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - start > limit:
            with suppress(ProcessLookupError):  # it has no group of its own yet
                os.killpg(child, signal.SIGKILL)
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(0.005)
    code = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace") if log.exists() else ""
    return Ended(code if code >= 0 else None, said, time.monotonic() - start, used.ru_maxrss * 1024)


def _become(words: Sequence[object], folder: Path, log: Path) -> None:
    """In the new process: run the command, and end without pytest's own ending."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(output, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        resource.setrlimit(resource.RLIMIT_AS, (24 * 2**30, resource.RLIM_INFINITY))  # libraries map a dozen GiB
        status = main([str(word) for word in words])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
