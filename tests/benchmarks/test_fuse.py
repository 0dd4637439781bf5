"""The benchmark behind docs/fuse.md on a generated pair: it runs, and says what it measures."""

import sys

import pytest
import torch
from PIL import Image

from benchmarks import fuse
from dream_if.inference import fuser
from dream_if.models import DreamIF
from tests.conftest import TINY_NET, scene


@pytest.fixture
def measure(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    DreamIF(**TINY_NET).save_pretrained(tmp_path / "weights")
    for file, picture in zip(("v.png", "i.png"), scene(400, 410, seed=0), strict=True):
        Image.fromarray(picture).save(tmp_path / file)
    monkeypatch.setattr(fuse, "CORNER", (48, 56))

    def call(what: str, *more: str) -> list[str]:
        arguments = [what, str(tmp_path / "v.png"), str(tmp_path / "i.png"), "--weights", str(tmp_path / "weights")]
        monkeypatch.setattr(sys, "argv", ["fuse", *arguments, *more])
        fuse.main()
        return capsys.readouterr().out.splitlines()

    return call


@pytest.mark.slow
def test_tiles_and_precision(measure):
    lines = measure("tiles", "--precision", "float32")
    assert [line.split()[0] for line in lines] == ["2", "4"]  # those of an eighth would be too small
    assert all("PSNR" in line for line in lines)
    assert "PSNR" in measure("precision")[0]


@pytest.mark.slow
def test_one_source_alone(measure):
    lines = measure("missing", "--noise", "35")
    assert len(lines) == 6
    as_it_is = float(lines[2].removeprefix("visible as it is: PSNR ").split()[0])
    assert 16 < as_it_is < 19  # 20 log10(255 / 35) is 17.2, and clipping takes a little noise away


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process's peak memory anew")
def test_cost(measure):
    assert "410x400 in float32" in measure("cost", "--precision", "float32")[0]
    assert fuser.used_memory(torch.device("cpu")) > 0
