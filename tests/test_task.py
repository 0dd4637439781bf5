"""Training, as the command line and as Python do it."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision

from dream_if.data import FusionDataModule
from dream_if.losses import FusionLoss
from dream_if.models import DreamIF
from dream_if.task import FusionTask

FIT = ("fit", "--config", "tiny.yaml")
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def command(workspace: Path, *args: object) -> list[str]:
    """`dream-if ...` in another process, as a script, which is what Lightning starts again for more processes."""
    script = workspace / "dream-if"
    script.write_text("import sys\n\nfrom dream_if.cli import main\n\nsys.exit(main())\n")
    return [sys.executable, str(script), *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | more


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


@pytest.mark.parametrize(
    ("rd", "ce", "se"),
    [(False, False, False), (True, False, False), (True, True, False), (True, False, True), (True, True, True)],
)
def test_the_valid_switches_train(run, workspace: Path, rd: bool, ce: bool, se: bool) -> None:
    switches = ("--model.net.use_rd", rd, "--model.net.use_ce", ce, "--model.net.use_se", se)
    outcome = run(*FIT, *switches, "--model.loss.warmup_epochs", 0)
    assert outcome.status == 0, outcome.err
    record = json.loads((workspace / "runs/dream-if/version_0/metrics.json").read_text())["fit"]
    assert record["steps"] == 2
    assert ("train/loss_dominance" in record["metrics"]) == rd
    assert all(value is not None for value in record["metrics"].values())
    names = " ".join(weights(workspace / "runs/dream-if/version_0/checkpoints/last.ckpt"))
    assert ("dominance" in names, "cross" in names, "prompt" in names) == (rd, ce, se)


@pytest.mark.slow  # minutes for the compiler
def test_a_compiled_network_trains_and_fuses_images_of_any_size(run, workspace: Path, write_pairs) -> None:
    write_pairs(workspace / "other", {"test": 1}, size=(50, 36))
    sets = ("--data.test_root", "[pairs,other]", "--then_test", "true", "--trainer.limit_test_batches", 1)
    for compiled in ("false", "true"):
        outcome = run(*FIT, "--model.compile", compiled, *sets)
        assert outcome.status == 0, outcome.err
    eager, compiled = (
        json.loads((workspace / f"runs/dream-if/version_{number}/metrics.json").read_text())["test"]["metrics"]
        for number in range(2)
    )
    assert compiled == pytest.approx(eager, rel=1e-3)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("algorithm", ["norm", "value"])
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_gradients_are_clipped_beside_a_fused_optimizer_too(tiny_net, fused, algorithm, precision) -> None:
    """A step of gradient descent at rate 1 is as long as the clipped gradient."""
    task = FusionTask(
        DreamIF(**tiny_net),
        loss=FusionLoss(warmup_epochs=0),
        optimizer=lambda params: torch.optim.SGD(params, lr=1.0, fused=fused),
        warmup=0,
        metrics=["AG"],
        compare=[],
    )
    before = [parameter.detach().clone() for parameter in task.net.parameters()]
    data = FusionDataModule(num_scenes=4, scene_size=(64, 64), crop=16, batch_size=4, num_workers=0)
    scaler = torch.amp.GradScaler("cpu", 8.0) if precision == "16-mixed" else None
    trainer = Trainer(
        max_steps=1, accelerator="cpu", limit_val_batches=0, gradient_clip_val=1e-3, gradient_clip_algorithm=algorithm,
        plugins=[MixedPrecision(precision, "cpu", scaler)],
        **QUIET,
    )  # fmt: skip
    trainer.fit(task, data)
    pairs = zip(task.net.parameters(), before, strict=True)
    step = torch.cat([(after - then).detach().reshape(-1) for after, then in pairs])
    length = step.norm() if algorithm == "norm" else step.abs().max()
    assert length == pytest.approx(1e-3, rel=0.02)


@pytest.mark.usefixtures("workspace")
def test_a_crop_below_what_a_term_needs_is_refused(run) -> None:
    for weights in ("weights", "warmup_weights"):
        message = run(*FIT, f"--model.loss.{weights}.viff", 0.3).message
        assert "data.crop is 16, and the term viff of model.loss needs 41 pixels" in message
    assert not Path("runs").exists()


class TestDominance:
    FORM = ("--model.net.dominance", "weighing", "--model.net.stride", 2, "--model.dominance_statistics", "true")
    CONDITIONS = """{clean: null, infrared: {class_path: dream_if.data.OneSided, init_args: {source: infrared, of:
        {class_path: dream_if.data.FixedDegradation, init_args: {kind:
        {class_path: dream_if.data.degradations.GaussianNoise, init_args: {sigma: 50}}}}}}}"""

    def test_a_test_says_what_the_maps_say_and_what_others_would(self, run, workspace: Path) -> None:
        outcome = run(
            *FIT, *self.FORM, "--model.compare", "[shuffled]", "--then_test", "true",
            "--data.test_degradation", self.CONDITIONS,
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        folder = workspace / "runs/dream-if/version_0"
        record = json.loads((folder / "metrics.json").read_text())
        assert -1 <= record["fit"]["metrics"]["val/RD_activity_rank"] <= 1
        found = record["test"]["metrics"]
        assert found["test/pairs/RD_fall"] is None
        assert -1 <= found["test/pairs+infrared/RD_fall"] <= 1
        assert found["test/pairs+infrared/shuffled/Qabf"] != found["test/pairs+infrared/Qabf"]
        rows = list(csv.DictReader((folder / "per_image.csv").open()))
        assert [row["method"] for row in rows] == [*["network"] * 3, *["shuffled"] * 3] * 2
        falls = [float(row["RD_fall"]) for row in rows if row["set"] == "pairs+infrared" and row["RD_fall"]]
        assert sum(falls) / 3 == pytest.approx(found["test/pairs+infrared/RD_fall"], abs=1e-6)

    @pytest.mark.parametrize("form", [("--model.net.use_rd", "false"), ("--model.net.frozen_dominance", "true")])
    def test_without_maps_that_say_something_the_statistics_are_empty(self, run, workspace: Path, form) -> None:
        switches = ("--model.net.use_ce", "false", "--model.net.use_se", "false")
        outcome = run(*FIT, *self.FORM, *switches, *form, "--model.compare", "[shuffled]", "--then_test", "true")
        assert outcome.status == 0, outcome.err
        found = json.loads((workspace / "runs/dream-if/version_0/metrics.json").read_text())["test"]["metrics"]
        if "false" in form:
            assert not any("RD_" in name or "shuffled" in name for name in found)
        else:
            assert found["test/pairs/RD_deviation"] == 0
            assert found["test/pairs/shuffled/Qabf"] == pytest.approx(found["test/pairs/Qabf"], abs=1e-6)

    def test_a_checkpoint_and_a_configuration_with_the_old_name_are_read(self, run, workspace: Path) -> None:
        outcome = run(*FIT, "--model.net.joint_dominance", "true")
        assert outcome.status == 0, outcome.err
        folder = workspace / "runs/dream-if/version_0"
        settings = yaml.safe_load((folder / "config.yaml").read_text())
        assert settings["model"]["net"]["dominance"] == "joint"
        held = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
        older = {**held["hyper_parameters"]["net"], "joint_dominance": True}
        for new in ("dominance", "frozen_dominance", "near_identity", "stride"):
            del older[new]
        held["hyper_parameters"]["net"] = older
        torch.save(held, "old.ckpt")
        (workspace / "old.yaml").write_text("model: {net: {joint_dominance: true}}\n")
        outcome = run("test", "--config", "tiny.yaml", "--config", "old.yaml", "--ckpt_path", "old.ckpt")
        assert outcome.status == 0, outcome.err
        outcome = run("test", "--config", "tiny.yaml", "--ckpt_path", "old.ckpt")
        assert "dominance is paper in the configuration and joint in old.ckpt" in outcome.err


class TestStart:
    def test_it_starts_from_weights_and_takes_their_network(self, run, trained: Path, workspace: Path) -> None:
        start = trained / "checkpoints/best.ckpt"
        data = ("--data.layout", "folder", "--data.root", "pairs", "--data.crop", 16, "--data.num_workers", 0)
        still = "{class_path: torch.optim.SGD, init_args: {lr: 0.0}}"
        outcome = run(
            "fit", "--start_from", start, *data, "--model.optimizer", still, "--trainer.max_steps", 1,
            "--trainer.accelerator", "cpu", "--model.metrics", "[Qabf]",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        run_folder = workspace / "runs/dream-if/version_1"
        held = weights(run_folder / "checkpoints/last.ckpt")
        for key, value in weights(start).items():
            assert torch.equal(value, held[key]), key
        settings = yaml.safe_load((run_folder / "config.yaml").read_text())
        assert settings["model"]["net"]["dim"] == 4
        assert settings["start_from"] == str(start)

    def test_its_run_goes_on_and_is_tested_without_the_start(self, run, trained: Path, workspace: Path) -> None:
        start = workspace / "start.ckpt"
        (trained / "checkpoints/best.ckpt").rename(start)
        assert run(*FIT, "--start_from", start).status == 0
        start.unlink()
        again = ("--config", "runs/dream-if/version_1/config.yaml", "--ckpt_path")
        last = "runs/dream-if/version_1/checkpoints/last.ckpt"
        assert run("fit", *again, last, "--trainer.max_epochs", 2).status == 0
        assert run("test", *again, last).status == 0

    def test_another_network_and_no_weights_are_refused(self, run, trained: Path, workspace: Path) -> None:
        message = run(*FIT, "--start_from", "small").message
        assert "small holds another network than the one configured" in message
        assert "dim is 4 in the configuration and 16 in small" in message
        assert "no shipped weights of this name" in run(*FIT, "--start_from", "tiny").message
        assert {path.name for path in (workspace / "runs/dream-if").iterdir()} == {trained.name}


class TestCheckpoints:
    def test_they_hold_plain_values_and_load_in_python(self, trained: Path) -> None:
        for name in ("best.ckpt", "last.ckpt"):
            path = trained / "checkpoints" / name
            held = torch.load(path, weights_only=True)
            assert held["hyper_parameters"]["net"]["dim"] == 4
            task = FusionTask.load_from_checkpoint(path, weights_only=True)
            assert task.net.config["num_heads"] == [1, 1, 1, 1]
            for key, value in task.state_dict().items():
                assert torch.equal(value, held["state_dict"][key])

    def test_a_task_made_in_python_trains_and_loads(self, workspace: Path, tiny_net: dict, run) -> None:
        net = DreamIF(**tiny_net, use_se=False)
        task = FusionTask(net, loss=FusionLoss(warmup_epochs=0), metrics=["AG"], compare=[])
        data = FusionDataModule("folder", "pairs", crop=16, crops_per_pair=2, batch_size=4, num_workers=0)
        trainer = Trainer(max_steps=2, accelerator="cpu", **QUIET)
        trainer.fit(task, data)
        trainer.save_checkpoint("mine.ckpt")
        loaded = FusionTask.load_from_checkpoint("mine.ckpt")
        assert loaded.net.config == net.config
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), loaded.net.parameters(), strict=True))
        outcome = run(
            "test", "--ckpt_path", "mine.ckpt", "--data.layout", "folder", "--data.root", "pairs",
            "--data.num_workers", 0, "--model.metrics", "[AG]", "--model.compare", "[]", "--trainer.accelerator", "cpu",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        tested = json.loads((workspace / "runs/dream-if/version_0/metrics.json").read_text())["test"]["metrics"]
        assert tested.keys() == {"test/pairs/AG"}


class TestOptimizer:
    @pytest.fixture(scope="class")
    @classmethod
    def schedule(cls, tiny_net: dict) -> tuple[list[float], torch.optim.Optimizer]:
        """Learning rates that the steps of a run of 5 epochs were taken with, and its optimizer."""
        task = FusionTask(DreamIF(**tiny_net), metrics=["AG"], compare=[], warmup=0.2, final_lr=0.05)
        rates: list[float] = []
        task.on_before_optimizer_step = lambda optimizer: rates.append(optimizer.param_groups[0]["lr"])
        data = FusionDataModule(
            num_scenes=8, scene_size=(64, 64), crop=16, crops_per_pair=2, batch_size=4, num_workers=0
        )
        trainer = Trainer(max_epochs=5, limit_val_batches=0, accelerator="cpu", **QUIET)
        trainer.fit(task, data)
        return rates, trainer.optimizers[0]

    def test_it_rises_to_its_peak_and_ends_low(self, schedule) -> None:
        rates, _ = schedule
        assert len(rates) == 20
        assert rates[0] == pytest.approx(3e-4 / 100)
        assert max(rates) == pytest.approx(3e-4)
        assert rates.index(max(rates)) == 4  # a fifth of all steps
        assert rates[:5] == sorted(rates[:5])
        assert rates[4:] == sorted(rates[4:], reverse=True)
        # 16 steps of a cosine: the last is taken just above the end, 5 % of the peak.
        assert 0.05 * 3e-4 < rates[-1] < 0.07 * 3e-4

    def test_without_a_warmup_it_starts_at_its_peak(self, tiny_net: dict) -> None:
        task = FusionTask(DreamIF(**tiny_net), metrics=["AG"], compare=[], warmup=0, final_lr=0.05)
        rates: list[float] = []
        task.on_before_optimizer_step = lambda optimizer: rates.append(optimizer.param_groups[0]["lr"])
        data = FusionDataModule(num_scenes=8, scene_size=(64, 64), crop=16, batch_size=4, num_workers=0)
        Trainer(max_epochs=2, limit_val_batches=0, accelerator="cpu", **QUIET).fit(task, data)
        assert rates[0] == pytest.approx(3e-4)
        assert rates == sorted(rates, reverse=True)

    def test_norms_and_biases_do_not_decay(self, schedule) -> None:
        _, optimizer = schedule
        decay = {group["weight_decay"]: group["params"] for group in optimizer.param_groups}
        assert decay.keys() == {0.0, 0.05}
        assert all(parameter.ndim <= 1 for parameter in decay[0.0])
        assert all(parameter.ndim > 1 for parameter in decay[0.05])
        assert len(decay[0.0]) > 30  # two norms in each block, and the biases of either

    def test_without_an_end_it_is_refused(self, run, workspace: Path) -> None:
        args = (*FIT, "--trainer.max_epochs", -1)
        assert "The learning-rate schedule needs an end" in run(*args).message
        assert not (workspace / "runs").exists()
        assert run(*args, "--trainer.max_steps", 1).status == 0
        assert run(*FIT, "--trainer.max_epochs", 100, "--trainer.max_time", "00:00:00:02").status == 0
        assert "needs an end" in run(*FIT, "--trainer.max_epochs", "null", "--trainer.max_time", "00:00:00:02").message


class TestLoss:
    def test_warm_up_goes_by_the_epoch(self, run, workspace: Path) -> None:
        assert run(*FIT, "--trainer.max_epochs", 3, "--model.loss.warmup_epochs", 2).status == 0
        lines = (workspace / "runs/dream-if/version_0/metrics.csv").read_text().splitlines()
        header = lines[0].split(",")
        rows = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
        trained = {row["epoch"]: row["train/loss_gradient"] for row in rows if row["train/loss"]}
        assert trained.keys() == {"0", "1", "2"}
        assert trained["0"] == trained["1"] == ""
        assert float(trained["2"]) > 0

    def test_a_number_that_is_none_stops_the_run_and_names_the_batch(
        self, run, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forward = DreamIF.forward

        def broken(net: DreamIF, visible: torch.Tensor, infrared: torch.Tensor):
            output = forward(net, visible, infrared)
            return output._replace(fused=output.fused * float("nan")) if net.training else output

        monkeypatch.setattr(DreamIF, "forward", broken)
        message = run(*FIT).message
        assert message.startswith("The training loss became nan in epoch 0, batch 0, on train_0")
        assert message.count("train_0") == 4  # as many as crops in the batch
        assert "its terms: pixel nan" in message
        assert not list(workspace.glob("runs/dream-if/version_0/checkpoints/*"))

    def test_bfloat16_trains_without_a_nan(self, run, workspace: Path) -> None:
        degradation = "{class_path: dream_if.data.RandomDegradations, init_args: {clean: 0.0}}"
        outcome = run(
            *FIT, "--trainer.precision", "bf16-mixed", "--trainer.max_epochs", 3, "--data.degradation", degradation,
            "--trainer.gradient_clip_val", 1.0, "--data.root", "pairs",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        run_folder = workspace / "runs/dream-if/version_0"
        assert all(tensor.isfinite().all() for tensor in weights(run_folder / "checkpoints/last.ckpt").values())
        metrics = json.loads((run_folder / "metrics.json").read_text())["fit"]["metrics"]
        assert all(value is not None for value in metrics.values())


def test_resuming_after_a_kill_is_exact(run, workspace: Path) -> None:
    """Four epochs, against the same killed in its third and resumed: equal weights, moments and schedule."""
    degradation = {"class_path": "dream_if.data.RandomDegradations"}
    settings = yaml.safe_load((workspace / "tiny.yaml").read_text())
    settings["data"] |= {"degradation": degradation}
    settings["trainer"] |= {"max_epochs": 4, "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "whole"}}}
    (workspace / "tiny.yaml").write_text(yaml.safe_dump(settings))
    assert run(*FIT).status == 0

    (workspace / "killer.py").write_text(
        textwrap.dedent("""
        import os, signal
        from lightning.pytorch import Callback

        class Killer(Callback):
            def on_train_batch_end(self, trainer, *args):
                if trainer.current_epoch == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
        """)
    )
    cut = command(workspace, *FIT, "--trainer.callbacks+=killer.Killer", "--trainer.logger.save_dir", "cut")
    result = subprocess.run(cut, env=environment(PYTHONPATH=str(workspace)), capture_output=True, check=False)
    assert result.returncode == -signal.SIGKILL, result.stderr
    last = workspace / "cut/dream-if/version_0/checkpoints/last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 1
    outcome = run(*FIT, "--trainer.logger.save_dir", "cut", "--ckpt_path", last)
    assert outcome.status == 0, outcome.err

    whole = torch.load(workspace / "whole/dream-if/version_0/checkpoints/last.ckpt", weights_only=True)
    resumed = torch.load(workspace / "cut/dream-if/version_1/checkpoints/last.ckpt", weights_only=True)
    assert whole["global_step"] == resumed["global_step"] == 8
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert_same(whole[part], resumed[part], part)


def assert_same(one: object, other: object, place: str) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), place
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{place}.{number}")
    else:
        assert one == other, place


RECORDER = """
import hashlib, json
from pathlib import Path
from lightning.pytorch import Callback

