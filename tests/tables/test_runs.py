"""What `dream-if tables` refuses, and what it passes over."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.tables.made_runs import change_config, scores_of, write_run


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
    assert "Move all but one away" in message


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
    def change(config):
        *above, last = key.split(".")
        for name in above:
            config = config[name]
        config[last] = value

    message = refused(lambda runs: change_config(runs / "rd_se-2", change))
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
        ("per_image.csv", None, "there is no such file"),
    ],
)
def test_broken_files_are_named(refused, name, content, words):
    def broken(runs):
        (runs / "rd_ce_se-0" / name).unlink()
        if content is not None:
            (runs / "rd_ce_se-0" / name).write_text(content)

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
