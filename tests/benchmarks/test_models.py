"""The page of models says what their JSON says, and scores come out of the tables' CSV."""

import json
import time
from pathlib import Path

import pytest

from benchmarks import models
from dream_if.inference import load_network
from dream_if.models.shipped import SHIPPED, shipped

PAGE = Path(__file__).resolve().parents[2] / "docs/models.md"


def test_the_page_is_what_the_command_prints() -> None:
    assert PAGE.read_text() == models.page(), "run `make models`"


@pytest.mark.parametrize("name", shipped())
def test_a_card_for_the_hub_lies_beside_the_weights(name: str, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["models", "--card", name])
    models.main()
    assert (SHIPPED / f"{name}.md").read_text() == capsys.readouterr().out, "run `make models`"


@pytest.mark.parametrize("name", shipped())
def test_the_page_has_the_figures(name: str) -> None:
    told = json.loads((SHIPPED / f"{name}.json").read_text())
    text = PAGE.read_text()
    assert told["sha256"] in text
    assert f"{told['parameters']:,}" in text
    for sets in told["scores"].values():
        for metrics in sets.values():
            assert " | ".join(f"{value:.3f}" for value in metrics.values()) in text
    assert told["cost"]["sizes"].keys() == models.SIZES.keys()


def test_scores_are_those_of_the_method(tmp_path: Path) -> None:
    table = tmp_path / "table1.csv"
    table.write_text(
        "set,condition,method,metric,mean\n"
        "tno,clean,other,Qabf,0.1\ntno,clean,ours,Qabf,0.6123946\ntno,clean,ours,AG,4\nmsrs,clean,ours,Qabf,0.7\n"
        "tno (paper),clean,TTD,Qabf,0.5\n"
    )
    assert models.scores([table], "ours") == {"clean": {"tno": {"Qabf": 0.612395}, "msrs": {"Qabf": 0.7}}}


def test_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "SIZES", {"32x16": (16, 32), "32x32": (32, 32)})
    small, large = models.measured("small", load_network("small"), 1, time.process_time)["sizes"].values()
    assert large["gmac"] > small["gmac"] > 0
    assert small["seconds"] >= 0


def test_trainings(tmp_path: Path) -> None:
    run = tmp_path / "table4/rd-0"
    run.mkdir(parents=True)
    cost = {"gmac": 1.25, "seconds": 0.5, "mib": 70}
    (run / "cost.json").write_text(json.dumps({"parameters": 1234, "sizes": dict.fromkeys(models.SIZES, cost)}))
    names = [
        f"test/{name}{noise}/{metric}" for name in models.SETS for noise in ("", "+both") for metric in models.METRICS
    ]
    (run / "metrics.json").write_text(json.dumps({"test": {"metrics": dict.fromkeys(names, 0.5)}}))
    lines = [line for line in models.trainings(tmp_path) if line.startswith("| table4/rd-0")]
    scores = "| table4/rd-0 " + 5 * "| 0.500 / 0.500 / 0.500 " + "|"
    assert lines == ["| table4/rd-0 | 1,234 | 1.2 | 0.5 | 70 | 1.2 | 0.5 | 70 |", scores, scores]


def test_a_training_has_its_network() -> None:
    run = PAGE.parent / "data/table4/rd-0-c2f816"
    assert models.network_of(run).config["use_ce"] is False
