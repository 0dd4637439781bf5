"""A tiny network, and files as a browser uploads them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.app.demo import Demo
from dream_if.inference import Fuser
from dream_if.models import DreamIF


@pytest.fixture(scope="session")
def fuser(tiny_net: dict) -> Fuser:
    torch.manual_seed(0)
    return Fuser(DreamIF(**tiny_net), device="cpu", precision="float32")


@pytest.fixture(scope="session")
def weights(fuser: Fuser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    fuser.net.save_pretrained(folder)
    return folder


@pytest.fixture
def demo(fuser: Fuser, tmp_path: Path) -> Demo:
    return Demo(fuser, tmp_path)


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """A folder with `visible.png` (40 wide, 32 high), `infrared.png`, `other.png` of another size, and `text.png`."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(60, 200, (32, 40, 3), np.uint8)).save(folder / "visible.png")
    Image.fromarray(rng.integers(60, 200, (32, 40), np.uint8)).save(folder / "infrared.png")
    Image.fromarray(rng.integers(60, 200, (30, 40), np.uint8)).save(folder / "other.png")
    (folder / "text.png").write_text("no picture")
    return folder
