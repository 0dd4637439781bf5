"""What becomes of every verb that writes where it cannot, and of two processes that write the same output.

Root may write to any folder, so that rights are no test for it. A full disk is a limit on the size of files, which the
system holds root to as well; a folder that cannot be written to is one below a regular file.
"""

import json
import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dream_if.app.demo import Demo
from dream_if.app.sliders import Sliders
from dream_if.cli.main import LIGHTNINGS, OWN, main
from dream_if.cli.verbs import export
from dream_if.errors import DiskError
from dream_if.inference import Fuser
from dream_if.models import DreamIF
from dream_if.registration.rig import Rig
from tests.attack.test_settings import PLAN
from tests.conftest import TINY, TINY_NET, Run, write_pairs
from tests.runs.made_sweeps import SWEEP

resource = pytest.importorskip("resource", reason="limits on files are those of Unix")

ROOM = 64  # bytes that fit into a file: it is begun, and not finished

WRITE_NOTHING = {"check", "metrics", "app", "doctor"}  # or into the system's temporary folder alone
LOGGED = ["--config", "tiny.yaml", "--trainer.logger=CSVLogger", "--trainer.logger.save_dir=out"]
SOURCES = ["--visible", "pairs/test/vi", "--infrared", "pairs/test/ir"]
TRAINED = ["--ckpt_path", "run/checkpoints/last.ckpt"]


@dataclass(frozen=True)
class Case:
    """A command that writes below `out`, and the file that the message names where the disk is full."""

    words: Sequence[str]
    names: str


CASES = {
    "fit": Case(["fit", *LOGGED], r"out/.*/config\.yaml"),
    "validate": Case(["validate", *LOGGED, *TRAINED], r"out/.*/config\.yaml"),
    "test": Case(["test", *LOGGED, *TRAINED], r"out/.*/config\.yaml"),
    "predict": Case(["predict", *LOGGED, *TRAINED], r"out/.*/config\.yaml"),
    "fuse a picture": Case(
        ["fuse", "pairs/test/vi/test_00.png", "pairs/test/ir/test_00.png", "-o", "out/f.png", "--weights", "weights"],
        r"out/f\.png",
    ),
    "fuse a folder": Case(
        ["fuse", "pairs/test/vi", "pairs/test/ir", "-o", "out/f", "--weights", "weights"], r"out/f/test_00\.png"
    ),
    "fuse a video": Case(["fuse", "v.mp4", "i.mp4", "-o", "out/f.mp4", "--weights", "weights"], r"out/f\.mp4"),
    "align": Case(
        ["align", "pairs/test/vi/test_00.png", "pairs/test/ir/test_00.png", "-o", "out/a.png", "--rig", "rig.yaml"],
        r"out/a\.png",
    ),
    "export": Case(["export", "-o", "out/f.pt2", "--weights", "weights"], r"out/f\.pt2"),
    "publish": Case(["publish", "run", "--name", "x", "--out", "out"], r"out/x\.safetensors"),
    "prepare": Case(["prepare", "pairs", "out/set"], "out/set"),
    "scenes": Case(["scenes", "out/set", "--train=1", "--val=1", "--test=1", "--size=[32,32]"], "out/set"),
    "degrade": Case(["degrade", "pairs", "out/set", "gaussian"], "out/set"),
    "evaluate": Case(
        ["evaluate", *SOURCES, "--fused", "a=pairs/test/ir", "--metrics", "AG", "--out", "out/scores"],
        r"out/scores/scores\.jsonl",
    ),
    "figure": Case(["figure", *SOURCES, "--fused", "a=pairs/test/ir", "-o", "out/f.png"], r"out/f\.png"),
    "sweep": Case(["sweep", "two.yaml", "--", "--trainer.logger.save_dir=out"], r"out/.*/point\.json"),
    "tables": Case(["tables", "2", "plan.yaml", "--out", "out/tables"], r"out/tables/scores\.jsonl"),
}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("trained")
    write_pairs(folder / "pairs", {"train": 4, "val": 2, "test": 2})
    before = Path.cwd()
    os.chdir(folder)
    try:
        Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
        assert main(["fit", "--config", "tiny.yaml"]) == 0
    finally:
        os.chdir(before)
    return folder / "runs/dream-if/version_0"


