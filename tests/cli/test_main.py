"""The command as a user meets it: help, mistakes, and what is printed."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dream_if.cli.main import HINT, LIGHTNINGS, OWN

FIT = ("fit", "--config", "tiny.yaml")


class TestHelp:
    @pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
    def test_it_names_every_verb(self, run, args: tuple[str, ...]) -> None:
        outcome = run(*args)
        assert outcome.status == 0
        assert outcome.err == ""
        for verb in ("fit", "validate", "test", "predict", "check", "scenes"):
            assert f"\n  {verb} " in outcome.out
        assert len(outcome.out.splitlines()) <= 24

    def test_of_an_own_verb(self, run) -> None:
        outcome = run("check", "--help")
        assert outcome.status == 0
        assert outcome.out.startswith("usage: dream-if check")
        assert "detected if left out" in " ".join(outcome.out.split())

    def test_of_a_verb_of_lightnings_has_our_settings(self, run) -> None:
        outcome = run("fit", "--help-all")
        assert outcome.status == 0
        assert "relative dominance (Eq. 4)" in outcome.out
        assert "--data.crops_per_pair" in outcome.out
        short = run("fit", "--help").out
        assert len(short.splitlines()) < 150
        others = {"help", "config", "print_config", "key", "model.optimizer.lr"}
        for name in set(re.findall(r"--([a-z_.0-9]+[a-z0-9])", short)) - others:
            assert f"--{name}" in outcome.out, name

    def test_what_is_missing_is_told_before_torch_is_imported(self) -> None:
        code = (
            "import sys; from dream_if.cli import main\n"
            "for words in (['nosuch'], ['fit', '--config', 'nosuch.yaml'], ['fuse', 'nosuch', 'b', '-o', 'c.png'],\n"
            "              ['check', 'nosuch'], ['prepare', 'nosuch', 'out'], ['publish', 'nosuch', '--name', 'a']):\n"
            "    assert main(words) == 2, words\n"
            "assert main(['fit', '--help']) == 0 and 'torch' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("nosuch") == 6

    def test_what_the_verbs_decide_themselves_is_no_option(self, run, workspace: Path) -> None:
        assert "there is no setting --verbose" in run("test", "--verbose", "true").message
        assert "there is no setting --return_predictions" in run("predict", "--return_predictions", "true").message


class TestSettings:
    """A wrong setting is refused by name before anything is made."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, workspace: Path, files_below):
        before = files_below(workspace)
        yield
        assert {name for name in files_below(workspace) if not name.startswith("wrong")} == before

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["train"], "there is no verb train; expected fit, validate, test, predict, check"),
            ([*FIT, "--model.net.use_dr", "true"], "no setting --model.net.use_dr; did you mean --model.net.use_rd?"),
            ([*FIT, "--trainer.max_epoch", "3"], "no setting --trainer.max_epoch; did you mean --trainer.max_epochs?"),
            ([*FIT, "--data.crop", "big"], "data.crop: expected a whole number, got big."),
            ([*FIT, "--model.net.use_rd", "0"], "model.net.use_rd: expected true or false, got 0."),
            ([*FIT, "--trainer.max_epochs", "x"], "trainer.max_epochs: expected a whole number or null, got x."),
            (
                [*FIT, "--data.layout", "coco"],
                "data.layout: expected llvip, msrs, m3fd, roadscene, tno, folder, scenes",
            ),
            ([*FIT, "--model.optimizer", "AdamV"], "model.optimizer: AdamV is not a known class"),
            ([*FIT, "--data.degradation", "dream_if.data.Fog"], "'dream_if.data' has no attribute 'Fog'"),
            ([*FIT, "somewhere"], "there is no argument somewhere."),
            (["fit", "--config"], "--config: expected one argument"),
            (["fit", "--config", "none.yaml"], "none.yaml: no such configuration file."),
            (["fit", "--config=pairs"], "pairs: no such configuration file."),
            ([*FIT, "--data.num_workers", "-1"], "data.num_workers must be 0 or more, got -1."),
            ([*FIT, "--data.batch_size", "5"], "data.crops_per_pair must divide it; got a batch_size of 5 with 2"),
            ([*FIT, "--data.crop", "8"], "crop: expected 16 to 8192 pixels"),
            ([*FIT, "--data.crop", "1000000"], "crop: expected 16 to 8192 pixels"),
            ([*FIT, "--data.seed", "99999999999"], "data.seed must be from 0 up and below 4294967296"),
            ([*FIT, "--seed_everything", "-1"], "seed_everything must be from 0 up and below 4294967296, got -1."),
            (
                [*FIT, "--model.optimizer", "AdamW", "--model.optimizer.betas=[0.9,1e-320]"],
                "model.optimizer: betas: expected a number that float32 can hold, got 1e-320.",
            ),
            ([*FIT, "--data.crop", "x" * 5000], f"data.crop: expected a whole number, got {'x' * 200}…."),
            ([*FIT, "--model.net.dim", "0"], "dim must be an even number from 2 up"),
            ([*FIT, "--model.optimizer", "Adam", "--model.optimizer.lr=-1"], "model.optimizer: Invalid learning rate"),
            ([*FIT, "--model.optimizer", "LBFGS"], "model.optimizer: LBFGS doesn't support per-parameter options"),
            ([*FIT, "--data.root", "null"], "data.root is missing"),
            ([*FIT, "--data.layout", "scenes"], "data.layout is scenes, which needs no folder, but data.root is pairs"),
            ([*FIT, "--data.batch_size", "64"], "4 training pairs give 8 crops, too few for one batch of 64"),
            ([*FIT, "--model.metrics", "[AG,Sharpness]"], "no metric is called"),
            (
                [*FIT, "--model.compare", "[median]"],
                "compare takes average, maximum, laplacian, wavelet, guided, saliency, shuffled; got median.",
            ),
            ([*FIT, "--model.warmup", "2"], "model.warmup: expected 0 or more and below 1, got 2."),
            ([*FIT, "--model.warmup=-1", "--print_config"], "model.warmup: expected 0 or more and below 1, got -1."),
            ([*FIT, "--model.warmup", "x"], "model.warmup: expected 0 or more and below 1, got 'x'."),
            ([*FIT, "--model.net.num_heads", "[3,1,1,1]"], "num_heads must divide its level's channels"),
            ([*FIT, "--model.metrics", "[AG]"], "checkpoint.monitor is val/Qabf, which is not computed"),
            ([*FIT, "--panels.every_n_epochs", "0"], "panels.every_n_epochs must be 1 or more, got 0."),
            (["test", "--config", "tiny.yaml"], "test needs a trained network: name its checkpoint with --ckpt_path"),
            (["predict"], "predict needs a trained network"),
            (["check"], "the following arguments are required: data"),
            (["check", "nowhere"], "nowhere: no such folder"),
            (["scenes", "wrong", "--train", "x"], "--train: expected a whole number, got x."),
            (["prepare", "pairs", "x" * 300], "File name too long"),
            (["scenes", "pairs"], "pairs: expected a new or empty folder"),
        ],
        ids=lambda value: " ".join(value)[-30:] if isinstance(value, (list, tuple)) else None,
    )
    def test_on_the_command_line(self, run, args: list[str], message: str) -> None:
        assert message in run(*args).message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("model: {net: {use_dr: true}}", "there is no setting model.net.use_dr; did you mean model.net.use_rd?"),
            ("modle: {net: {dim: 4}}", "there is no setting modle.net.dim; did you mean model.net.dim?"),
            ("data: {crop: big}", "data.crop: expected a whole number, got big."),
            ("model: 3", "model: expected settings by name, got 3."),
            (
                "data: {degradation: {class_path: dream_if.data.RandomDegradations, init_args: {clear: 0.5}}}",
                "there is no setting data.degradation.init_args.clear",
            ),
            (
                "data: {degradation: {class_path: dream_if.data.RandomDegradations, init_args: {clean: x}}}",
                "data.degradation.init_args.clean: expected a number",
            ),
            (
                "data: {degradation: {class_path: dream_if.data.RandomDegradations, init_args: {clean: 2}}}",
                "RandomDegradations.clean: expected values between 0 and 1",
            ),
            ("model: {net: {dim: 4\ndata: [", "wrong.yaml: not a YAML file: expected ',' or '}'"),
            ("", "wrong.yaml: expected settings by name"),
            ("data: {crop: 96}\ndata: {crop: 64}", "wrong.yaml: data appears twice, again in line 2"),
            ("seed_everything: null", "seed_everything must be from 0 up and below 4294967296, got None."),
            ("a: &a [*a]", "wrong.yaml: is nested deeper than 50 levels"),
            ("- a\n- b\n", "wrong.yaml: expected settings by name"),
            (b"\x89PNG\r\n\x1a\n\xff", "wrong.yaml: not a YAML file, nor any text."),
        ],
        ids=lambda value: str(value)[:40] if not str(value).startswith("wrong") else "",
    )
    def test_in_a_configuration_file(self, run, workspace: Path, text: str | bytes, message: str) -> None:
        (workspace / "wrong.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        assert message in run(*FIT, "--config", "wrong.yaml").message

    def test_aliases_of_aliases_on_the_command_line(self, run) -> None:
        nine = "[a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"
        nine += "".join(f", a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)) + "]"
        for words in ([f"--data.root={nine}"], ["--data.root", nine]):
            assert "has more than 20000 values" in run(*FIT, *words).message

    @pytest.mark.parametrize(("ce", "se"), [(True, False), (False, True), (True, True)])
    def test_enhancement_without_dominance_is_refused(self, run, ce: bool, se: bool) -> None:
        switches = ("--model.net.use_rd", False, "--model.net.use_ce", ce, "--model.net.use_se", se)
        assert "needs use_rd" in run(*FIT, *switches).message


class TestData:
    """Data that cannot be used is named, wherever it is noticed, and no run is begun where it can be told before."""

    def refused(self, run, workspace: Path, *args: object) -> str:
        message = run(*FIT, *args).message
        assert not (workspace / "runs").exists()
        return message

    def test_missing_folder(self, run, workspace: Path) -> None:
        assert "nowhere: no such folder" in self.refused(run, workspace, "--data.root", "nowhere")

    def test_empty_folder(self, run, workspace: Path) -> None:
        (workspace / "empty").mkdir()
        message = self.refused(run, workspace, "--data.root", "empty")
        assert "empty: no visible and no infrared folder there" in message

    def test_folders_without_images(self, run, workspace: Path) -> None:
        for part in ("vi", "ir"):
            shutil.rmtree(workspace / "pairs" / "train" / part)
            (workspace / "pairs" / "train" / part).mkdir()
        assert "no images in pairs/train/vi and pairs/train/ir" in self.refused(run, workspace)

    def test_missing_partner(self, run, workspace: Path) -> None:
        (workspace / "pairs/train/ir/train_01.png").unlink()
        message = self.refused(run, workspace)
        assert "without an infrared partner in pairs/train/ir: train_01.png" in message

    def test_llvip_that_is_not_there_gets_one_helpful_paragraph(self, run, workspace: Path) -> None:
        experiment = Path(__file__).resolve().parents[2] / "experiments" / "full.yaml"
        message = run("fit", "--config", experiment, *small_network(), "--trainer.accelerator", "cpu").message
        for part in ("data/LLVIP: no such folder", "bupt-ai-cz.github.io/LLVIP", "visible/train", "--data.root"):
            assert part in message
        assert not (workspace / "runs").exists()

    def test_two_sets_of_one_name(self, run, workspace: Path) -> None:
        shutil.copytree("pairs", "other/pairs")
        message = self.refused(run, workspace, "--data.root", "[pairs,other/pairs]")
        assert message == "data.root names two folders called pairs: pairs and other/pairs; rename one."

    # Workers are other processes; their errors come back wrapped in a traceback.
    @pytest.mark.parametrize("workers", [0, 1])
    def test_unequal_sizes(self, run, workspace: Path, workers: int) -> None:
        for number in range(4):
            Image.new("L", (64, 48)).save(workspace / f"pairs/train/ir/train_{number:02d}.png")
        message = run(*FIT, "--data.num_workers", workers).message
        assert message.startswith("unequal sizes: pairs/train/vi/train_0")
        assert "64x48 (width x height)" in message
        assert message.endswith("must be registered: see dream-if align.")
        self.assert_whole(workspace)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "the file is empty (0 bytes)"),
            (b"<html>not found</html>\n", "not a picture of a known format"),
            (None, "the picture is damaged or cut short"),
            ("pixel", "is 1x1 pixels; at least 16x16 are needed"),
        ],
        ids=["0 bytes", "text", "cut short", "one pixel"],
    )
    def test_an_image_that_is_none(self, run, workspace: Path, content: bytes | str | None, message: str) -> None:
        for file in (workspace / "pairs/val/vi").iterdir():
            if content == "pixel":
                Image.new("RGB", (1, 1)).save(file)
            else:
                file.write_bytes(file.read_bytes()[:-40] if content is None else content)
        outcome = run(*FIT)
        assert message in outcome.message
        assert outcome.message.startswith("pairs/val/vi/val_00.png: ")
        self.assert_whole(workspace)

    def assert_whole(self, workspace: Path) -> None:
        """A run that had begun leaves nothing broken: no checkpoint, and a configuration that can be read."""
        left = {path.name for path in workspace.glob("runs/**/*") if path.is_file()}
        assert left <= {"config.yaml", "hparams.yaml", "metrics.csv"}
        for name in ("config.yaml", "hparams.yaml"):
            assert yaml.safe_load((workspace / "runs/dream-if/version_0" / name).read_text())

    def test_16_bit_and_rgba_files_are_read(self, run, workspace: Path) -> None:
        for file in workspace.glob("pairs/train/*/*.png"):
            picture = np.asarray(Image.open(file))
            if file.parent.name == "ir":
                Image.fromarray(picture.astype(np.uint16) * 257).save(file)
            else:
                opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
                Image.fromarray(np.concatenate([picture, opaque], axis=2), "RGBA").save(file)
        assert run(*FIT, "--trainer.fast_dev_run", 1).status == 0