def digest(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()

class Recorder(Callback):
    def note(self, trainer, stage, batch, batch_idx):
        with Path(f"seen_{trainer.world_size}_{trainer.global_rank}.jsonl").open("a") as file:
            for place, index in enumerate(batch["index"].tolist()):
                sample = [digest(batch[key][place]) for key in ("visible", "infrared", "visible_clean")]
                kinds = [int(batch[f"{key}_degradation"][place]) for key in ("visible", "infrared")]
                line = [stage, trainer.current_epoch, batch_idx, index, batch["name"][place], sample, kinds]
                file.write(json.dumps(line) + "\\n")

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.note(trainer, "train", batch, batch_idx)

    def on_validation_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        self.note(trainer, "val", batch, 0)

    def on_test_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        self.note(trainer, "test", batch, 0)
"""


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch(run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DDP over gloo: the same samples with the same corruption in every step, and the same metrics and weights.

    Three validation and three test pairs cannot be shared evenly: none may be scored twice, and nobody may wait.
    """
    (workspace / "recorder.py").write_text(RECORDER)
    settings = yaml.safe_load((workspace / "tiny.yaml").read_text())
    settings["data"] |= {
        "degradation": {"class_path": "dream_if.data.RandomDegradations", "init_args": {"clean": 0.25}},
        "test_degradation": {"class_path": "dream_if.data.RandomDegradations"},
    }
    settings["trainer"] |= {"max_epochs": 2, "callbacks": [{"class_path": "recorder.Recorder"}]}
    (workspace / "tiny.yaml").write_text(yaml.safe_dump(settings))

    monkeypatch.syspath_prepend(str(workspace))

    def outcome(processes: int, verb: str, *args: object) -> dict[str, float]:
        place = f"{verb}_{processes}"
        words = (verb, "--config", "tiny.yaml", "--trainer.logger.save_dir", place, *args)
        if processes == 1:
            assert run(*words).status == 0
        else:
            words += ("--trainer.strategy", "ddp", "--trainer.devices", processes)
            result = subprocess.run(
                command(workspace, *words), env=environment(PYTHONPATH=str(workspace)),
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
        return json.loads((workspace / place / "dream-if/version_0/metrics.json").read_text())[verb]["metrics"]

    def seen(processes: int) -> list:
        lines = [
            json.loads(line)
            for rank in range(processes)
            for line in (workspace / f"seen_{processes}_{rank}.jsonl").read_text().splitlines()
        ]
        return sorted(lines)

    together = {processes: outcome(processes, "fit", "--data.batch_size", 4 // processes) for processes in (1, 2)}
    checkpoint = "fit_1/dream-if/version_0/checkpoints/last.ckpt"
    tested = {processes: outcome(processes, "test", "--ckpt_path", checkpoint) for processes in (1, 2)}

    assert seen(1) == seen(2)
    images = [workspace / f"test_{processes}/dream-if/version_0/per_image.csv" for processes in (1, 2)]
    one, two = (list(csv.DictReader(path.open())) for path in images)
    assert [list(row.values())[:3] for row in one] == [list(row.values())[:3] for row in two]
    assert [float(row["AG"]) for row in two] == pytest.approx([float(row["AG"]) for row in one], rel=1e-6)
    stages = [line[0] for line in seen(1)]
    assert (stages.count("train"), stages.count("val"), stages.count("test")) == (2 * 8, 2 * 3, 3)
    assert any(line[-1] != [0, 0] for line in seen(1) if line[0] == "train")
    assert any(line[-1] != [0, 0] for line in seen(1) if line[0] == "test")
    for metrics in together.values():
        assert 0 <= metrics.pop("train/data_wait") <= 1  # a time, not the same twice
    for one, two in ((together[1], together[2]), (tested[1], tested[2])):
        assert one.keys() == two.keys()
        assert two == pytest.approx(one, rel=1e-6)
