"""Damaged videos: fused or refused in a line, never a traceback, a wait or a file that is half a video."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dream_if.models import DreamIF
from tests.attack.counting import COUNTS, SEED, command
from tests.attack.test_pictures import mutated
from tests.conftest import TINY_NET
from tests.inference.videos import frames_of, read, write

pytestmark = pytest.mark.attack

KINDS = ("mp4", "mkv")


def test_fuse(tmp_path: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} videos"), []
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained(tmp_path / "weights")
    whole = {kind: write(tmp_path / f"whole.{kind}", frames_of(70, 6), sound=True).read_bytes() for kind in KINDS}
    out = tmp_path / "out"
    for number in range(500):
        if not time_left(0.08):
            break
        kind = KINDS[number % len(KINDS)]
        (tmp_path / f"x.{kind}").write_bytes(mutated(whole[kind], rng))
        sources = [f"x.{kind}", "whole.mp4"] if rng.random() < 0.5 else ["whole.mp4", f"x.{kind}"]
        fused = out / f"{number}.mkv"
        ended = command(["fuse", *sources, "-o", fused, "--weights", "weights", "--threads", 1], tmp_path)
        left = [path.name for path in out.glob("*")] if out.exists() else []
        fault = ended.fault()
        if ended.status == 0:
            fault = fault or ("" if left == [fused.name] and len(read(fused)[0]) == 6 else f"not whole: {left}")
            fused.unlink(missing_ok=True)
        elif left:
            fault = fault or f"left behind: {left}"
        if fault:
            faults.append(f"{number} {sources}: {fault}")
        COUNTS[f"fuse, a damaged video, {kind}", "FAULT" if fault else "fused" if ended.status == 0 else "refused"] += 1
    assert not faults, "\n\n".join(faults)