def small_network() -> list[str]:
    net = {"dim": 4, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "num_heads": [1, 1, 1, 1]}
    return [word for key, value in net.items() for word in (f"--model.net.{key}", str(value))]


class TestCheckpoints:
    def test_a_file_that_is_none(self, run, workspace: Path, files_below) -> None:
        (workspace / "cut.ckpt").write_bytes(b"PK\x03\x04 and no more")
        torch.save({"state_dict": {}}, "foreign.ckpt")
        before = files_below(workspace)
        assert run("test", "--ckpt_path", "none.ckpt").message.startswith("none.ckpt: no such checkpoint")
        for name in ("cut.ckpt", "foreign.ckpt", "tiny.yaml"):
            for verb in ("fit", "test"):
                message = run(verb, "--config", "tiny.yaml", "--ckpt_path", name).message
                assert message.startswith(f"{name}: not a checkpoint of dream-if, or cut short")
        assert files_below(workspace) == before

    def test_another_network_is_refused_and_the_checkpoints_own_is_taken(
        self, run, trained: Path, workspace: Path, files_below
    ) -> None:
        checkpoint = trained / "checkpoints" / "last.ckpt"
        before = files_below(workspace)
        for verb in ("test", "fit", "validate", "predict"):
            message = run(
                verb, "--config", "tiny.yaml", "--model.net.use_se", "false", "--ckpt_path", checkpoint
            ).message
            assert f"use_se is False in the configuration and True in {checkpoint}" in message
            assert str(checkpoint) in message
        # A file that leaves the switches out asks for their defaults.
        (workspace / "wider.yaml").write_text("model: {net: {num_heads: [2, 1, 1, 1]}}")
        message = run("test", "--config", "wider.yaml", "--ckpt_path", checkpoint).message
        assert f"num_heads is [2, 1, 1, 1] in the configuration and [1, 1, 1, 1] in {checkpoint}" in message
        assert f"dim is 48 in the configuration and 4 in {checkpoint}" in message
        assert files_below(workspace) == before | {"wider.yaml"}

        data = ("--data.layout", "folder", "--data.root", "pairs", "--data.num_workers", 0)
        outcome = run("test", *data, "--model.metrics", "[AG]", "--ckpt_path", checkpoint)
        assert outcome.status == 0, outcome.err
        assert "pairs" in outcome.out
        net = yaml.safe_load((workspace / "runs/dream-if/version_1/config.yaml").read_text())["model"]["net"]
        assert net["dim"] == 4


