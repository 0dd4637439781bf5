"""`dream-if sweep` with a stand-in for the runs themselves; their settings are resolved by the real command."""

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path
from threading import Thread

import pytest
import torch
import yaml

from dream_if.runs.sweep_grid import point_name

RUNS = Path("runs/table/here")
NAMES = [point_name({"seed_everything": seed}) for seed in (0, 1)]

pytestmark = pytest.mark.usefixtures("no_variables", "stand_in", "two_seeds")


def test_it_runs_every_point_and_then_no_more(run, calls) -> None:
    first = run("sweep", "two.yaml")
    assert first.status == 0, first.err
    assert f"2 of 2 points finished; their runs are in {RUNS}" in first.out
    assert [call["run"] for call in calls()] == sorted(path.name for path in RUNS.iterdir()) == NAMES
    for name in NAMES:
        assert f"{name}: running; its log is {RUNS / name / 'point.log'}" in first.out
        assert re.search(f"{name}: finished after 0:00:", first.out)
        assert f"this is {name}" in (RUNS / name / "point.log").read_text()
    second = run("sweep", "two.yaml")
    assert second.status == 0
    assert second.out.count("finished before") == 2
    assert len(calls()) == 2


def test_what_is_run_is_what_a_dry_run_prints(run, calls) -> None:
    overrides = ("--", "--data.crop=32", "--model.loss.weights.ssim=2")
    printed = run("sweep", "two.yaml", "--dry-run", *overrides)
    assert printed.status == 0, printed.err
    assert not RUNS.exists()
    run("sweep", "two.yaml", *overrides)
    assert [shlex.split(line) for line in printed.out.splitlines()] == [
        ["/usr/bin/env", "dream-if", *call["words"]] for call in calls()
    ]
    assert [call["words"][-3:] for call in calls()] == [
        [f"--seed_everything={seed}", "--data.crop=32", "--model.loss.weights.ssim=2"] for seed in (0, 1)
    ]


def test_one_point_of_an_array(run, calls) -> None:
    outcome = run("sweep", "two.yaml", "--index", 1)
    assert outcome.status == 0, outcome.err
    assert [call["words"][-1] for call in calls()] == ["--seed_everything=1"]
    assert "the points 0 to 1, got 2" in run("sweep", "two.yaml", "--index", 2).message
    assert "the points 0 to 1, got -1" in run("sweep", "two.yaml", "--index=-1").message


def test_a_failure_is_shown_and_stops_no_other(run, order, calls) -> None:
    order(NAMES[0], "fail")
    outcome = run("sweep", "two.yaml")
    assert outcome.status == 1
    assert f"{NAMES[0]} ended with status 3" in outcome.out
    assert "  it went wrong" in outcome.out
    assert f"{NAMES[1]}: finished" in outcome.out
    assert "1 of 2 points finished" in outcome.out
    order(NAMES[0], "")
    assert run("sweep", "two.yaml").status == 0
    assert [call["run"] for call in calls()] == [*NAMES, NAMES[0]]


def test_a_run_that_leaves_no_results_is_not_finished(run, order) -> None:
    order(NAMES[0], "leave nothing")
    outcome = run("sweep", "two.yaml")
    assert outcome.status == 1
    path = RUNS / NAMES[0] / "metrics.json"
    assert f"{NAMES[0]} ended with status 0 but left no results of its test in {path}" in outcome.out
    assert "such as --trainer.fast_dev_run or --print_config" in outcome.out
    assert f"{NAMES[0]}: failed" in outcome.out
    assert "1 of 2 points finished" in outcome.out


def test_data_that_is_not_there_is_missed_once_and_not_for_what_is_finished(run, calls) -> None:
    message = run("sweep", "two.yaml", "--", "--data.root=nowhere").message
    assert message.startswith(f"nowhere: there is no such folder, and {NAMES[0]} reads its data from it.")
    assert not calls()
    assert run("sweep", "two.yaml").status == 0
    Path("pairs").rename("elsewhere")
    assert run("sweep", "two.yaml").out.count("finished before") == 2


def test_a_point_that_was_cut_off_goes_on_from_its_last_epoch(run, calls) -> None:
    run("sweep", "two.yaml")
    name = NAMES[0]
    (RUNS / name / "metrics.json").write_text('{"fit": {}}')  # but the test, which the command asks for, is missing
    (RUNS / name / "checkpoints").mkdir()
    last = RUNS / name / "checkpoints" / "last.ckpt"
    last.touch()
    assert run("sweep", "two.yaml").status == 0
    *before, again = calls()
    assert len(before) == 2
    assert again["words"] == [*before[0]["words"], "--ckpt_path", str(last)]


