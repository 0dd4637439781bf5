"""The sweep files of the repository: W&B takes them, and `dream-if` takes every point of theirs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "sweeps").glob("*.yaml"))

# The keys that W&B's schema is closed to: schema.json in W&B's package `sweeps` 0.3.0.
TOP = {
    *("apiVersion", "kind", "controller", "description", "program", "job", "image_uri", "entity", "project", "method"),
    *("command", "name", "run_cap", "metric", "metrics", "scheduler", "early_terminate", "parameters"),
}
BOUNDS = {"min", "max"}
DISTRIBUTIONS = {
    "constant": {"value"},
    "categorical": {"values"},
    "int_uniform": BOUNDS,
    "uniform": BOUNDS,
    "q_uniform": BOUNDS | {"q"},
    "log_uniform": BOUNDS,
    "log_uniform_values": BOUNDS,
    "q_log_uniform_values": BOUNDS | {"q"},
    "inv_log_uniform_values": BOUNDS,
    "normal": {"mu", "sigma"},
    "log_normal": {"mu", "sigma"},
}


def check_schema(sweep: dict) -> None:
    assert sweep.keys() <= TOP
    assert sweep["method"] in ("grid", "random", "bayes")
    assert isinstance(sweep.get("run_cap", 1), int)
    assert sweep["metric"].keys() <= {"name", "goal", "target"}
    assert sweep["metric"]["goal"] in ("minimize", "maximize")
    assert all(isinstance(word, str) for word in sweep["command"])
    ending = sweep.get("early_terminate", {"type": "hyperband", "min_iter": 1})
    assert ending.keys() <= {"type", "eta", "s", "min_iter", "max_iter", "strict"}
    assert ending["type"] == "hyperband"
    assert ("min_iter" in ending) != ("max_iter" in ending)
    for parameter in sweep["parameters"].values():
        implied = "constant" if "value" in parameter else "categorical"
        kind = parameter.get("distribution", implied)
        assert parameter.keys() - {"distribution"} == DISTRIBUTIONS[kind]
        if parameter.keys() >= BOUNDS:
            assert parameter["min"] < parameter["max"]
            # PyYAML takes 1e-4 for text, and W&B takes whole numbers for those of whole steps.
            assert all(isinstance(parameter[bound], float) for bound in BOUNDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestEveryFile:
    def test_is_what_wandb_takes(self, path: Path) -> None:
        from wandb.apis.public.sweeps import _validate_config_and_fill_distribution as wandbs_check

        sweep = yaml.safe_load(path.read_text())
        check_schema(sweep)
        assert wandbs_check(sweep) == sweep  # nothing is ambiguous

    def test_holds_no_account(self, path: Path) -> None:
        assert "entity" not in yaml.safe_load(path.read_text())
        assert not re.search(r"api_key|[0-9a-f]{40}", path.read_text(), re.IGNORECASE)

    def test_the_extreme_points_parse_and_compute_what_is_optimised(
        self, run, monkeypatch: pytest.MonkeyPatch, path: Path
    ) -> None:
        monkeypatch.chdir(ROOT)
        sweep = yaml.safe_load(path.read_text())
        for end in (0, -1):
            point = {
                name: choice["values"][end] if "values" in choice else (choice["min"], choice["max"])[end]
                for name, choice in sweep["parameters"].items()
            }
            flags = [f"--{name}={value}" for name, value in point.items()]
            words = [word for word in sweep["command"] if word != "${env}"]
            assert words.pop(0) == "dream-if"
            arguments = [flag for word in words for flag in (flags if word == "${args}" else [word])]
            outcome = run(*arguments, "--print_config")
            assert outcome.status == 0, outcome.err
            settings = yaml.safe_load(outcome.out)
            for name, value in point.items():
                found: object = settings
                for part in name.split(".") if name != "config" else []:
                    found = found[part]
                assert name == "config" or found == value
            stage, metric = sweep["metric"]["name"].split("/")
            assert stage == "val"
            assert metric in settings["model"]["metrics"]


def test_table_4_is_five_rows_by_three_seeds(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every point parses, also with another preset and data, and is what its row is called."""
    monkeypatch.chdir(ROOT)
    outcome = run(
        "sweep", "sweeps/table4.yaml", "--dry-run", "--preset", "experiments/small.yaml", "--", "--data.crop=32"
    )
    assert outcome.status == 0, outcome.err
    commands = outcome.out.splitlines()
    assert len(set(commands)) == 15
    rows = {
        "base": (False, False, False),
        "rd": (True, False, False),
        "rd_ce": (True, True, False),
        "rd_se": (True, False, True),
        "rd_ce_se": (True, True, True),
    }
    for seed, command in [(0, commands[0]), (1, commands[4]), (2, commands[14])]:
        assert command.startswith("/usr/bin/env dream-if fit ")
        settings = yaml.safe_load(run(*command.split()[2:], "--print_config").out)
        net = settings["model"]["net"]
        assert (net["use_rd"], net["use_ce"], net["use_se"]) == rows[settings["group"]]
        assert f"ablation/{settings['group']}.yaml" in command
        assert settings["seed_everything"] == seed
        assert settings["then_test"] is True
        assert (net["dim"], settings["data"]["crop"], settings["data"]["layout"]) == (16, 32, "folder")
        assert settings["trainer"]["logger"]["class_path"].endswith("WandbLogger")
        assert settings["trainer"]["logger"]["init_args"]["save_dir"] == "runs/table4"


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
def test_the_readme_has_the_commands_that_make_runs() -> None:
    made = subprocess.run(
        ["make", "-n", "reproduce-table4", "BIN=bin", "DATA=", "PRESET=table4_scenes", "WORKERS=2"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = made.stdout.replace("\\\n", " ").splitlines()
    commands = [line.split() for line in lines if line.startswith("bin/dream-if ")]
    assert [words[1] for words in commands] == ["sweep", "tables"]
    assert "--threads=1" in commands[0]
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    written = [line.split() for line in readme.splitlines() if line.startswith("    dream-if ")]
    for words in commands:
        assert ["dream-if", *words[1:]] in written


def test_the_sweep_over_losses_says_why_it_takes_a_server(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    message = run("sweep", "sweeps/losses.yaml").message
    assert "method is bayes" in message
    assert "wandb sweep sweeps/losses.yaml, then wandb agent --forward-signals" in message
