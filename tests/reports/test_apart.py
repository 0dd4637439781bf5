"""Metrics that noise raises stand apart, in every table of corrupted pairs."""

import csv
import re
from pathlib import Path

import pytest
import torch
import yaml

from dream_if.metrics import METRICS, fusion_metrics
from dream_if.reports.score_tables import NOISE_RAISES

TABLES = {
    "2": {"conditions": {"gaussian": {"kind": "gaussian", "level": 4}}},
    "3": {"conditions": {"gaussian": {"kind": "gaussian", "level": 4}}},
    "severity": {"kinds": ["gaussian"], "levels": [4]},
    "shift": {"pixels": [3]},
}
FILES = {"2": "table2", "3": "table3", "severity": "severity", "shift": "shift"}


def made(run, table: str, metrics: list[str], *options: object) -> str:
    methods = {"mine": "laplacian", "average": "average"}
    given = {"methods": methods, "sets": {"pairs": {"root": "pairs"}}, "metrics": metrics, "tables": TABLES}
    Path("plan.yaml").write_text(yaml.safe_dump(given))
    outcome = run("tables", table, "plan.yaml", "--out", "out", "--limit", 2, *options)
    assert outcome.status == 0, outcome.err
    return Path("out", f"{FILES[table]}.md").read_text()


def note(text: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith("- Apart")]
    return found


def test_they_are_those_that_ignore_the_sources() -> None:
    generator = torch.Generator().manual_seed(0)
    symbols = [symbol for symbol in METRICS if not symbol.startswith("LPIPS")]
    fused = torch.rand(1, 3, 180, 180, generator=generator)
    values = []
    fused[..., -1, :] = 0
    for turn in range(2):
        metrics = fusion_metrics(symbols, per_image=True)
        sources = [torch.rand(1, channels, 180, 180, generator=generator) for channels in (3, 1)]
        sources[0][..., :40, : 40 + 9 * turn], sources[1][..., :40, :60] = 0.9, 0.2  # a sky
        sources[1][..., -1, : 90 * turn] = 0
        values.append({symbol: float(value) for symbol, value in metrics(fused, *sources).items()})
    one, other = values
    assert all(value == value for value in one.values()), one
    assert {symbol for symbol in symbols if one[symbol] == other[symbol]} == set(NOISE_RAISES)


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("metrics", [["AG", "SF"], ["EI", "Qabf"]], ids=str)
def test_no_marks_no_tests_and_a_note_that_names_them(run, table: str, metrics: list[str]) -> None:
    text = made(run, table, metrics)
    told = note(text)
    apart = [metric for metric in metrics if metric in NOISE_RAISES]
    assert f"tests: {', '.join(apart)}. " in told
    assert not re.search(r"\b(EN|SD)\b", told)
    assert ("AG" in told) == ("AG" in apart)
    assert ("double edges" in told) == (table == "shift")
    assert "Qabf, SSIM, VIFF and LPIPS" in told
    for metric in apart:
        assert f"{metric} ↑" not in text
    blocks = [block for block in text.split("### ")[1:] if block.startswith("pairs")]
    of_apart = [block for block in blocks if not re.search(r"Qabf", block.split("- Apart")[0])]
    for block in of_apart:
        table_lines = [line for line in block.splitlines() if line.startswith("|")]
        assert not any("**" in line or "<u>" in line for line in table_lines), block
        assert "against" not in block.splitlines()[0]
    assert len(of_apart) + (table == "severity" and "Qabf" in metrics) >= 1
    with Path("out", f"{FILES[table]}.csv").open(newline="") as file:
        assert {row["metric"] for row in csv.DictReader(file) if row["p"]} == set(metrics) - set(apart)


@pytest.mark.usefixtures("workspace")
def test_no_pictures_of_their_extremes(run) -> None:
    made(run, "2", ["AG", "Qabf"], "--panels", 1)
    assert [path.name for path in Path("out/panels/table2").iterdir()] == ["pairs_gaussian_Qabf.png"]


@pytest.mark.usefixtures("workspace")
def test_no_note_where_none_of_them_is(run) -> None:
    assert "- Apart" not in made(run, "2", ["Qabf"])
