"""What trackers get beside settings and metrics, read back with their own programs."""

import csv
import json
from pathlib import Path

import pytest

FIT = ("fit", "--config", "tiny.yaml", "--then_test", "true")


def history(folder: Path) -> list[dict[str, float]]:
    """The validations of a run in the CSV file of Lightning's own logger."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def expected(folder: Path) -> dict[str, float]:
    """The best values of a run as its history has them."""
    found = {}
    for name, better, end in (("val/AG", max, "max"), ("val/Qabf", max, "max"), ("val/loss", min, "min")):
        values = [row[name] for row in history(folder) if name in row]
        found[f"{name}.{end}"] = pytest.approx(better(values), rel=1e-5)
        found[f"{name}.{end}_epoch"] = values.index(better(values))
    return found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch):
    """W&B without a server."""
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield wandb
    wandb.finish()


def test_best_values_go_on_with_a_training(run, workspace: Path, offline) -> None:
    """And with several loggers; `log.checkpoints none` keeps best.ckpt here."""
    loggers = "[{class_path: CSVLogger, init_args: {save_dir: runs, name: csv}}, {class_path: WandbLogger}]"
    options = ("--trainer.logger", loggers, "--group", "g", "--log.checkpoints", "none")
    assert run(*FIT, *options, "--trainer.max_epochs", "3").status == 0
    summary = dict(offline.run.summary)
    first = workspace / "runs/csv/version_0"
    assert {name: summary[name] for name in expected(first)} == expected(first)
    assert offline.run.group == "g"
    assert summary["test/images"]["nrows"] == len((first / "per_image.csv").read_text().splitlines()) - 1
    offline.finish()
    last = str(first / "checkpoints/last.ckpt")
    again = run(*FIT, "--ckpt_path", last, *options, "--trainer.max_epochs", "4")
    assert again.status == 0, again.err
    both = {**summary, **offline.run.summary}
    rows = [row for folder in (first, workspace / "runs/csv/version_1") for row in history(folder)]
    assert both["val/Qabf.max"] == pytest.approx(max(row["val/Qabf"] for row in rows if "val/Qabf" in row), rel=1e-5)
    assert both["val/loss.min"] == pytest.approx(min(row["val/loss"] for row in rows if "val/loss" in row), rel=1e-5)
    assert "val/AG.max_epoch" in dict(offline.run.summary)


@pytest.mark.usefixtures("workspace")
def test_a_run_that_fails_has_failed_at_wandb_too(run, offline, monkeypatch) -> None:
    statuses = []
    monkeypatch.setattr("wandb.finish", lambda exit_code=None: statuses.append(exit_code))
    monkeypatch.setattr("dream_if.callbacks.records.RunMetrics.on_fit_end", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(*FIT, "--trainer.logger", "WandbLogger")
    assert statuses == [1]
    offline.run.finish()


def test_tensorboard(run, workspace: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loggers = "[{class_path: CSVLogger, init_args: {save_dir: runs, name: csv}}, {class_path: TensorBoardLogger, "
    outcome = run(*FIT, "--trainer.logger", loggers + "init_args: {save_dir: board}}]", "--trainer.max_epochs", "2")
    assert outcome.status == 0, outcome.err
    events = EventAccumulator(str(next(workspace.glob("board/**/events*")).parent))
    events.Reload()
    best = expected(workspace / "runs/csv/version_0")
    assert {name: events.Scalars(name)[-1].value for name in best} == best
    assert [event.step for event in events.Scalars("val/AG.max")] == [e.step for e in events.Scalars("val/AG")]
    assert set(events.Tags()["images"]) == {"panels/validation", "panels/pairs"}


def test_mlflow(run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv(
        "MLFLOW_ALLOW_FILE_STORE", "true"
    )  # it asks for a database or a server, which are more to set up
    logger = "{class_path: MLFlowLogger, init_args: {save_dir: flow, tags: {team: ours}}}"
    outcome = run(*FIT, "--trainer.logger", logger)
    assert outcome.status == 0, outcome.err
    [folder] = [path.parent for path in workspace.glob("flow/*/*/config.yaml")]
    client = mlflow.MlflowClient(f"file:{workspace / 'flow'}")
    held = client.get_run(folder.name)
    assert held.data.tags["team"] == "ours"
    assert held.data.params["model.loss.weights.gradient"] == "3.0"
    assert held.data.metrics["val/Qabf.max"] == held.data.metrics["val/Qabf"]  # one epoch
    files = {item.path for item in client.list_artifacts(folder.name)}
    assert files == {"best.ckpt", "config.yaml", "metrics.json", "per_image.csv", "panels"}
    copied = Path(client.download_artifacts(folder.name, "best.ckpt"))
    assert copied.read_bytes() == (folder / "checkpoints/best.ckpt").read_bytes()
    from dream_if.runs.finished import find_runs

    assert [found.folder for found in find_runs(workspace / "flow").tested] == [folder]  # and not the copies


@pytest.mark.parametrize(("validations", "files"), [("1.0", ["best.ckpt"]), ("0", [])])
def test_the_files_of_a_run(run, workspace: Path, offline, monkeypatch, validations: str, files: list[str]) -> None:
    """By their full paths, as `wandb sync` may be called elsewhere; best.ckpt beside a checkpoint of the user's own."""
    given: list[Path] = []
    monkeypatch.setattr("wandb.Artifact.add_file", lambda _, path, **_options: given.append(Path(path)))
    theirs = "[{class_path: ModelCheckpoint, init_args: {monitor: train/loss, filename: theirs}}]"
    options = ("--trainer.logger", "WandbLogger", "--trainer.logger.save_dir", "runs", "--trainer.callbacks", theirs)
    outcome = run(*FIT[:3], *options, "--trainer.limit_val_batches", validations)
    assert outcome.status == 0, outcome.err
    folder = workspace / "runs/dream-if" / offline.run.id
    assert sorted(given) == sorted(
        [folder / "config.yaml", folder / "metrics.json", *(folder / "checkpoints" / name for name in files)]
    )
    assert (folder / "checkpoints/theirs.ckpt").is_file()
    assert json.loads((folder / "metrics.json").read_text())["fit"]["best_by"] == "val/Qabf"
