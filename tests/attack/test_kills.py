"""kill -9 at random moments: the repeated command gives what an uninterrupted one gives, bit for bit."""

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dream_if.models import DreamIF
from dream_if.registration.rig import Rig
from tests.attack.counting import COUNTS, SEED, command
from tests.attack.test_settings import PLAN
from tests.conftest import TINY, TINY_NET, write_pairs
from tests.inference.videos import frames_of, write

pytestmark = pytest.mark.attack

FIT = ["fit", "--config", "tiny.yaml", "--trainer.max_epochs=6", "--threads=1"]
TRAINED = ["--ckpt_path", "run/checkpoints/last.ckpt"]
RESUME = [*FIT, *TRAINED]
SOURCES = ["--visible", "pairs/train/vi", "--infrared", "pairs/train/ir", "--fused", "a=pairs/train/ir"]
NETWORK = ["--weights", "weights", "--threads", "1"]
DATE = re.compile(rb"\d{4}-\d\d-\d\dT[\d:+]+")
LAST = "runs/dream-if/version_*/checkpoints/last.ckpt"


def bytes_of(folder: Path, out: str, *left_out: str) -> dict[str, str]:
    """Digest of each file below `out`, whenever it was made, less journals, whose lines have any order."""
    found = [path for path in sorted((folder / out).rglob("*")) if path.is_file() and path.name not in left_out]
    return {
        str(path.relative_to(folder)): hashlib.sha256(DATE.sub(b"", path.read_bytes())).hexdigest() for path in found
    }


def trained(folder: Path) -> dict[str, str]:
    """Digests of the weights and the optimizer after the last epoch, and of the best weights."""
    *_, last = sorted(folder.glob(LAST))
    states = {}
    for name in ("last", "best"):
        held = torch.load(last.with_name(f"{name}.ckpt"), weights_only=True)
        tensors = list(held["state_dict"].items())
        if name == "last":
            kept = held["optimizer_states"][0]["state"]
            tensors += [(f"{key} {what}", value) for key in kept for what, value in kept[key].items()]
        states[name] = hashlib.sha256(b"".join(value.numpy().tobytes() for _, value in tensors)).hexdigest()
    return states | {"epoch": str(held["epoch"])}


def again(folder: Path) -> list[str]:
    """The command that goes on with a training, or begins it where no epoch was finished."""
    found = sorted(folder.glob(LAST))
    return [*FIT, "--ckpt_path", str(found[-1].relative_to(folder))] if found else FIT


def resumed_again(folder: Path) -> list[str]:
    """Likewise for one that began as the resumption of another."""
    return again(folder) if list(folder.glob(LAST)) else RESUME


def predicted(folder: Path) -> dict[str, str]:
    """Digests of the fused images of the last prediction: each has a folder of its own."""
    *_, last = sorted(folder.glob("runs/dream-if/version_*"))
    found = bytes_of(folder, str(last.relative_to(folder) / "fused"))
    return {name.split("/", 3)[-1]: digest for name, digest in found.items()}


@dataclass(frozen=True)
class Case:
    """A command, what is compared of it, how it is repeated, and how the repeated one may end."""

    words: Sequence[str]
    result: Callable[[Path], dict[str, str]]
    repeat: Callable[[Path], Sequence[str]] | None = None
    ends: tuple[int, ...] = (0,)


