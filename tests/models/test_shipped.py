"""The weights that come with the package are whole, load by name, and are packed with it."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelHubMixin

from dream_if.baselines import Average
from dream_if.data.pairs import to_tensor
from dream_if.data.scene_pairs import ScenePairs
from dream_if.errors import InputError
from dream_if.metrics import fusion_metrics
from dream_if.models import DreamIF
from dream_if.models.shipped import SHIPPED, shipped


def test_what_is_shipped_is_packed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["dream_if"]
    packed = {file for pattern in patterns for file in SHIPPED.parent.glob(pattern)}
    assert set(SHIPPED.iterdir()) <= packed
    assert "small" in shipped()
    assert all(file.stat().st_size < 8 * 2**20 for file in packed)


@pytest.mark.parametrize("name", shipped())
def test_they_load_by_name_and_fuse(name: str) -> None:
    told = json.loads((SHIPPED / f"{name}.json").read_text())
    assert told["sha256"] == hashlib.sha256((SHIPPED / f"{name}.safetensors").read_bytes()).hexdigest()
    assert all(told[key] for key in ("terms", "data", "validation"))
    net = DreamIF.from_pretrained(name)
    assert not net.training
    assert sum(parameter.numel() for parameter in net.parameters()) == told["parameters"]
    scene = ScenePairs("test", 2, 0, (128, 160)).read(0)
    sources = to_tensor(scene[0])[None], to_tensor(scene[1])[None]
    with torch.inference_mode():
        fused = net(*sources).fused.clamp(0, 1)
    metrics = fusion_metrics(["Qabf", "VIFF"])
    ours, average = metrics(fused, *sources), metrics(Average()(*sources), *sources)
    assert all(ours[symbol] > average[symbol] + 0.1 for symbol in ours)


@pytest.mark.parametrize("name", ["fats", "./fats", "a/b/c", "runs/best.ckpt"])
def test_what_is_no_id_is_refused_without_asking_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/best.ckpt").touch()
    monkeypatch.setattr(ModelHubMixin, "from_pretrained", None)
    expected = f"{name!r}: no shipped weights of this name (there are: {', '.join(shipped())})"
    with pytest.raises(InputError, match=re.escape(expected)):
        DreamIF.from_pretrained(name)


def test_the_hub_is_asked_for_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelHubMixin, "from_pretrained", lambda name: f"the hub's {name}")
    assert DreamIF.from_pretrained("owner/name") == "the hub's owner/name"


def test_a_folder_of_that_name_is_meant_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = DreamIF(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, use_se=False)
    mine.save_pretrained("small")
    assert DreamIF.from_pretrained("./small").config["dim"] == 8
    mine.save_pretrained("mine")
    assert DreamIF.from_pretrained(Path("mine")).config["dim"] == 8
    assert DreamIF.from_pretrained("small").config["dim"] == 16