def test_another_experiment_in_the_same_folder_is_refused(run, calls) -> None:
    run("sweep", "two.yaml")
    message = run("sweep", "two.yaml", "--", "--data.crop=32").message
    assert "this point has been run with other settings: data.crop is 16 there and 32 here" in message
    tiny = yaml.safe_load(Path("tiny.yaml").read_text())
    tiny["model"]["loss"]["warmup_epochs"] = 0  # the command's words are the same
    Path("tiny.yaml").write_text(yaml.safe_dump(tiny))
    assert "model.loss.warmup_epochs is 1 there and 0 here" in run("sweep", "two.yaml").message
    assert len(calls()) == 2
    assert run("sweep", "two.yaml", "--", "--trainer.logger.save_dir=runs/other").status == 0
    assert len(calls()) == 4


def test_what_changes_no_result_and_what_was_not_known_is_no_other_experiment(run) -> None:
    run("sweep", "two.yaml")
    for record in RUNS.glob("*/point.json"):
        content = json.loads(record.read_text())
        del content["settings"]["data"]["crop"]
        record.write_text(json.dumps(content))
    assert run("sweep", "two.yaml", "--", "--data.num_workers=1").out.count("finished before") == 2


def test_what_the_runs_find_in_their_environment(run, calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run("sweep", "two.yaml", "--workers", 2)
    assert {call["CUDA_VISIBLE_DEVICES"] for call in calls()} == {"0", "1"}
    assert {(call["WANDB_MODE"], call["OMP_NUM_THREADS"]) for call in calls()} == {("offline", "3")}
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7")
    run("sweep", "two.yaml")
    assert [(call["WANDB_MODE"], call["CUDA_VISIBLE_DEVICES"]) for call in calls()[2:]] == [("online", "MIG-7")] * 2
    assert len(list(Path("runs/table/mine").iterdir())) == 2


def test_as_many_run_at_a_time_as_there_are_workers(run, order, calls) -> None:
    for name in NAMES:
        order(name, "sleep 0.6")
    run("sweep", "two.yaml")
    run("sweep", "two.yaml", "--workers", 2, "--", "--trainer.logger.save_dir=runs/other")
    times = [call["at"] for call in calls()]
    assert times[1] - times[0] > 0.6
    assert times[3] - times[2] < 0.6


def test_a_signal_ends_it_with_a_line(run, order, calls) -> None:
    order(NAMES[0], "sleep 60")
    pid = RUNS / NAMES[0] / "pid"

    def stop() -> None:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = Thread(target=stop, daemon=True)
    thread.start()
    outcome = run("sweep", "two.yaml")
    thread.join()
    assert outcome.status == 130
    assert outcome.err == "dream-if: stopped; the same command continues from here.\n"
    assert f"{NAMES[0]}: stopped after 0:00:0" in outcome.out
    assert len(calls()) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["two.yaml", "--workers", "0"], "--workers must be 1 or more, got 0."),
        (["two.yaml", "--workers", "x"], "--workers: expected a whole number, got x."),
        (["none.yaml"], "none.yaml: no such configuration file."),
        ([], "the following arguments are required: "),
        (["two.yaml", "--preset", "none.yaml"], "none.yaml: no such configuration file."),
        (["two.yaml", "--", "--modle.net.dim=4"], "there is no setting --modle.net.dim; did you mean --model.net.dim?"),
        (["two.yaml", "--", "--trainer.logger=CSVLogger"], "told apart by W&B's run id"),
        (["two.yaml", "--", "--trainer.logger=false"], "told apart by W&B's run id"),
        (["two.yaml", "--", "--trainer.logger.id=mine"], "all points of a sweep would have the same id"),
        (["two.yaml", "--", "--trainer.logger.project=../x"], "project: ../x cannot be the name of a project"),
        (["two.yaml", "--", "--trainer.logger.project=.."], "project: .. cannot be the name of a project"),
        (["two.yaml", "--", "--help"], "that is not a training; take out --help."),
        (["two.yaml", "--", "-h"], "that is not a training; take out -h."),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, list) else None,
)
def test_mistakes_are_refused_before_anything_is_run(run, calls, args: list[str], message: str) -> None:
    assert message in run("sweep", *args).message
    assert not calls()
    assert not Path("runs").exists()
