"""`make attack`: its share of time for each part, and the table of counts at its end."""

import os
import time
from collections.abc import Callable

os.environ["HF_HUB_OFFLINE"] = "1"  # a mangled --weights is no reason to ask a server

import pytest

import dream_if.cli.lightning  # noqa: F401  (once here, and not in each of the processes that are forked)
from tests.attack.counting import COUNTS, SECONDS, SEED


@pytest.fixture
def time_left() -> Callable[[float], bool]:
    """Whether this test still has of its share, such as .1, of the time for all."""
    start = time.monotonic()
    return lambda share: time.monotonic() - start < share * SECONDS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was counted."""
    if not COUNTS:
        return
    terminalreporter.section(f"attack with SEED={SEED}")
    terminalreporter.write_line("| attacked | outcome | count |\n| --- | --- | ---: |")
    for (what, outcome), count in sorted(COUNTS.items()):
        terminalreporter.write_line(f"| {what} | {outcome} | {count} |")