@pytest.fixture
def place(workspace: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the commands read; what takes long is left out of them."""
    Path("run").symlink_to(run_folder)
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained("weights")
    Path("two.yaml").write_text(SWEEP)
    Rig(np.eye(3), "translation", (32, 40), (32, 40), spread=0.1, pairs=4).write(Path("rig.yaml"))
    Path("plan.yaml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    monkeypatch.setattr(export, "trace", lambda *_: None)
    monkeypatch.setattr(export, "encode", lambda *_: bytes(1000))
    monkeypatch.setattr(export, "runner", lambda *_: None)
    monkeypatch.setattr(export, "check_parity", lambda *_: {})
    monkeypatch.setenv("WANDB_MODE", "offline")
    return workspace


@pytest.fixture
def videos(place: Path) -> None:
    """Two videos, where they can be written."""
    pytest.importorskip("av", reason="videos need the extra `video`")
    from tests.inference.videos import frames_of, write

    for name in ("v.mp4", "i.mp4"):
        write(place / name, frames_of(70, 3))


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond `ROOM`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_every_verb_has_a_case() -> None:
    assert {case.words[0] for case in CASES.values()} | WRITE_NOTHING == {*LIGHTNINGS, *OWN}


@pytest.mark.parametrize("name", CASES)
class TestOneLineAndNothingHalfWritten:
    @pytest.fixture(autouse=True)
    def _in_place(self, name: str, place: Path, request: pytest.FixtureRequest) -> None:
        if "video" in name:
            request.getfixturevalue("videos")

    def test_on_a_full_disk(self, name: str, run: Run) -> None:
        case = CASES[name]
        with full_disk():
            message = run(*case.words).message
        assert re.match(rf"(/.*/)?{case.names}: cannot be written \(File too large\)", message), message
        left = {path for path in Path("out").rglob("*") if path.is_file() and path.stat().st_size > 0}
        # Logs, of which a line that was cut off is passed over, and Lightning's table of losses.
        assert {path.name for path in left} <= {"scores.jsonl", "metrics.csv", "hparams.yaml"}
        assert not list(Path("out").rglob(".*"))

    def test_where_no_folder_can_be_made(self, name: str, run: Run) -> None:
        Path("out").write_text("in the way")
        message = run(*CASES[name].words).message
        assert re.match(r"(/.*/)?out\b.*: this output folder cannot be made \((File exists|Not a directory)\)", message)
        assert Path("out").read_text() == "in the way"


def test_the_page_tells_of_a_full_disk(place: Path) -> None:
    demo = Demo(Fuser(DreamIF(**TINY_NET), device="cpu", precision="float32"), place)
    sources = [f"pairs/test/{part}/test_00.png" for part in ("vi", "ir")]
    with full_disk(), pytest.raises(DiskError, match=r"test_00_fused\.png: cannot be written"):
        demo.fuse(*sources, Sliders(), "rgb", "auto")


TOGETHER = {
    "fuse a folder": CASES["fuse a folder"].words,
    "fuse a picture": CASES["fuse a picture"].words,
    "fuse a video": CASES["fuse a video"].words,
    "evaluate": [*CASES["evaluate"].words, "--threads=1"],
    "tables": [*CASES["tables"].words, "--threads=1"],
}
DATE = re.compile(rb"\d{4}-\d\d-\d\dT[\d:+]+")


def contents(folder: Path) -> dict[str, bytes]:
    """Files below a folder, whenever they were made, but for journals, whose lines have any order."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
    return {str(path.relative_to(folder)): DATE.sub(b"", path.read_bytes()) for path in files}


@pytest.mark.parametrize("name", TOGETHER)
def test_two_processes_with_one_output(name: str, place: Path, run: Run, request: pytest.FixtureRequest) -> None:
    """Both end well, and leave what one alone leaves."""
    if "video" in name:
        request.getfixturevalue("videos")
    fork = multiprocessing.get_context("fork")  # which has imported everything already
    two = [fork.Process(target=_main, args=(TOGETHER[name],)) for _ in range(2)]
    for process in two:
        process.start()
    for process in two:
        process.join()
    assert [process.exitcode for process in two] == [0, 0]
    together = contents(place / "out")
    for journal in Path("out").rglob("*.jsonl"):
        assert [json.loads(line) for line in journal.read_text().splitlines()]
    Path("out").rename("both")
    assert run(*TOGETHER[name]).status == 0
    assert together == contents(place / "out")


def _main(words: Sequence[str]) -> None:
    os._exit(main(words))
