"""What a run leaves behind."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dream_if.callbacks.records import _table
from dream_if.errors import InputError
from dream_if.figures import panel
from dream_if.storage import write_atomically

FIT = ("fit", "--config", "tiny.yaml")


def test_a_run_leaves_its_configuration_metrics_panels_and_checkpoints(trained: Path, files_below) -> None:
    assert files_below(trained) == {
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml", "hparams.yaml", "metrics.csv", "metrics.json",
        "panels/epoch_0000.png",
    }  # fmt: skip
    record = json.loads((trained / "metrics.json").read_text())["fit"]
    assert (record["epochs"], record["steps"], record["best_by"]) == (1, 2, "val/Qabf")
    assert record["best_value"] == record["metrics"]["val/Qabf"]
    assert Path(record["best_checkpoint"]).name == "best.ckpt"
    assert {"train/loss", "train/loss_pixel", "val/loss", "val/AG", "val/Qabf"} <= record["metrics"].keys()
    assert "loss" not in record["metrics"]
    # The validation pairs, at most three, by two sources, the fused image and a dominance map.
    width, height = Image.open(trained / "panels/epoch_0000.png").size
    assert width > 1200
    assert height > 600


def test_the_configuration_starts_the_same_run_again(run, trained: Path, workspace: Path) -> None:
    assert run("fit", "--config", trained / "config.yaml").status == 0
    again = workspace / "runs/dream-if/version_1"
    first, second = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (trained, again))
    assert first == second
    one, two = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in (trained, again))
    assert all(torch.equal(one["state_dict"][key], two["state_dict"][key]) for key in one["state_dict"])


@pytest.mark.parametrize(
    ("epochs", "validate", "draw", "drawn"),
    [(5, 2, 3, [3]), (6, 2, 4, [3, 5]), (4, 1, 8, [3]), (3, 1, 1, [0, 1, 2]), (4, 3, 1, [2])],
)
def test_pictures_come_at_validations_and_at_the_last_one(
    run, workspace: Path, epochs: int, validate: int, draw: int, drawn: list[int]
) -> None:
    intervals = ("--trainer.check_val_every_n_epoch", validate, "--panels.every_n_epochs", draw)
    assert run(*FIT, "--trainer.max_epochs", epochs, *intervals).status == 0
    found = {path.name for path in (workspace / "runs/dream-if/version_0/panels").iterdir()}
    assert found == {f"epoch_{epoch:04d}.png" for epoch in drawn}


def test_a_training_that_ends_before_it_validates_says_that_it_has_no_best(
    run, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = run(*FIT, "--trainer.max_steps", 1)
    assert outcome.status == 0
    assert "No validation took place, so there is no best.ckpt" in caplog.text
    assert "HINT" not in outcome.err
    folder = workspace / "runs/dream-if/version_0"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["last.ckpt"]
    message = run("publish", folder, "--name", "mine", "--out", "shelf").message
    assert message == f"{folder}: has no checkpoints/best.ckpt: the training ended before its first validation."


def test_the_last_checkpoint_is_the_last_epochs_and_the_best_the_bests(run, workspace: Path) -> None:
    """Lightning renews its `last` only in epochs that it saves for another reason."""
    monitor = ("--checkpoint.monitor", "val/AG", "--panels.every_n_epochs", 2)
    best = {}
    for number, mode in enumerate(("max", "min")):
        assert run(*FIT, "--trainer.max_epochs", 3, *monitor, "--checkpoint.mode", mode).status == 0
        folder = workspace / f"runs/dream-if/version_{number}"
        epochs, scores = {}, {}
        for name in ("best", "last"):
            epochs[name] = torch.load(folder / f"checkpoints/{name}.ckpt", weights_only=True)["epoch"]
        with (folder / "metrics.csv").open() as file:
            for row in csv.DictReader(file):
                if row["val/AG"]:
                    scores[int(row["epoch"])] = float(row["val/AG"])
        assert epochs["last"] == 2
        assert epochs["best"] == (max if mode == "max" else min)(scores, key=scores.__getitem__)
        best[mode] = epochs["best"]
        assert {path.name for path in (folder / "panels").iterdir()} == {"epoch_0001.png", "epoch_0002.png"}
    assert best["max"] != best["min"]  # so in one of them the best is not the last

    # A resumed run knows of the best before it, though that lies in another folder.
    mode = "max" if best["max"] < 2 else "min"
    folder = workspace / f"runs/dream-if/version_{('max', 'min').index(mode)}"
    before = json.loads((folder / "metrics.json").read_text())["fit"]
    resumed = run(*FIT, *monitor, "--checkpoint.mode", mode, "--trainer.max_epochs", 4, "--ckpt_path",
        folder / "checkpoints/last.ckpt")  # fmt: skip
    assert resumed.status == 0, resumed.err
    after = json.loads((workspace / "runs/dream-if/version_2/metrics.json").read_text())["fit"]
    assert after["epochs"] == 4
    if after["best_value"] == before["best_value"]:
        assert after["best_checkpoint"] == before["best_checkpoint"]
    else:
        assert (after["best_value"] > before["best_value"]) == (mode == "max")
    assert (folder / "checkpoints/best.ckpt").exists()


class TestThenTest:
    def test_the_best_checkpoint_is_tested_into_the_same_folder(self, run, workspace: Path) -> None:
        outcome = run(*FIT, "--then_test", "true", "--group", "rd_ce", "--trainer.max_epochs", 2)
        assert outcome.status == 0, outcome.err
        folder = workspace / "runs/dream-if/version_0"
        record = json.loads((folder / "metrics.json").read_text())
        assert record["test"]["checkpoint"] == record["fit"]["best_checkpoint"]
        assert record["test"]["higher_is_better"] == {"AG": True, "Qabf": True}
        assert record["test"]["parameters"] > 1000
        assert record["fit"]["hardware"]
        assert (folder / "per_image.csv").exists()
        assert yaml.safe_load((folder / "config.yaml").read_text())["group"] == "rd_ce"

        assert run("test", "--config", "tiny.yaml", "--ckpt_path", folder / "checkpoints/best.ckpt").status == 0
        alone = json.loads((workspace / "runs/dream-if/version_1/metrics.json").read_text())
        assert alone["test"]["metrics"] == record["test"]["metrics"]

    def test_test_pairs_that_are_missing_are_missed_before_training(self, run, workspace: Path, files_below) -> None:
        for path in (workspace / "pairs/test").rglob("*.png"):
            path.unlink()
        assert "test" in run(*FIT, "--then_test", "true").message
        assert not any(name.startswith("runs/") for name in files_below(workspace))

    def test_it_tries_out_both(self, run, workspace: Path) -> None:
        outcome = run(*FIT, "--then_test", "true", "--trainer.fast_dev_run", 1)
        assert outcome.status == 0, outcome.err


class TestTest:
    def test_every_set_and_method_is_scored_by_itself(self, run, trained: Path, workspace: Path, write_pairs) -> None:
        write_pairs(workspace / "night", {"test": 2}, size=(33, 47), seed=50)
        checkpoint = trained / "checkpoints/last.ckpt"
        outcome = run(
            "test", "--config", "tiny.yaml", "--data.root", "[pairs,night]", "--ckpt_path", checkpoint,
            "--data.test_degradation", "dream_if.data.RandomDegradations",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        folder = workspace / "runs/dream-if/version_1"
        record = json.loads((folder / "metrics.json").read_text())["test"]
        assert record["checkpoint"] == str(checkpoint)
        assert record["metrics"].keys() == {
            f"test/{name}/{method}{metric}"
            for name in ("pairs", "night") for method in ("", "average/", "maximum/", "laplacian/")
            for metric in ("AG", "Qabf")
        }  # fmt: skip
        assert (folder / "config.yaml").exists()
        assert {path.name for path in (folder / "panels").iterdir()} == {"test_pairs.png", "test_night.png"}
        # One table, ours, with a row for each set and method.
        rows = [line.split("│")[1:-1] for line in outcome.out.splitlines() if line.startswith("│")]
        rows = [[cell.strip() for cell in row] for row in rows]
        assert [row[:2] for row in rows] == [
            ["pairs", "network"], ["", "average"], ["", "maximum"], ["", "laplacian"],
            ["night", "network"], ["", "average"], ["", "maximum"], ["", "laplacian"],
        ]  # fmt: skip
        assert float(rows[5][2]) == pytest.approx(record["metrics"]["test/night/average/AG"], abs=5e-4)
        assert "Test metric" not in outcome.out
        # Every image by itself, and the means are theirs.
        with (folder / "per_image.csv").open() as file:
            images = list(csv.DictReader(file))
        assert [(row["set"], row["method"], row["name"]) for row in images] == [
            (name, method, path.stem)
            for name in ("pairs", "night") for method in ("network", "average", "maximum", "laplacian")
            for path in sorted((workspace / name / "test/vi").iterdir())
        ]  # fmt: skip
        for key, mean in record["metrics"].items():
            _, name, *method, metric = key.split("/")
            wanted = name, method[0] if method else "network"
            values = [float(row[metric]) for row in images if (row["set"], row["method"]) == wanted]
            assert np.mean(values) == pytest.approx(mean, rel=1e-6)

    def test_several_conditions(self, run, trained: Path, workspace: Path) -> None:
        """Each set under each condition: what it scores is what it scores under that condition alone."""
        checkpoint = ("--ckpt_path", trained / "checkpoints/last.ckpt", "--panels.count", 0)
        noise = (
            "{class_path: dream_if.data.FixedDegradation, init_args: {kind: "
            "{class_path: dream_if.data.degradations.GaussianNoise, init_args: {sigma: 30}}}}"
        )
        for condition in ("null", noise, f"{{clean: null, noisy: {noise}}}"):
            (workspace / "condition.yaml").write_text(f"data: {{test_degradation: {condition}}}")
            outcome = run("test", "--config", "tiny.yaml", "--config", "condition.yaml", *checkpoint)
            assert outcome.status == 0, outcome.err
        clean, noisy, both = (
            json.loads((workspace / f"runs/dream-if/version_{number}/metrics.json").read_text())["test"]["metrics"]
            for number in (1, 2, 3)
        )
        assert both == clean | {key.replace("test/pairs/", "test/pairs+noisy/"): noisy[key] for key in noisy}
        assert clean["test/pairs/AG"] != noisy["test/pairs/AG"]

    def test_the_same_inputs_at_every_call(self, run, trained: Path, workspace: Path) -> None:
        args = (
            "test", "--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints/last.ckpt", "--panels.count", 0,
            "--data.test_degradation", "dream_if.data.RandomDegradations",
        )  # fmt: skip
        for more in (("--seed_everything", 1), ("--seed_everything", 2), ("--data.seed", 3)):
            assert run(*args, *more).status == 0
        first, second, other = (
            json.loads((workspace / f"runs/dream-if/version_{number}/metrics.json").read_text())["test"]["metrics"]
            for number in (1, 2, 3)
        )
        assert first == second
        assert first["test/pairs/AG"] != other["test/pairs/AG"]
        assert not (workspace / "runs/dream-if/version_1/panels").exists()

    def test_the_baselines_are_scored_as_they_are(self, run, trained: Path, workspace: Path) -> None:
        """The average of the test files, scored outside the framework."""
        from dream_if.metrics import fusion_metrics

        assert run("test", "--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints/last.ckpt").status == 0
        record = json.loads((workspace / "runs/dream-if/version_1/metrics.json").read_text())["test"]["metrics"]
        scores = fusion_metrics(["AG"])
        for path in sorted((workspace / "pairs/test/vi").iterdir()):
            visible = np.asarray(Image.open(path)).astype(np.float32) / 255
            infrared = np.asarray(Image.open(path.parents[1] / "ir" / path.name)).astype(np.float32) / 255
            luminance = visible @ np.float32([0.299, 0.587, 0.114])
            fused = torch.from_numpy((luminance + infrared) / 2)[None, None]
            scores.update(fused, fused, fused)
        assert record["test/pairs/average/AG"] == pytest.approx(float(scores.compute()["AG"]), rel=0.01)


class TestPredict:
    def test_one_png_for_each_pair_in_its_size(
        self, run, trained: Path, workspace: Path, write_pairs, files_below
    ) -> None:
        write_pairs(workspace / "night", {"test": 2}, size=(33, 47), seed=50)
        outcome = run(
            "predict", "--config", "tiny.yaml", "--data.root", "[pairs,night]",
            "--ckpt_path", trained / "checkpoints/last.ckpt",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        folder = workspace / "runs/dream-if/version_1/fused"
        assert files_below(folder) == {
            "pairs/test_00.png", "pairs/test_01.png", "pairs/test_02.png", "night/test_00.png", "night/test_01.png"
        }  # fmt: skip
        for path in folder.rglob("*.png"):
            source = Image.open(workspace / path.parent.name / "test" / "vi" / path.name)
            fused = Image.open(path)
            assert (fused.size, fused.mode) == (source.size, "RGB")

    def test_values_that_are_no_numbers_are_no_picture(self, run, trained: Path, workspace: Path) -> None:
        held = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)
        next(iter(held["state_dict"].values())).fill_(torch.nan)
        torch.save(held, "wrong.ckpt")
        message = run("predict", "--config", "tiny.yaml", "--ckpt_path", "wrong.ckpt").message
        assert message.startswith("the fused image has NaN or infinite values")
        assert not list(workspace.glob("runs/dream-if/version_1/fused*"))  # not an empty folder either

    @pytest.mark.parametrize("wrong", ["checkpoint", "root", "pictures"])
    def test_one_that_is_refused_leaves_no_empty_folder(
        self, run, trained: Path, workspace: Path, files_below, wrong: str
    ) -> None:
        checkpoint = trained / "checkpoints/last.ckpt"
        if wrong == "checkpoint":
            checkpoint = workspace / "wrong.ckpt"
            checkpoint.write_bytes(b"no checkpoint")
        if wrong == "pictures":
            for path in workspace.glob("pairs/test/vi/*.png"):
                path.write_bytes(path.read_bytes()[:200])
        before = files_below(workspace / "runs")
        root = "nowhere" if wrong == "root" else "pairs"
        message = run("predict", "--config", "tiny.yaml", "--data.root", root, "--ckpt_path", checkpoint).message
        assert {"checkpoint": "wrong.ckpt", "root": "nowhere", "pictures": "damaged or cut short"}[wrong] in message
        left = {path for path in files_below(workspace / "runs") - before if not path.endswith(".yaml")}
        assert left == set()

    def test_the_images_are_the_networks(self, run, trained: Path, workspace: Path, caplog) -> None:
        from dream_if.task import FusionTask

        checkpoint = trained / "checkpoints/last.ckpt"
        assert run("predict", "--config", "tiny.yaml", "--ckpt_path", checkpoint).status == 0
        assert "The fused images are in runs/dream-if/version_1/fused" in caplog.text
        net = FusionTask.load_from_checkpoint(checkpoint).net.eval()
        visible = np.asarray(Image.open(workspace / "pairs/test/vi/test_01.png"))
        infrared = np.asarray(Image.open(workspace / "pairs/test/ir/test_01.png"))
        with torch.inference_mode():
            fused = net(
                torch.from_numpy(visible / np.float32(255)).permute(2, 0, 1)[None],
                torch.from_numpy(infrared / np.float32(255))[None, None],
            ).fused[0]
        expected = (fused.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        written = np.asarray(Image.open(workspace / "runs/dream-if/version_1/fused/pairs/test_01.png")).astype(float)
        assert np.abs(written - expected).max() <= 1


def test_validate_writes_its_metrics(run, trained: Path, workspace: Path) -> None:
    fitted = json.loads((trained / "metrics.json").read_text())["fit"]["metrics"]
    assert run("validate", "--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints/last.ckpt").status == 0
    validated = json.loads((workspace / "runs/dream-if/version_1/metrics.json").read_text())["validate"]["metrics"]
    for key in ("val/AG", "val/Qabf"):  # the loss differs: it has left the warm-up
        assert validated[key] == pytest.approx(fitted[key], rel=1e-6)


@pytest.mark.slow
def test_a_point_of_a_wandb_sweep_keeps_all_its_settings(workspace: Path) -> None:
    """As `wandb agent` starts it, in a process of its own: what the sweep varies comes from a file, and is locked."""
    pytest.importorskip("wandb")
    (workspace / "rd.yaml").write_text("group: rd\nmodel: {net: {use_ce: false, use_se: false}}\n")
    point = {"config": {"value": "rd.yaml"}, "data.batch_size": {"value": 2}}
    (workspace / "point.yaml").write_text(yaml.safe_dump({"wandb_version": 1, **point}))
    options = ("--config", "rd.yaml", "--data.batch_size", "2", "--trainer.logger", "WandbLogger")
    program = (
        "import json, sys, wandb\nfrom dream_if.cli import main\nstatus = main(sys.argv[1:])\n"
        "print(json.dumps(dict(wandb.run.config)))\nsys.exit(status)"
    )
    agent = {
        "WANDB_MODE": "offline", "WANDB_SWEEP_ID": "swp", "WANDB_RUN_ID": "run1",
        "WANDB_SWEEP_PARAM_PATH": str(workspace / "point.yaml"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, *FIT, *options], env=os.environ | agent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "locked" not in done.stderr + done.stdout
    logged = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    assert logged["config"] == "rd.yaml"
    assert logged["data.batch_size"] == 2
    assert logged["model.net.use_ce"] is False
    assert logged["model.loss.weights.gradient"] == 3.0
    assert logged["trainer.max_epochs"] == 1


def test_wandb_is_one_flag(run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline: checkpoints, configuration, metrics and panels in the run's own folder; two runs do not collide."""
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for _ in range(2):
        outcome = run(*FIT, "--trainer.logger", "WandbLogger", "--group", "rd")
        assert outcome.status == 0, outcome.err
        assert wandb.run.group == "rd"
        wandb.finish()  # which the end of the process does for a user
    folders = [path.parent for path in workspace.glob("runs/*/*/config.yaml")]
    assert len(folders) == 2
    for folder in folders:
        assert folder.parent.name == "dream-if"
        for name in ("metrics.json", "panels/epoch_0000.png", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
            assert (folder / name).exists()
    media = list(workspace.glob("runs/wandb/offline-run-*/files/media/images/panels/*.png"))
    assert len(media) == 2


class TestFullDisk:
    """No room left: one line, what was there stays, and no part of a file is left."""

    @pytest.fixture
    def full(self, monkeypatch: pytest.MonkeyPatch):
        """A disk on which no file with this ending can be written whole."""
        replace = Path.replace

        def fill(ending: str) -> None:
            def no_room(path: Path, target: Path) -> Path:
                if str(target).endswith(ending):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
                return replace(path, target)

            monkeypatch.setattr(Path, "replace", no_room)

        return fill

    @pytest.mark.parametrize("ending", ["last.ckpt", "best.ckpt", "metrics.json", "config.yaml", "epoch_0000.png"])
    def test_in_training(self, run, workspace: Path, full, files_below, ending: str) -> None:
        full(ending)
        message = run(*FIT).message
        assert ending in message
        assert "cannot be written (No space left on device)" in message
        left = files_below(workspace / "runs/dream-if/version_0")
        assert ending not in {Path(name).name for name in left}
        assert not [name for name in left if Path(name).name.startswith(".")]

    def test_what_was_there_stays(self, tmp_path: Path, full, files_below) -> None:
        write_atomically(tmp_path / "kept.bin", b"old")
        full("kept.bin")
        with pytest.raises(InputError, match="No space left on device"):
            write_atomically(tmp_path / "kept.bin", b"new")
        assert (tmp_path / "kept.bin").read_bytes() == b"old"
        assert files_below(tmp_path) == {"kept.bin"}

    def test_in_predicting(self, run, trained: Path, workspace: Path, full) -> None:
        full("test_01.png")
        message = run("predict", "--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints/last.ckpt").message
        assert "fused/pairs/test_01.png: cannot be written (No space left on device)" in message
        written = [path.name for path in workspace.glob("runs/dream-if/version_1/fused/pairs/*")]
        assert written == ["test_00.png"]


class TestPanel:
    def test_it_shows_what_it_is_given(self) -> None:
        """A white picture, a black one and a map that rises downwards fill their places; the pixels are read back."""
        rising = torch.linspace(0.4, 0.6, 30)[None, :, None].expand(1, 30, 40)
        row = {"white": torch.ones(3, 60, 80), "black": torch.zeros(1, 60, 80), "dominance": rising}
        picture = np.asarray(Image.open(io.BytesIO(panel([row, row]))).convert("RGB")).astype(int)
        height, width, _ = picture.shape
        head = 35  # pixels above the first row
        for line in range(2):
            top, bottom = (head + (line + part) * (height - head) / 2 for part in (0.03, 0.96))
            for row_of_pixels, map_colour in ((top, [68, 1, 84]), (bottom, [253, 231, 37])):  # the ends of viridis
                seen = [picture[int(row_of_pixels), int((place + 0.5) / 3 * width)].tolist() for place in range(3)]
                assert seen[:2] == [[255, 255, 255], [0, 0, 0]]
                assert seen[2] == pytest.approx(map_colour, abs=25)

    def test_scenes_of_different_shape_share_a_picture(self) -> None:
        rows = [{"visible": torch.rand(3, height, width)} for height, width in ((30, 60), (60, 30), (31, 47))]
        width, height = Image.open(io.BytesIO(panel(rows, "three"))).size
        assert height > 2 * width


def test_a_training_resumed_behind_its_end_keeps_the_record_of_what_was_trained(trained, run):
    path = trained / "metrics.json"
    record = json.loads(path.read_text())["fit"]
    assert record["metrics"]["train/loss"] > 0
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "name": "dream-if", "version": 0}}
    same_folder = ("fit", "--config", "tiny.yaml", "--trainer.logger", json.dumps(logger))
    again = (*same_folder, "--ckpt_path", trained / "checkpoints" / "last.ckpt")
    outcome = run(*again)
    assert outcome.status == 0, outcome.err
    assert json.loads(path.read_text())["fit"] == record
    assert run(*again, "--trainer.max_epochs=2").status == 0
    assert json.loads(path.read_text())["fit"]["epochs"] == record["epochs"] + 1


def test_a_condition_with_a_slash_is_shown_as_no_method() -> None:
    metrics = {"test/road/AG": 1.0, "test/road+a/b/AG": 2.0, "test/road+a/b/average/AG": 3.0}
    table = _table({key: torch.tensor(value) for key, value in metrics.items()}, ["AG"], ["road", "road+a/b"])
    assert list(table.columns[0].cells) == ["road", "road+a/b", ""]
    assert list(table.columns[1].cells) == ["network", "network", "average"]
