"""The loader benchmark on small scenes: it runs, and the ways that it compares read the same pixels."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks import loader
from dream_if.data.pairs import PairFiles
from dream_if.data.prepare import prepare_pairs
from dream_if.data.prepared import PreparedPairs
from tests.conftest import TINY_NET


def test_figures_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = tmp_path / "tiny.yaml", tmp_path / "figures.json"
    data = {"crop": 16, "crops_per_pair": 2, "batch_size": 4, "root": "nowhere"}
    config.write_text(yaml.safe_dump({"model": {"net": TINY_NET}, "data": data}))
    loader.main(
        [
            *("--size", "64x48", "--pairs", "10", "--crop", "16", "--batch", "8", "--workers", "0"),
            *("--seconds", "0.02", "--config", str(config), "--out", str(out)),
        ]
    )
    figures = json.loads(out.read_text())
    assert len(figures["pairs_per_second"]) == 7
    assert all(value > 0 for value in figures["pairs_per_second"].values())
    assert figures["degraded_pairs_per_second"]["cpu"] > 0
    assert 0 < figures["training"]["data_wait"] < 1
    assert figures["size"] == "64x48"
    printed = capsys.readouterr().out
    assert all(name in printed for name in figures["pairs_per_second"])
    assert "bottleneck" in printed


def test_all_read_the_same_pixels(tmp_path: Path) -> None:
    pairs = loader.write_scenes(tmp_path / "scenes", (48, 64), 2)
    files = loader.link_pairs(tmp_path / "links", pairs, 5)
    assert [pair.name for pair in files] == [f"{index:05d}" for index in range(5)]
    prepare_pairs(tmp_path / "links", tmp_path / "prepared", "folder", ["train"])
    plain = loader.PlainPairs(files, 48)
    plain_whole = [(tensor * 255).permute(1, 2, 0).numpy() for tensor in plain[0, 3]]
    decoded, packed = PairFiles(files).read(3), PreparedPairs(tmp_path / "prepared", "train").read(3)
    for usual, ours, theirs in zip(plain_whole, decoded, packed, strict=False):
        assert np.array_equal(ours, theirs)
        columns = [ours[:, left : left + 48] for left in range(17)]
        assert min(np.abs(usual - part).max() for part in columns) <= 4  # decoders of JPEG differ a little
    assert decoded[2] == packed[2] == "00003"
