"""The tables of docs/table4.md are those that its script prints from the scores in docs/data."""

import sys
from pathlib import Path

import pytest

from benchmarks import table4_differences

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_has_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["table4_differences", str(ROOT / "docs/data/table4")])
    table4_differences.main()
    printed = [line.partition("|")[2].partition("|")[2] for line in capsys.readouterr().out.splitlines() if "|" in line]
    page = (ROOT / "docs/table4.md").read_text()
    assert len(printed) == 25
    missing = [line for line in printed[:15] + printed[20:] if line not in page]
    assert not missing