CASES = {
    "fit": Case(FIT, trained, again),
    "resume": Case(RESUME, trained, resumed_again),
    "predict": Case(["predict", "--config", "tiny.yaml", *TRAINED, "--threads=1"], predicted),
    "fuse": Case(
        ["fuse", "pairs/train/vi", "pairs/train/ir", "-o", "out", *NETWORK],
        lambda folder: bytes_of(folder, "out", "fused.jsonl"),
    ),
    "fuse a video": Case(
        ["fuse", "v.mp4", "i.mp4", "-o", "out/f.mp4", *NETWORK],
        lambda folder: bytes_of(folder, "out"),
    ),
    "evaluate": Case(
        ["evaluate", *SOURCES, "--metrics", "AG,EN,SSIM,VIFF", "--threads", "1", "--out", "out"],
        lambda folder: bytes_of(folder, "out", "scores.jsonl"),
    ),
    "tables": Case(
        ["tables", "2", "plan.yaml", "--out", "out", "--threads", "1"],
        lambda folder: bytes_of(folder, "out", "scores.jsonl"),
    ),
    "prepare": Case(["prepare", "pairs", "out", "--layout", "folder"], lambda folder: bytes_of(folder, "out")),
    "degrade": Case(
        ["degrade", "pairs", "out", "rain+gaussian", "--level", "3", "--layout", "folder"],
        lambda folder: bytes_of(folder, "out"),
        ends=(0, 2),  # it refuses a folder that is there: one that is complete
    ),
    "publish": Case(
        ["publish", "run", "--name", "x", "--out", "out", "--force"],
        lambda folder: bytes_of(folder, "out"),
    ),
    "align": Case(
        ["align", "pairs/train/vi", "pairs/train/ir", "-o", "out", "--rig", "rig.yaml"],
        lambda folder: bytes_of(folder, "out"),
        ends=(1,),  # the rig is for some of the pairs: the others have another size
    ),
    "scenes": Case(
        ["scenes", "out", "--train=8", "--val=2", "--test=2", "--size=[64,64]"],
        lambda folder: bytes_of(folder, "out"),
        ends=(0, 2),  # likewise
    ),
    "export": Case(["export", "-o", "out/f.pt2", *NETWORK], lambda folder: bytes_of(folder, "out")),
    "figure": Case(["figure", *SOURCES, "--out", "out/f.png"], lambda folder: bytes_of(folder, "out")),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every case starts from."""
    folder = tmp_path_factory.mktemp("kills") / "template"
    write_pairs(folder / "pairs", {"train": 8, "val": 3, "test": 8})
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained(folder / "weights")
    Rig(np.eye(3), "translation", (32, 40), (32, 40), spread=0.1, pairs=4).write(folder / "rig.yaml")
    for name in ("v.mp4", "i.mp4"):
        write(folder / name, frames_of(70, 25))
    made = command([*FIT, "--trainer.max_epochs=1"], folder)
    assert made.status == 0, made.said
    shutil.move(folder / "runs/dream-if/version_0", folder / "run")
    shutil.rmtree(folder / "runs")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_repeated_command(name: str, template: Path, tmp_path: Path, time_left: Callable[[float], bool]) -> None:
    case, rng, faults = CASES[name], random.Random(f"{SEED} kill {name}"), []
    share = {"fit": 0.1, "resume": 0.06}.get(name, 0.03)
    whole = shutil.copytree(template, tmp_path / "whole")
    ended = command(case.words, whole)
    assert ended.status in case.ends, ended.said
    expected = case.result(whole)
    assert expected
    for number in range(100):
        if number and not time_left(share):
            break
        folder = shutil.copytree(template, tmp_path / str(number))
        kills, wanted = 0, rng.choice([1, 1, 2])
        for _ in range(5):
            words = case.repeat(folder) if case.repeat else case.words
            kills += command(words, folder, kill_after=rng.uniform(0.02, ended.seconds)).status is None
            if kills == wanted:
                break
        finished = command(case.repeat(folder) if case.repeat else case.words, folder)
        found = case.result(folder) if finished.status in case.ends else {}
        if fault := finished.fault() or ("" if found == expected else f"another result: {json.dumps(found)}"):
            faults.append(f"{number}, {kills} kills: {fault}")
        COUNTS[f"kill -9, {name}", "FAULT" if fault else "the same" if kills else "not killed in time"] += 1
        shutil.rmtree(folder)
    assert not faults, "\n\n".join([*faults, json.dumps(expected)])
