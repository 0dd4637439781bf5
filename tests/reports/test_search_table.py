"""`dream-if tables sweep` of a sweep that is no grid: the points by rank, and how settings go with the metric."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dream_if.errors import InputError
from dream_if.reports.search_table import read_search
from tests.runs.made_runs import CONFIG

LR, CHOICE = "model.optimizer.init_args.lr", "model.net.kind"
SEARCH = {
    "method": "bayes",
    "metric": {"name": "val/Qabf", "goal": "maximize"},
    "command": ["dream-if", "fit", "${args}"],
    "parameters": {LR: {"min": 1e-4, "max": 1e-2}, CHOICE: {"values": ["a", "b"]}, "model.net.dim": {"value": 4}},
}


def write_point(name: str, lr: float, kind: str, **fit: Any) -> None:
    """Write a run that was trained and not tested."""
    config = json.loads(json.dumps(CONFIG)) | {"seed_everything": 0}
    config["model"]["optimizer"]["init_args"]["lr"] = lr
    config["model"]["net"]["kind"] = kind
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.json").write_text(json.dumps({"fit": fit} if fit else {}))


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str, float]]:
    """Twelve points of search.yaml in runs: learning rate, kind and val/Qabf, which rises with the rate but once."""
    monkeypatch.chdir(tmp_path)
    Path("search.yaml").write_text(yaml.safe_dump(SEARCH))
    rates = np.linspace(1e-4, 1e-2, 12).round(6).tolist()
    scores = (np.arange(12) / 20).tolist()
    scores[0], scores[1] = scores[1], scores[0]
    points = [(rate, "ab"[place % 2], score) for place, (rate, score) in enumerate(zip(rates, scores, strict=True))]
    for place, (rate, kind, score) in enumerate(points):
        last = {"val/Qabf": 0.0, "val/AG": -score}
        write_point(f"p{place:02d}", rate, kind, best_by="val/Qabf", best_value=score, metrics=last)
    write_point("unfinished", 0.1, "a")
    return points


def read(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def cells(text: str, setting: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {setting} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_points_by_rank_and_how_settings_go_with_the_metric(run, search) -> None:
    outcome = run("tables", "sweep", "runs", "--sweep", "search.yaml")
    assert outcome.status == 0, outcome.err
    lines = read("runs/sweep_search.csv")
    assert [float(line["val/Qabf"]) for line in lines] == sorted((score for *_, score in search), reverse=True)
    assert (lines[0]["run"], float(lines[0][LR]), lines[0][CHOICE]) == ("p11", search[11][0], search[11][1])
    # Two neighbours of twelve in the wrong order: 1 - 6 * (1 + 1) / (12 * (144 - 1)).
    assert cells(outcome.out, LR) == [LR, "0.0082 to 0.01", f"{1 - 12 / 1716:.3f}", "<0.001"]
    assert cells(outcome.out, CHOICE)[:3] == [CHOICE, "b, a", "–"]  # no number
    assert float(cells(outcome.out, CHOICE)[3]) > 0.3
    assert "1 run(s) were left out" in outcome.out
    assert "not at random" in outcome.out
    assert "model.net.dim" not in outcome.out  # it does not vary


@pytest.mark.usefixtures("search")
def test_lower_may_be_better_and_another_metric_is_of_the_last_validation(run) -> None:
    content = SEARCH | {"method": "random", "metric": {"name": "val/AG", "goal": "minimize"}}
    Path("search.yaml").write_text(yaml.safe_dump(content))
    outcome = run("tables", "sweep", "runs", "--sweep", "search.yaml", "--out", "out")
    assert outcome.status == 0, outcome.err
    assert read("out/sweep_search.csv")[0]["run"] == "p11"
    assert cells(outcome.out, LR)[2] == f"{12 / 1716 - 1:.3f}"
    assert "not at random" not in outcome.out


@pytest.mark.usefixtures("search")
def test_what_cannot_be_used(run) -> None:
    told = run("tables", "sweep", "runs", "--sweep", "search.yaml", "--base", "p01").message
    assert told == "--base p01: search.yaml is not a grid, so it has no rows; leave it out."
    Path("none").mkdir()
    assert "no run there is trained to the end" in run("tables", "sweep", "none", "--sweep", "search.yaml").message
    parameters = {"parameters": {"model.net.depth": {"values": [1, 2]}}}
    Path("search.yaml").write_text(yaml.safe_dump(SEARCH | parameters))
    told = run("tables", "sweep", "runs", "--sweep", "search.yaml").message
    assert told == "runs/p00: there is no model.net.depth in its config.yaml, which search.yaml varies."
    Path("search.yaml").write_text(yaml.safe_dump({key: SEARCH[key] for key in ("method", "parameters")}))
    with pytest.raises(InputError, match="a metric with a name and the goal"):
        read_search(Path("search.yaml"))


def test_our_own_search_can_be_read() -> None:
    found = read_search(Path(__file__).parents[2] / "sweeps" / "losses.yaml")
    assert found is not None
    assert found.metric == "val/Qabf"
    assert found.higher
    assert "model.loss.weights.gradient" in found.parameters
