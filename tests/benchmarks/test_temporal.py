"""The benchmark of smoothing: its camera moves as it says, and it prints a row for each case."""

import sys

import numpy as np
import torch

from benchmarks import temporal
from dream_if.data.scenes import generate_scene
from dream_if.models import DreamIF
from tests.conftest import TINY_NET


def test_a_clean_pan_by_whole_pixels_has_no_flicker() -> None:
    visible = generate_scene(0, 0, (2 * temporal.HEIGHT, 2 * temporal.WIDTH + 72)).visible
    frames = np.stack([frame.pixels / np.float32(255) for frame in temporal.filmed(visible, temporal.PAN, 0, 0)])
    assert temporal.flicker(frames, 3) < 0.01
    assert temporal.flicker(frames, 0) > 1
    assert temporal.error(frames, frames) == 0


def test_it_prints_a_row_for_each_case(tmp_path, monkeypatch, capsys) -> None:
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained(tmp_path)
    monkeypatch.setattr(temporal, "FRAMES", 2)
    monkeypatch.setattr(temporal, "CASES", ((temporal.STILL, 5), (temporal.DRIVE, 0)))
    monkeypatch.setattr(sys, "argv", ["temporal", "--weights", str(tmp_path), "--scenes", "1"])
    temporal.main()
    still, drive = capsys.readouterr().out.splitlines()[-2:]
    assert still.startswith("| still | 5 | ")
    assert drive.startswith("| drive, 1% larger a frame | 0 | – | – | – | – | 0.00 | ")
