"""The progress bar: seen on a terminal alone, one for each stage."""

import pytest
from rich.console import Console

from dream_if.cli import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_stages_are_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch, terminal: bool) -> None:
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(stderr=stderr, force_terminal=terminal, width=80))
    with progress.progress_bar("scoring") as advance:
        advance(1, 4)
        advance(2, 3, "reading")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [word in shown.err for word in ("scoring", "1/4", "reading", "2/3")] == [terminal] * 4
