"""The sweep files: what `wandb agent` would run, by wandb's own command builder, is what `dream-if` takes."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

ROOT = Path(__file__).resolve().parents[1]


def commands(sweep: dict) -> list[list[str]]:
    """The arguments of every point of a grid, after the program's name."""
    names, values = zip(*((name, choice["values"]) for name, choice in sweep["parameters"].items()), strict=True)
    found = []
    for point in product(*values):
        args = create_sweep_command_args({"args": {name: {"value": v} for name, v in zip(names, point, strict=True)}})
        words = [word for word in sweep["command"] if word != "${env}"]
        assert words[0] == "dream-if"
        found.append([flag for word in words[1:] for flag in (args["args"] if word == "${args}" else [word])])
    return found


def test_table_4_is_five_rows_by_three_seeds(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    points = commands(yaml.safe_load((ROOT / "sweeps" / "table4.yaml").read_text()))
    seen = []
    for arguments in points[::4]:  # every row and every seed comes up
        outcome = run(*arguments, "--print_config")
        assert outcome.status == 0, outcome.err
        settings = yaml.safe_load(outcome.out)
        net = settings["model"]["net"]
        seen.append(((net["use_rd"], net["use_ce"], net["use_se"]), settings["seed_everything"]))
        assert settings["data"]["layout"] == "llvip"
        assert settings["trainer"]["logger"]["class_path"].endswith("WandbLogger")
    assert len(points) == len({tuple(point) for point in points}) == 15
    assert {seed for _, seed in seen} == {0, 1, 2}
    assert len({switches for switches, _ in seen}) == 4
