"""What `dream-if tables` refuses, and what it passes over."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from dream_if.errors import InputError
from dream_if.reports.ablation_runs import expected_runs
from dream_if.runs.sweep_point import IDLE, Point
from tests.runs.made_runs import ROWS, change_config, scores_of, write_run, write_sweep


@pytest.fixture
def refused(run, write_ablation):
    """Write whole runs, change them, and return the message; no table may be written."""

    def call(change, *more):
        folder = write_ablation()
        change(folder / "deep")
        outcome = run("tables", "4", *more)
        assert not list(Path().rglob("table4.*"))
        return outcome.message

    return call


def test_nothing_to_make_it_of(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "runs/table4: no such folder" in run("tables", "4").message
    Path("runs/table4").mkdir(parents=True)
    message = run("tables", "4").message
    assert "there is no tested run of a row of Table 4" in message
    assert "dream-if sweep sweeps/table4.yaml" in message


def test_a_missing_run_is_named(refused):
    message = refused(lambda runs: shutil.rmtree(runs / "rd_ce-1"))
    assert "these runs are missing: row rd_ce, seed 1." in message
    assert "Repeat the sweep" in message


def test_a_run_without_a_test_is_missing(refused):
    def cut(runs):
        path = runs / "base-2" / "metrics.json"
        record = json.loads(path.read_text())
        del record["test"]
        path.write_text(json.dumps(record))
        (runs / "rd-0" / "metrics.json").unlink()

    message = refused(cut)
    assert "row base, seed 2 (not tested yet in runs/table4/deep/base-2)" in message
    assert "row rd, seed 0 (not tested yet in runs/table4/deep/rd-0)" in message


def test_an_unfinished_double_is_passed_over_with_a_word(run, write_ablation):
    folder = write_ablation()
    shutil.copytree(folder / "deep" / "rd-1", folder / "first-try")
    (folder / "first-try" / "metrics.json").write_text('{"fit": {"epochs": 1}}')
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert "runs/table4/first-try was left out: it is not tested yet." in outcome.out


def test_a_run_of_no_row_is_passed_over_with_a_word(run, write_ablation):
    folder = write_ablation()
    shutil.copytree(folder / "deep" / "rd-1", folder / "mine")
    change_config(folder / "mine", lambda config: config.update(group=None))
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert "runs/table4/mine was left out: its group is None, which is no row." in outcome.out


def test_a_trackers_file_of_the_same_name_is_no_run(run, write_ablation):
    folder = write_ablation()
    (folder / "deep" / "rd-1" / "files").mkdir()
    (folder / "deep" / "rd-1" / "files" / "config.yaml").write_text("config: {value: {model: 1}}\n")
    assert run("tables", "4").status == 0


def test_a_doubled_run_is_named_with_both_folders(refused):
    message = refused(lambda runs: shutil.copytree(runs / "rd-1", runs / "again"))
    assert "row rd has seed 1 2 times, in runs/table4/deep/again and runs/table4/deep/rd-1" in message
    assert "name the narrower one that holds those of the table; else move all but one away" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.max_epochs", 5),
        ("model.net.dim", 8),
        ("model.optimizer.init_args.lr", 0.1),
        ("data.train_seed", 7),
        ("data.degradation", None),
        ("data.num_scenes", 3),
    ],
)
def test_runs_with_other_settings_are_refused_with_their_keys(refused, key, value):
    message = refused(lambda runs: change_config(runs / "rd_se-2", lambda config: change_setting(config, key, value)))
    assert "runs/table4/deep/base-0 and runs/table4/deep/rd_se-2 were not run alike" in message
    assert key in message
    assert f"{value or 'not set'} in the second" in message


def test_switches_that_are_not_the_groups_are_refused(refused):
    message = refused(
        lambda runs: change_config(runs / "rd-0", lambda config: config["model"]["net"].update(use_ce=True))
    )
    assert "runs/table4/deep/rd-0: its group is rd, which has use_rd true, use_ce false, use_se false" in message
    assert "its network has use_rd true, use_ce true, use_se false" in message
    assert "experiments/ablation/rd.yaml" in message


def test_another_checkpoint_rule_is_refused(refused):
    def last(runs):
        path = runs / "rd-2" / "metrics.json"
        path.write_text(path.read_text().replace("best.ckpt", "last.ckpt"))

    assert "the tested checkpoint is best.ckpt in the first and last.ckpt in the second" in refused(last)


def test_other_images_are_refused(refused):
    def renamed(runs):
        path = runs / "rd-2" / "per_image.csv"
        path.write_text(path.read_text().replace("llvip,network,0003", "llvip,network,0099"))

    message = refused(renamed)
    assert "the list of images of llvip is 12 names with digest" in message
    assert "gaussian" not in message


def test_other_test_sets_are_refused(refused):
    def less(runs):
        shutil.rmtree(runs / "rd-2")
        write_run(runs / "rd-2", "rd", 2, scores={"llvip": scores_of("rd", 2)["llvip"]})

    assert "llvip+gaussian with AG, Qabf, SSIM in the first and llvip with AG, Qabf, SSIM in the second" in refused(
        less
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metrics.json", "{", "not a JSON file"),
        ("metrics.json", "[]", "expected what a run writes"),
        ("metrics.json", '{"test": {"metrics": {}}}', "metrics.json and per_image.csv are not of the same test"),
        ("config.yaml", "a: [", "not a YAML file"),
        ("per_image.csv", "set,method,name,AG\nllvip,network,0001,much\n", "line 2"),
        ("per_image.csv", "set,method,name,AG\nllvip,network\n", "line 2"),
        ("per_image.csv", "set,method,name,Beauty\nllvip,network,0001,1\n", "no metric Beauty"),
        ("per_image.csv", "set,method,name,AG\nllvip,network,0001,1\n", "are not of the same test"),
        ("per_image.csv", b"\x93\xff\x00\x01", "not a text file"),
        ("per_image.csv", "set,method,name,AG\n" + "llvip,network,a,1\n" * 2, "line 3 has a of llvip a second time"),
        ("metrics.json", '{"test": {"metrics": ["test/llvip/AG"]}}', "test.metrics: expected numbers by name"),
        ("metrics.json", '{"test": {"metrics": {"test/llvip/AG": "much"}}}', "test.metrics.test/llvip/AG: expected"),
        ("metrics.json", '{"test": {"metrics": {"test/llvip/AG": true}}}', "expected a number or null, got true"),
        ("metrics.json", '{"test": {"higher_is_better": {"glare": 1}}}', "expected true or false, got 1"),
        ("metrics.json", '{"test": {"checkpoint": 5}}', "test.checkpoint: expected the path of a file, got 5"),
        ("metrics.json", '{"fit": {"steps": "many"}}', 'fit.steps: expected a whole number, got "many"'),
        ("metrics.json", '{"fit": {"hardware": ["a"]}}', "fit.hardware: expected text"),
        ("per_image.csv", None, "there is no such file"),
    ],
)
def test_broken_files_are_named(refused, name, content, words):
    def broken(runs):
        (runs / "rd_ce_se-0" / name).unlink()
        if content is not None:
            (runs / "rd_ce_se-0" / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    message = refused(broken)
    assert "runs/table4/deep/rd_ce_se-0" in message
    assert words in message


def test_a_network_of_another_version_is_named(run, write_ablation):
    for folder in (write_ablation() / "deep").iterdir():
        change_config(folder, lambda config: config["model"]["net"].update(depth=3))
    message = run("tables", "4").message
    assert "base-0/config.yaml: model.net is no network of this version" in message
    assert "depth" in message


def test_an_output_that_cannot_be_written_is_named(run, write_ablation):
    write_ablation()
    Path("taken").write_text("")
    assert "taken" in run("tables", "4", "--out", "taken").message
    assert Path("taken").read_text() == ""


def test_another_table_is_no_choice(run):
    assert "'9'" in run("tables", "9").message


def test_the_made_up_settings_are_read_as_yaml(write_ablation):
    config = yaml.safe_load((write_ablation() / "deep" / "rd-1" / "config.yaml").read_text())
    assert (config["group"], config["seed_everything"], config["data"]["train_seed"]) == ("rd", 1, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed_everything": None}, "seed_everything: expected a whole number, got null"),
        ({"seed_everything": "one"}, 'seed_everything: expected a whole number, got "one"'),
        ({"seed_everything": True}, "seed_everything: expected a whole number, got true"),
        ({"group": ["rd"]}, 'group: expected a name or null, got ["rd"]'),
        ({"model": None}, "model: expected settings by name, got null"),
        ({"model": {"net": 3}}, "model.net: expected settings by name, got 3"),
        ({"trainer": [1]}, "trainer: expected settings by name, got [1]"),
    ],
    ids=str,
)
def test_damaged_settings_are_named(refused, change, words):
    message = refused(lambda runs: change_config(runs / "rd-1", lambda config: config.update(change)))
    assert message.startswith("runs/table4/deep/rd-1/config.yaml: ")
    assert words in message


def test_a_mean_that_is_not_that_of_the_images_is_refused(refused):
    def other(runs):
        path = runs / "rd_se-1" / "metrics.json"
        record = json.loads(path.read_text())
        record["test"]["metrics"]["test/llvip/Qabf"] *= 1.001
        path.write_text(json.dumps(record))

    message = refused(other)
    assert "runs/table4/deep/rd_se-1: metrics.json and per_image.csv are not of the same test" in message
    assert "the mean Qabf on llvip is" in message


@pytest.mark.parametrize(("name", "unit", "value"), [("base-0", "epochs", 1), ("rd_ce-2", "steps", 32)])
def test_a_training_of_another_length_is_refused_by_name(refused, name, unit, value):
    def shorter(runs):
        path = runs / name / "metrics.json"
        record = json.loads(path.read_text())
        record["fit"][unit] = value
        path.write_text(json.dumps(record))

    message = refused(shorter)
    usual = {"epochs": 4, "steps": 128}[unit]
    assert f"runs/table4/deep/{name}: this run was trained for {value} {unit}, 14 of the 15 runs for {usual}" in message


def change_setting(config, key, value):
    *above, last = key.split(".")
    for name in above:
        config = config.setdefault(name, {})
    config[last] = value


@pytest.mark.parametrize(("key", "alike"), [*((key, True) for key in sorted(IDLE)), ("data.crop", False)])
def test_what_may_change_between_calls_of_a_sweep_may_differ_between_runs(run, write_ablation, key, alike):
    folder = write_ablation() / "deep" / "rd-1"
    for path in folder.parent.iterdir():
        change_config(path, lambda config: change_setting(config, key, 1))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    Point("rd-1", {}, (), config, folder).write_record()
    change_config(folder, lambda config: change_setting(config, key, 2))
    again = Point("rd-1", {}, (), yaml.safe_load((folder / "config.yaml").read_text()), folder)
    if alike:
        again.refuse_another()
        assert run("tables", "4").status == 0
        return
    with pytest.raises(InputError, match=f"{key} is 1 there and 2 here"):
        again.refuse_another()
    assert f"{key} is 1 in the first and 2 in the second" in run("tables", "4").message


def test_a_seed_that_no_row_has_is_missed_by_the_sweep_alone(run, write_ablation):
    write_ablation(seeds=(0, 1))
    write_sweep(ROWS, [0, 1, 2])
    assert run("tables", "4").status == 0
    message = run("tables", "4", "--sweep", "sweep.yaml").message
    assert f"these runs are missing: {'; '.join(f'row {row}, seed 2' for row in ROWS)}." in message
    write_sweep(ROWS, [1, 0])
    assert run("tables", "4", "--sweep", "sweep.yaml").status == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("group: rd\n", "group: mine\n", "mine is not a row of Table 4; expected base, rd,"),
        ("group: rd\n", "seed_everything: 1\n", "sweep.yaml: expected points with a row and a seed"),
    ],
)
def test_a_sweep_of_something_else_is_refused(run, write_ablation, old, new, words):
    write_ablation()
    write_sweep(ROWS, [0])
    Path("rd.yaml").write_text(Path("rd.yaml").read_text().replace(old, new))
    assert words in run("tables", "4", "--sweep", "sweep.yaml").message
    assert "none.yaml: no such configuration file" in run("tables", "4", "--sweep", "none.yaml").message


def test_the_repositorys_sweep_is_every_row_with_three_seeds(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    assert expected_runs(Path("sweeps/table4.yaml")) == [(row, seed) for row in ROWS for seed in (0, 1, 2)]


@pytest.mark.parametrize(
    "option",
    ["--data=x", "--weights=x", "--lpips-weights=x", "--limit=2", "--panels=1", "--detector=yolo", "--threads=2"],
)
def test_options_that_it_would_not_heed_are_refused(run, write_ablation, option):
    write_ablation()
    name, value = option.split("=")
    assert run("tables", "4", option).message.startswith(f"{name} {value}: table 4 reads finished runs")
    assert not list(Path().rglob("table4.*"))


def test_another_table_has_no_sweep(run):
    assert "--sweep is for table 4" in run("tables", "1", "--sweep", "sweep.yaml").message


def test_a_condition_with_a_slash_is_no_method(run, write_ablation) -> None:
    write_ablation(sets={"road": 12, "road+a/b": 12})
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert "### road+a/b, 12 image(s)" in outcome.out


def test_a_number_from_the_command_line_may_be_text(run, write_ablation):
    folder = write_ablation() / "deep"
    for path in folder.iterdir():
        change_config(path, lambda config: change_setting(config, "trainer.devices", 1))
    change_config(folder / "rd-1", lambda config: change_setting(config, "trainer.devices", "1"))
    assert run("tables", "4").status == 0
    change_config(folder / "rd-1", lambda config: change_setting(config, "trainer.devices", "2"))
    assert "trainer.devices is 1 in the first and 2 in the second" in run("tables", "4").message
