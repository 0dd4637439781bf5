"""Points and commands of a sweep file. What `wandb agent` would run, by wandb's own code, is the yardstick."""

from datetime import date
from itertools import product
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from dream_if.errors import InputError
from dream_if.runs.sweep_grid import Sweep, command_of, expand, fit_arguments, point_name, read_sweep

GRID = {
    "method": "grid",
    "command": ["${env}", "dream-if", "fit", "--config=base.yaml", "--then_test=true", "${args}"],
    "parameters": {
        "seed_everything": {"values": [0, 1]},
        "model.warmup": {"value": 0.05},
        "data.mix": {"values": ["equal", "null"]},
        "data.root": {"values": [["a", "b"], "c d"]},
        "then_test": {"values": [True, False]},
    },
}


def agents_command(command: list[str], point: dict) -> list[str]:
    """What wandb's agent makes of a command (`Agent._command_run` of wandb 0.31)."""
    parts = create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
    parts["env"] = ["/usr/bin/env"]
    words = []
    for word in create_sweep_command(list(command)):
        macro = word.startswith("${") and word.endswith("}")
        words += parts[word[2:-1]] if macro else [word]
    return words


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads a sweep file with this content; a value of None takes the key out."""
    monkeypatch.chdir(tmp_path)

    def write(**changes: object) -> Sweep:
        content = {key: value for key, value in {**GRID, **changes}.items() if value is not None}
        Path("sweep.yaml").write_text(yaml.safe_dump(content))
        return read_sweep(Path("sweep.yaml"))

    return write


@pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}"])
def test_the_commands_are_wandbs(written, monkeypatch: pytest.MonkeyPatch, macro: str) -> None:
    monkeypatch.setenv("BASE", "base")
    command = ["${env}", "dream-if", "fit", "--config=${envvar:BASE}.yaml", macro, "--panels.count=0"]
    sweep = written(command=command)
    points = expand(sweep)
    assert [command_of(sweep, point) for point in points] == [agents_command(command, point) for point in points]
    assert "--config=base.yaml" in command_of(sweep, points[0])


def test_the_points_are_the_product_in_the_order_of_sorted_names(written) -> None:
    names = sorted(GRID["parameters"])
    choices = [GRID["parameters"][name].get("values", [0.05]) for name in names]
    assert [list(point.items()) for point in expand(written())] == [
        list(zip(names, values, strict=True)) for values in product(*choices)
    ]


def test_names_are_readable_distinct_and_those_of_the_point_alone(written) -> None:
    sweep = written()
    names = [point_name(point) for point in expand(sweep)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 64 and not set(name) & set("/\\#?%: ") for name in names)
    more = written(parameters={**GRID["parameters"], "seed_everything": {"values": [7, 1, 0]}})
    assert set(names) < {point_name(point) for point in expand(more)}
    assert point_name({"config": "somewhere/rd_ce.yaml", "seed_everything": 2}).startswith("rd_ce-2-")
    twins = {point_name({"config": f"{folder}/rd.yaml"}) for folder in ("one", "other")}
    assert len(twins) == 2


def test_presets_take_the_place_of_the_commands_configuration(written) -> None:
    command = ["dream-if", "fit", "--panels.count=0", "--config", "a.yaml", "--config=b.yaml", "${args}"]
    sweep = written(command=command, parameters={"seed_everything": {"values": [4]}})
    words = command_of(sweep, {"seed_everything": 4}, ["x.yaml", "y.yaml"], ["--data.crop=32"])
    assert words == [
        *("dream-if", "fit", "--panels.count=0", "--config=x.yaml", "--config=y.yaml"),
        *("--seed_everything=4", "--data.crop=32"),
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["${env}", "A=1", "dream-if", "fit", "--data.crop=16"], ["fit", "--data.crop=16"]),
        (["dream-if", "fit"], ["fit"]),
        (["${env}", "${program}", "fit"], ["fit"]),
    ],
)
def test_the_arguments_of_dream_if_are_found(written, command: list[str], expected: list[str]) -> None:
    sweep = written(command=command, program="dream-if")
    assert fit_arguments(sweep, command_of(sweep, {})) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "bayes"}, "method is bayes.*only a grid.*wandb sweep sweep.yaml.*wandb agent --forward-signals"),
        ({"method": "random"}, "method is random"),
        ({"method": None}, "method is missing"),
        ({"metod": "grid"}, "no key metod; did you mean method?"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate is for W&B's server"),
        ({"command": "dream-if fit"}, "command: expected a list of words"),
        ({"parameters": ["seed"]}, "parameters: expected values by name"),
        ({"parameters": {"a": {"min": 0, "max": 1}}}, "parameters.a: a grid takes 'values: "),
        ({"parameters": {"a": [1, 2]}}, "parameters.a: a grid takes 'values: "),
        ({"parameters": {"a": {"parameters": {"b": {"value": 1}}}}}, "parameters.a: a grid takes"),
        ({"parameters": {"a": {"values": [1], "probabilities": [1]}}}, "a grid has no distributions"),
        ({"parameters": {"a": {"values": []}}}, "parameters.a.values: expected a list"),
        ({"parameters": {"a": {"values": 3}}}, "parameters.a.values: expected a list"),
        ({"parameters": {"a": {"values": [1, None]}}}, "null would arrive as the text None; write it in quotes"),
        ({"parameters": {"a": {"values": [{"b": 1}]}}}, "settings that change together go into a configuration file"),
        ({"parameters": {"a": {"values": [1, 2, 1]}}}, "a value appears twice"),
        ({"parameters": {"a": {"value": date(2020, 1, 2)}}}, "parameters.a: expected texts, numbers"),
        ({"parameters": {"a": {"value": [date(2020, 1, 2)]}}}, "parameters.a: .* write dates in quotes"),
        ({"parameters": {date(2020, 1, 2): {"value": 1}}}, "expected names of settings, got 2020-01-02"),
        ({"parameters": {"a": {"value": 1}, 2: {"value": 1}}}, "expected names of settings, got 2"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_no_grid_is_refused(written, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[").replace("?", r"\?")):
        written(**changes)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["dream-if", "fit", "${args_json_file}"], r"\$\{args_json_file\} is unknown here; expected \$\{env\}"),
        (["dream-if", "fit", "--x=${args}"], r"--x=\$\{args\} is unknown here"),
        (["dream-if", "fit", "${program}"], "with a program in the file"),
        (["dream-if", "fit", "--config=${envvar:NOT_SET_ANYWHERE}"], "NOT_SET_ANYWHERE is not set"),
        (["${env}", "python", "train.py", "${args}"], "expected .* dream-if, fit, ..., got /usr/bin/env python"),
        (["dream-if", "test", "${args}"], "expected .* dream-if, fit"),
        (["dream-if", "fit", "--config=a.yaml"], r"does not use the parameters.*end it with \$\{args\}"),
        (["${env}", "${args}", "dream-if", "fit"], "expected .* dream-if, fit, ..., got /usr/bin/env --a=1"),
    ],
)
def test_commands_that_cannot_be_run_are_refused(written, command: list[str], message: str) -> None:
    sweep = written(command=command)
    with pytest.raises(InputError, match=message):
        fit_arguments(sweep, command_of(sweep, {"a": 1}))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--seed_everything", "3"], "--seed_everything is what the sweep itself varies"),
        (["--model.net.use_rd=true"], "--model.net.use_rd is what the sweep itself varies"),
        (["--model.net", "{use_rd: true}"], "--model.net is what the sweep itself varies"),
        (["--config", "more.yaml"], "as --preset more.yaml"),
        (["--config=more.yaml"], "as --preset more.yaml"),
    ],
)
def test_overrides_cannot_undo_the_point(written, overrides: list[str], message: str) -> None:
    sweep = written()
    Path("row.yaml").write_text("model: {net: {use_rd: false}}\n")
    point = {"config": "row.yaml", "seed_everything": 0}
    with pytest.raises(InputError, match=message):
        command_of(sweep, point, [], overrides)
    assert command_of(sweep, point, [], ["--model.net.dim=4"])[-1] == "--model.net.dim=4"


def test_a_preset_needs_a_place(written) -> None:
    sweep = written(command=["dream-if", "fit", "${args}"])
    with pytest.raises(InputError, match="no --config for a preset to replace"):
        command_of(sweep, {"a": 1}, ["x.yaml"])
