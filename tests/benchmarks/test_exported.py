"""The benchmark behind docs/export.md: it runs, and says what it measures."""

import sys

import pytest
import torch

from benchmarks import exported
from dream_if.models import DreamIF


@pytest.mark.slow
def test_it_says_what_it_measures(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    DreamIF(
        dim=4, num_blocks=[1, 0, 0, 0], num_refinement_blocks=1, use_rd=False, use_ce=False, use_se=False
    ).save_pretrained(tmp_path)
    arguments = ["--weights", str(tmp_path), "--format", "torch", "--size", "50x34", "--turns", "1"]
    monkeypatch.setattr(sys, "argv", ["exported", *arguments])
    exported.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["network", "torch", "50x34, 1 thread(s), float32"]
    assert float(lines[2].split("takes ")[1].split()[0]) > 0
    assert float(lines[2].rsplit(" ", 1)[1]) < 1e-4
