"""`dream-if tables sweep`: the rows of any grid, found by the settings of the runs."""

import csv
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy import stats

from dream_if.errors import InputError
from dream_if.reports.rows_of_runs import rows_of_sweeps
from tests.reports.reading import sections
from tests.runs.made_runs import change_config, scores_of, write_run, write_sweep

ROWS = {"dim=4, lr=1e-3": (4, 0.001), "dim=4, lr=0.01": (4, 0.01), "dim=8, lr=1e-3": (8, 0.001)}
SCORED_AS = dict(zip(ROWS, ("base", "rd", "rd_ce"), strict=True))
LR = "model.optimizer.init_args.lr"


def write_grid(parameters: dict[str, list[Any]], path: str = "my.yaml") -> Path:
    """Write a sweep over these values into the current folder."""
    choices = {key: {"values": values} for key, values in parameters.items()}
    content = {"method": "grid", "command": ["dream-if", "fit", "${args}"], "parameters": choices}
    Path(path).write_text(yaml.safe_dump(content))
    return Path(path)


def write_of(folder: Path, scored_as: str, seed: int, dim: int, lr: float, group: str | None = None) -> None:
    """Write a run with these settings and the scores of a made-up row."""
    write_run(folder, "base", seed, scores=scores_of(scored_as, seed))

    def change(config: dict[str, Any]) -> None:
        config["group"] = group
        config["model"]["net"]["dim"] = dim
        config["model"]["optimizer"]["init_args"]["lr"] = lr

    change_config(folder, change)


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows by two seeds in runs/my, and in my.yaml and more.yaml the sweeps that ran them."""
    monkeypatch.chdir(tmp_path)
    for (row, (dim, lr)), seed in product(ROWS.items(), (0, 1)):
        write_of(Path("runs/my") / f"{dim}-{lr}-{seed}", SCORED_AS[row], seed, dim, lr)
    write_grid({"model.net.dim": [4], LR: ["1e-3", 0.01], "seed_everything": [0, 1]})
    write_grid({"model.net.dim": [8], LR: ["1e-3"], "seed_everything": [0, 1]}, "more.yaml")


def lines(path: str) -> dict[tuple[str, str, str], dict[str, str]]:
    with Path(path).open(newline="") as file:
        return {(line["set"], line["row"], line["metric"]): line for line in csv.DictReader(file)}


@pytest.mark.usefixtures("grid")
@pytest.mark.parametrize("base", [None, "dim=8, lr=1e-3"])
def test_any_grid_has_a_table_against_any_base(run, base):
    names = sorted(ROWS, key=list(ROWS).index)
    outcome = run("tables", "sweep", "--sweep", "my.yaml", "more.yaml", *(["--base", base] if base else []))
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("# Sweep my, more on llvip, with networks of up to ")
    tables = sections(outcome.out)
    assert [row[0] for row in tables["llvip, 12 image(s)"][1:]] == names
    against = base or names[0]
    others = [name for name in names if name != against]
    assert [row[0] for row in tables[f"llvip, against {against}"][1:]] == others
    assert tables[f"Against {against}, on how many sets a row is ahead and behind"][0][3:] == others
    assert "paper" not in outcome.out.lower()
    assert "Table 4" not in outcome.out
    assert f"but for model.net.dim, {LR}, of which the values below are those of the first row" in outcome.out
    found = lines("runs/my/sweep_my.csv")
    means = {name: sum(scores_of(SCORED_AS[name], seed)["llvip"][:, 1] for seed in (0, 1)) / 2 for name in names}
    for name in others:
        line = found["llvip", name, "Qabf"]
        assert line["against"] == against
        assert float(line["mean"]) == pytest.approx(means[name].mean())
        assert float(line["difference"]) == pytest.approx(means[name].mean() - means[against].mean())
        assert float(line["p"]) == pytest.approx(stats.wilcoxon(means[name], means[against]).pvalue)


@pytest.mark.usefixtures("grid")
def test_one_row_has_a_mean_and_nothing_to_stand_against(run):
    write_grid({"model.net.dim": [8], LR: [0.001]}, "one.yaml")
    for folder in Path("runs/my").glob("4-*"):
        folder.rename(Path("runs") / folder.name)
    outcome = run("tables", "sweep", "runs/my", "--sweep", "one.yaml")
    assert outcome.status == 0, outcome.err
    assert "against" not in "".join(sections(outcome.out))
    assert sections(outcome.out)["llvip, 12 image(s)"][1][0] == "one"


@pytest.mark.usefixtures("grid")
def test_runs_of_several_machines_make_one_table(run):
    for number, folder in enumerate(sorted(Path("runs/my").iterdir())):
        root = f"/home/{number}/data/llvip"
        change_config(folder, lambda config, root=root: config["data"].update(root=[root]))
        folder.rename(Path("runs") / f"{'ab'[number % 2]}-{folder.name}")
    for name in "ab":
        Path(name).mkdir()
        for folder in Path("runs").glob(f"{name}-*"):
            folder.rename(Path(name, folder.name))
    outcome = run("tables", "sweep", "a", "b", "a", "--sweep", "my.yaml", "more.yaml")
    assert outcome.status == 0, outcome.err
    assert len(lines("a/sweep_my.csv")) == 3 * 2 * 3
    one = next(Path("a").iterdir())
    change_config(one, lambda config: config["data"].update(root=["/home/data/msrs"]))
    assert "data.root is " in run("tables", "sweep", "a", "b", "--sweep", "my.yaml", "more.yaml").message


@pytest.mark.usefixtures("grid")
def test_what_is_missing_or_of_no_row_is_told(run):
    write_of(Path("runs/my/other"), "rd", 0, 16, 0.001)
    outcome = run("tables", "sweep", "--sweep", "my.yaml", "more.yaml")
    assert f"other was left out: its model.net.dim is 16 and its {LR} is 0.001, which is no row." in outcome.out
    (Path("runs/my/8-0.001-1") / "metrics.json").unlink()
    told = run("tables", "sweep", "--sweep", "my.yaml", "more.yaml").message
    assert "missing: row dim=8, lr=1e-3, seed 1 (not tested yet in runs/my/8-0.001-1)." in told
    assert "expected a row of the table, one of lr=1e-3; lr=0.01; got x" in (
        run("tables", "sweep", "--sweep", "my.yaml", "--base", "x").message
    )
    assert "needs the file of the sweep" in run("tables", "sweep", "runs/my").message
    change_config(Path("runs/my/4-0.01-0"), lambda config: config["data"].update(crop=64))
    assert "data.crop is 96" in run("tables", "sweep", "--sweep", "my.yaml").message
    assert "--base is for table 4" in run("tables", "1", "--base", "x").message
    assert "--detector is for table 5; leave it out" in run("tables", "2", "--detector", "yolo").message
    assert "expected one YAML file, got a b" in run("tables", "1", "a", "b").message


def test_table_4_of_two_rows(run, write_ablation):
    folder = write_ablation(seeds=(0, 1))
    for row in ("base", "rd_se", "rd_ce_se"):
        for seed in (0, 1):
            (folder / "deep" / f"{row}-{seed}").rename(f"{row}-{seed}")
    two = write_sweep(["rd", "rd_ce"], [0, 1], "two.yaml")
    outcome = run("tables", "4", "--sweep", two, "--base", "rd_ce")
    assert outcome.status == 0, outcome.err
    tables = sections(outcome.out)
    assert [row[0] for row in tables["llvip, 12 image(s)"][1:]] == ["RD", "RD + CE"]
    assert tables["llvip, against RD + CE"][1][4:] == ["-0.004", "-0.016", "-0.008"]  # the paper's
    assert run("tables", "4").status != 0


def test_rows_are_called_by_what_varies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/x", "b/x", "b/y"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(f"{name}.yaml").write_text(f"group: {name}\nmodel: {{net: {{dim: 4}}}}\n")

    def names(**parameters: list[Any]) -> list[str]:
        return list(rows_of_sweeps([write_grid({k.replace("__", "."): v for k, v in parameters.items()})], None).rows)

    assert names(config=["a/x.yaml", "b/y.yaml"], seed_everything=[0, 1]) == ["x", "y"]
    assert names(config=["a/x.yaml", "b/x.yaml"]) == ["a/x.yaml", "b/x.yaml"]
    assert names(model__net__dim=[4], model__net__stride=[1, 2]) == ["stride=1", "stride=2"]
    assert names(a__dim=[1, 2], b__dim=[3, 4])[0] == "a.dim=1, b.dim=3"
    assert names(model__recompute=[True, False], config=["a/x.yaml", "b/y.yaml"])[0] == "x, recompute=true"
    assert names(seed_everything=[0, 1]) == ["my"]


def test_a_run_is_of_the_row_with_most_of_its_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, net in {"unet": "{class_path: mine.UNet}", "wide": "{dim: 8, stride: 2}", "plain": "{dim: 8}"}.items():
        Path(f"{name}.yaml").write_text(f"model: {{net: {net}}}\n")
    lineup = rows_of_sweeps([write_grid({"config": ["unet.yaml", "wide.yaml", "plain.yaml"]})], "plain")
    assert lineup.base == "plain"
    assert "model.net" in lineup.free
    rows = {"mine.UNet": "unet", "other.UNet": None}
    for path, row in rows.items():
        assert lineup.row_of({"model": {"net": {"class_path": path}}}, Path("run")) == row
    assert lineup.row_of({"model": {"net": {"dim": 8, "stride": 2}}}, Path("run")) == "wide"
    assert lineup.row_of({"model": {"net": {"dim": 8, "stride": 1}}}, Path("run")) == "plain"
    Path("plain.yaml").write_text("model: {recompute: true, net: {dim: 8}}\n")
    lineup = rows_of_sweeps([write_grid({"config": ["wide.yaml", "plain.yaml"]})], None)
    with pytest.raises(InputError, match="of the rows wide and plain; give the configuration of each"):
        lineup.row_of({"model": {"recompute": True, "net": {"dim": 8, "stride": 2}}}, Path("run"))
