"""Mangled YAML files and flags through every verb: status 2 and one line, or it is a good command after all."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from dream_if.models import DreamIF
from tests.attack.counting import COUNTS, SEED, command
from tests.conftest import TINY, TINY_NET, write_pairs
from tests.runs.made_sweeps import SWEEP

pytestmark = pytest.mark.attack

PLAN = {
    "methods": {"ours": "laplacian", "other": "average"},
    "sets": {"pairs": {"root": "pairs"}},
    "metrics": ["AG", "SSIM"],
    "tables": {"2": {"conditions": {"gaussian": {"kind": "gaussian", "level": 2, "seed": 0}}}},
}
FILES = {"tiny.yaml": yaml.safe_dump(TINY), "two.yaml": SWEEP, "plan.yaml": yaml.safe_dump(PLAN, sort_keys=False)}
WITH_A_FILE = {
    "fit": ["fit", "--config", "tiny.yaml", "--trainer.fast_dev_run=true"],
    "fit, dry": ["fit", "--config", "tiny.yaml", "--print_config"],
    "test": ["test", "--config", "tiny.yaml"],
    "sweep, dry": ["sweep", "two.yaml", "--dry-run"],
    "tables": ["tables", "2", "plan.yaml", "--out", "tables", "--threads", "1"],
}
VERBS = {
    "fit": ["fit", "--config", "tiny.yaml", "--trainer.fast_dev_run=true", "--data.crop=16", "--seed_everything=0"],
    "validate": ["validate", "--config", "tiny.yaml", "--ckpt_path", "none.ckpt"],
    "test": ["test", "--config", "tiny.yaml", "--ckpt_path", "none.ckpt"],
    "predict": ["predict", "--config", "tiny.yaml", "--ckpt_path", "none.ckpt"],
    "fuse": ["fuse", "pairs/test/vi", "pairs/test/ir", "-o", "out", "--weights", "weights", "--threads", "1"],
    "app": ["app", "--port", "0", "--weights", "weights", "--max-memory", "4G"],
    "publish": ["publish", "nowhere", "--name", "x", "--out", "published"],
    "check": ["check", "pairs", "--layout", "folder"],
    "prepare": ["prepare", "pairs", "packed", "--layout", "folder", "--splits", "[test]"],
    "scenes": ["scenes", "scenes", "--train", "1", "--val", "1", "--test", "1", "--size", "[32,32]", "--seed", "0"],
    "degrade": ["degrade", "pairs", "worse", "gaussian", "--level", "3", "--seed", "0", "--degrade", "both"],
    "evaluate": [
        *("evaluate", "--visible", "pairs/test/vi", "--infrared", "pairs/test/ir", "--fused", "a=pairs/test/ir"),
        *("--metrics", "AG,SSIM", "--threads", "1", "--out", "scores"),
    ],
    "figure": ["figure", "--visible", "pairs/test/vi", "--infrared", "pairs/test/ir", "--out", "figure.png"],
    "sweep": ["sweep", "two.yaml", "--dry-run", "--workers", "1"],
    "tables": ["tables", "2", "plan.yaml", "--out", "tables", "--limit", "1", "--threads", "1"],
    "metrics": ["metrics"],
}
NASTY = (
    *(
        "",
        "null",
        "-1",
        "0",
        "1e999",
        "nan",
        "-1e-320",
        "9" * 5000,
        "x" * 3000,
        "true",
        "[]",
        "{}",
        "[[[[[]]]]]",
        "-",
        "--",
    ),
    *("{a: 1}", "[1, x, null]", "!!python/name:os.system", "&a [*a]", "'", "\x01", "ü€", "..", "/dev/null", "."),
    *("torch.optim.Adam", "os.system", "{class_path: os.system, init_args: {command: 'false'}}", "1:2:3", "2026-99-99"),
)


def mangled(text: str, rng: random.Random) -> str:
    """The file with a line lost, doubled or moved, another value, other characters, or without its end."""
    lines, place = text.splitlines(), rng.randrange(text.count("\n"))
    way = rng.randrange(7)
    if way == 0:
        del lines[place]
    elif way == 1:
        lines.insert(place, lines[place])
    elif way == 2:
        lines[place] = " " * rng.randrange(1, 4) + lines[place]
    elif way in (3, 4):
        lines[place] = f"{lines[place].partition(':')[0]}: {rng.choice(NASTY)}"
    elif way == 5:
        spot = rng.randrange(len(text))
        return text[:spot] + "".join(rng.choices(":-[]{}&*!|>'\"%@`\t\0\n aé", k=rng.randrange(1, 6))) + text[spot:]
    else:
        return text[: rng.randrange(1, len(text))]
    return "\n".join(lines) + "\n"


def mangled_words(words: list[str], rng: random.Random) -> list[str]:
    """The command with a word lost, doubled or replaced, or with one more."""
    verb, *rest = words
    if not rest:
        return [verb, rng.choice(NASTY)]
    place, way = rng.randrange(len(rest)), rng.randrange(6)
    if way == 0:
        del rest[place]
    elif way == 1:
        rest.insert(place, rng.choice(["--nothing", "--nothing=1", rest[place], "--help="]))
    elif "=" in rest[place]:
        rest[place] = f"{rest[place].partition('=')[0]}={rng.choice(NASTY)}"
    else:
        rest[place] = rng.choice(NASTY)
    return [verb, *(word.replace("\0", "") for word in rest)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with pairs, a network and the files."""
    folder = tmp_path / "place"
    folder.mkdir()
    write_pairs(folder / "pairs", {"train": 4, "val": 3, "test": 3})
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained(folder / "weights")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def test_files(place: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} files"), []
    for number in range(2000):
        if not time_left(0.15):
            break
        what, words = list(WITH_A_FILE.items())[number % len(WITH_A_FILE)]
        name = next(word for word in words if word in FILES)
        text = mangled(FILES[name], rng)
        (place / name).write_text(text)
        ended = command(words, place)
        (place / name).write_text(FILES[name])
        if fault := ended.fault():
            faults.append(f"{number} {what}: {fault}\n{text}")
        COUNTS[f"a mangled YAML, {what}", "FAULT" if fault else f"status {ended.status}"] += 1
    assert not faults, "\n\n".join(faults)


def test_flags(place: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} flags"), []
    for number in range(3000):
        if not time_left(0.12):
            break
        verb, words = list(VERBS.items())[number % len(VERBS)]
        changed = mangled_words(words, rng)
        if (verb == "app" and "0" not in changed) or (verb == "sweep" and "--dry-run" not in changed):
            continue  # it might be served, or train for minutes
        ended = command(changed, place)
        if fault := ended.fault():
            faults.append(f"{number} {changed}: {fault}")
        COUNTS[f"mangled flags, {verb}", "FAULT" if fault else f"status {ended.status}"] += 1
    assert not faults, "\n\n".join(faults)
