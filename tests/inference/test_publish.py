"""From a training to weights that are found by name."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file

from dream_if.inference import weights as inference_weights
from dream_if.inference.card import card as make_card
from dream_if.models import DreamIF, dream_if
from dream_if.models.shipped import shipped


@pytest.fixture
def trained(run, workspace: Path) -> Path:
    outcome = run("fit", "--config", "tiny.yaml", "--trainer.max_epochs", 3)  # of which the last is not always the best
    assert outcome.status == 0, outcome.err
    (folder,) = workspace.glob("runs/dream-if/*")
    return folder


def test_a_run_becomes_weights_by_name(run, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--name", "mine", "--out", "shelf", "--terms", "Drawn by us.", "--commit", "abc"]
    outcome = run("publish", trained, *words)
    assert outcome.status == 0, outcome.err
    shelf = Path("shelf")
    assert shipped(shelf) == ["mine"]
    told = json.loads((shelf / "mine.json").read_text())
    assert told["sha256"] == hashlib.sha256((shelf / "mine.safetensors").read_bytes()).hexdigest()
    assert (told["terms"], told["training"]["commit"], told["data"]["root"]) == ("Drawn by us.", "abc", ["pairs"])
    assert told["training"]["steps"] > 0
    assert told["validation"][told["training"]["best_by"]] == told["training"]["best_value"]
    again = run("publish", trained, *words)
    assert again.status == 2
    assert "mine.safetensors already exists" in again.err
    assert run("publish", trained, *words, "--force").status == 0
    assert str(Path.cwd()) not in (shelf / "mine.json").read_text()

    held = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    for name, tensor in load_file(shelf / "mine.safetensors").items():
        assert tensor.dtype == torch.float16
        torch.testing.assert_close(tensor.float(), held[f"net.{name}"].float(), rtol=1e-3, atol=1e-6)

    monkeypatch.setattr(dream_if, "SHIPPED", shelf)
    monkeypatch.setattr(dream_if, "shipped", lambda: shipped(shelf))
    net = DreamIF.from_pretrained("mine")
    assert not net.training
    assert inference_weights.digest(net) == told["digest"]
    assert {tensor.dtype for tensor in net.parameters()} == {torch.float32}


def test_a_card_for_the_hub(run, trained: Path) -> None:
    outcome = run("publish", trained, "--name", "mine", "--out", "shelf", "--terms", "Drawn by us.", "--card")
    assert outcome.status == 0, outcome.err
    card = ModelCard(Path("shelf/mine.md").read_text())
    assert (card.data.library_name, card.data.license) == ("dream-if", "other")
    told = json.loads(Path("shelf/mine.json").read_text())
    for part in ("Trained on: pairs", "Drawn by us.", told["sha256"], f"{told['parameters']:,}"):
        assert part in card.text
    told["scores"] = {"clean": {"TNO": {"Qabf": 0.5, "SSIM": 1.25}}}
    assert "| clean | Qabf | SSIM |\n|---|---:|---:|\n| TNO | 0.500 | 1.250 |" in make_card("mine", told)


def test_the_file_fuses(run, trained: Path) -> None:
    run("publish", trained, "--name", "mine", "--out", "shelf")
    for name, mode in (("v.png", "RGB"), ("i.png", "L")):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)).convert(mode).save(name)
    outcome = run("fuse", "v.png", "i.png", "-o", "f.png", "--weights", "shelf/mine.safetensors")
    assert outcome.status == 0, outcome.err
    assert Image.open("f.png").size == (40, 32)


def test_what_is_no_finished_run_is_refused(run, trained: Path) -> None:
    outcome = run("publish", "nowhere", "--name", "mine", "--out", "shelf")
    assert outcome.status == 2
    assert "nowhere: not the folder of a finished `dream-if fit`" in outcome.err
    assert "Traceback" not in outcome.err
    for text, lacks in (("model: {}\ntrainer: {}\n", "no data"), ("- 1\n", "no data and no model and no trainer")):
        shutil.copytree(trained, "other", dirs_exist_ok=True)
        Path("other/config.yaml").write_text(text)
        outcome = run("publish", "other", "--name", "mine", "--out", "shelf")
        assert (outcome.status, f"config.yaml: has {lacks}; expected" in outcome.err) == (2, True)
    outcome = run("publish", trained, "--name", "../mine", "--out", "shelf")
    assert outcome.status == 2
    assert "--name: expected letters, digits, - and _, got '../mine'" in outcome.err
    assert not Path("shelf").exists()