class TestOutput:
    """What cannot be written is said before the work, or leaves what was there."""

    def test_a_file_where_a_folder_should_be(self, run, workspace: Path, files_below) -> None:
        (workspace / "runs").write_text("mine")
        before = files_below(workspace)
        message = run(*FIT).message
        assert message.startswith("runs/dream-if: this output folder cannot be made (")
        assert files_below(workspace) == before
        assert (workspace / "runs").read_text() == "mine"

    def test_no_right_to_write(self, run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Tests may run as root, whom no mode stops.
        access = os.access
        monkeypatch.setattr("os.access", lambda path, *mode: "runs" not in str(path) and access(path, *mode))
        message = run(*FIT).message
        assert "runs/dream-if: this output folder cannot be written to" in message
        assert not list(workspace.glob("runs/dream-if/*"))

    def test_scenes_into_a_file(self, run, workspace: Path, files_below) -> None:
        before = files_below(workspace)
        assert "tiny.yaml: this output folder cannot be made" in run("scenes", "tiny.yaml/scenes").message
        assert files_below(workspace) == before


class TestOwnVerbs:
    def test_check_finds_nothing_wrong(self, run, workspace: Path) -> None:
        outcome = run("check", "pairs")
        assert outcome.status == 0
        assert outcome.err == ""
        for part in ("train", "val", "test", "4", "3"):
            assert part in outcome.out

    def test_check_says_what_is_wrong(self, run, workspace: Path) -> None:
        (workspace / "pairs/train/ir/train_01.png").unlink()
        (workspace / "pairs/val/vi/val_00.png").write_bytes(b"")
        outcome = run("check", "pairs", "--layout", "folder")
        assert outcome.status == 1
        assert "train_01.png" in outcome.out
        assert "val_00.png" in outcome.out
        assert outcome.err == ""

    def test_check_of_an_unknown_layout(self, run, workspace: Path) -> None:
        assert "unknown layout 'coco'" in run("check", "pairs", "--layout", "coco").message

    def test_scenes_are_data_to_train_on(self, run, workspace: Path) -> None:
        outcome = run("scenes", "made", "--train", 2, "--val", 1, "--test", 1, "--size", "[64,80]")
        assert outcome.status == 0
        assert "Wrote 4 pairs to made" in outcome.out
        assert run("check", "made").status == 0
        assert run(*FIT, "--data.root", "made", "--trainer.fast_dev_run", 1).status == 0
        assert not (workspace / "runs").exists()
        assert not (workspace / "checkpoints").exists()


@pytest.mark.usefixtures("workspace")
def test_the_installed_command_prints_nothing_that_helps_nobody() -> None:
    command = Path(sys.executable).with_name("dream-if")
    if not command.exists():
        pytest.skip(f"{command} is not there: the package is not installed")
    result = subprocess.run(
        [command, *FIT, "--trainer.max_steps", "1"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "epoch" in result.stderr
    for useless in ("Tip", "LeafSpec", "args parameter", "GPU available", "FLOPs", "logging interval"):
        assert useless not in result.stdout + result.stderr
    assert "The network has 0.34 M parameters; this run's folder is runs/dream-if/version_0" in result.stderr


@pytest.mark.usefixtures("workspace")
def test_a_traceback_on_request(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAM_IF_TRACEBACK", "1")
    with pytest.raises(ValueError, match=r"data\.crop: expected a whole number, got big"):
        run(*FIT, "--data.crop", "big")


@pytest.mark.usefixtures("workspace")
def test_a_process_whose_peer_has_failed_leaves_the_message_to_it(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:49867.")

    monkeypatch.setattr("dream_if.models.DreamIF.forward", lost)
    outcome = run(*FIT)
    assert outcome.status == 2
    assert (
        outcome.err
        == f"dream-if: another process of this run has ended, and with it this one; see what it said. {HINT}\n"
    )


class TestMistakesOfOurOwn:
    """They end in a traceback, whatever kind of error they raise, and do not pass for the user's."""

    @pytest.mark.parametrize(
        "error", [FileNotFoundError(2, "No such file", "made_up"), OSError("no"), ValueError("no")]
    )
    def test_in_a_verb(self, run, workspace: Path, monkeypatch, error: Exception) -> None:
        def wrong(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("dream_if.cli.verbs.check.check_pairs", wrong)
        with pytest.raises(type(error)):
            run("check", "pairs")

    @pytest.mark.parametrize("error", [ValueError, TypeError])
    def test_in_the_network(self, run, workspace: Path, monkeypatch: pytest.MonkeyPatch, error: type) -> None:
        def wrong(*_: object, **__: object) -> None:
            raise error("not what a setting is about")

        monkeypatch.setattr("dream_if.models.dream_if.blocks", wrong)
        with pytest.raises(error, match="not what a setting is about"):
            run(*FIT)

    def test_what_libraries_refuse_is_the_users(self, run, workspace: Path) -> None:
        assert "devices" in run(*FIT, "--trainer.devices", "-7").message

    def test_what_the_machine_refuses_is_said_in_a_line(self, run, workspace: Path, monkeypatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("dream_if.cli.verbs.check.check_pairs", full)
        assert run("check", "pairs").message == "No space left on device"

    def test_too_little_memory_is_said_in_a_line(self, run, workspace: Path, monkeypatch) -> None:
        def without_room(*_: object, **__: object) -> None:
            raise MemoryError("Unable to allocate 8.00 GiB for an array")

        monkeypatch.setattr("dream_if.cli.verbs.scenes.save_scenes", without_room)
        assert "the memory of this machine did not suffice (Unable to allocate 8" in run("scenes", "out").message

    def test_a_file_that_was_named_is_the_users(self, run, workspace: Path, monkeypatch) -> None:
        def missing(*_: object, **__: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "pairs")

        monkeypatch.setattr("dream_if.cli.verbs.check.check_pairs", missing)
        assert run("check", "pairs").message == "pairs: No such file or directory"


@pytest.mark.usefixtures("workspace")
def test_an_interrupt_is_no_error(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dream_if.cli.verbs.check.check_pairs", interrupted)
    outcome = run("check", "pairs")
    assert (outcome.status, outcome.err) == (130, "")


def test_fusing_does_not_wait_for_what_trains() -> None:
    code = (
        "import sys; from dream_if.cli import main; main(['fuse', '--help']);"
        "print(*{'lightning', 'wandb', 'torchmetrics', 'albumentations', 'matplotlib'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == ""


def test_a_wrong_setting_is_told_before_what_parsing_does_not_need() -> None:
    code = (
        "import sys; from dream_if.cli import main; assert main(['fit', '--wrong.key', '1']) == 2;"
        "print(*{'wandb', 'timm', 'albumentations', 'pandas', 'lpips', 'gradio', 'onnx'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == ""


def test_a_dry_run_of_a_sweep_does_without_torch() -> None:
    code = (
        "import sys; from dream_if.cli import main; assert main(['sweep', 'table4', '--dry-run']) == 0;"
        "print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def test_every_verb_has_a_help_and_a_line_in_the_usage(run) -> None:
    usage = run("--help").out
    for verb in (*LIGHTNINGS, *OWN):
        assert f"\n  {verb} " in usage
        assert run(verb, "--help").out.startswith("usage: dream-if")


@pytest.mark.parametrize(("given", "used"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_that_wait_sleep_by_a_variable_set_before_torch_is_there(given: dict[str, str], used: str) -> None:
    program = (
        "import os, sys; from dream_if.cli import main; assert 'torch' not in sys.modules; main(['--help'])\n"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    variables = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    result = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == used
