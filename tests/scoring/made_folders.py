"""Folders of made-up images for `dream-if evaluate`, and its options."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dream_if.cli.verbs.evaluate import Options, run


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


def source(seed: int, size: tuple[int, int], channels: int) -> np.ndarray:
    """A smooth picture with some texture, (H, W) or (H, W, 3) levels; `size` is (height, width)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    planes = [
        128 + 60 * np.sin(x / rng.uniform(3, 9) + k) * np.cos(y / rng.uniform(3, 9)) + rng.normal(0, 12, size)
        for k in range(channels)
    ]
    return np.clip(np.stack(planes, -1).squeeze(), 0, 255).astype(np.uint8)


SIZES = [(48, 56), (44, 44), (48, 56), (48, 56), (44, 44), (48, 56), (48, 56)]


@pytest.fixture
def folders(tmp_path):
    """Seven pairs of two sizes, and two methods: `mix`, a grey average, and `max`, in colour."""
    for position, size in enumerate(SIZES):
        name = f"s{position}"
        visible, infrared = source(position, size, 3), source(100 + position, size, 1)
        save(tmp_path / "vi" / f"{name}.png", visible)
        save(tmp_path / "ir" / f"{name}.png", infrared)
        save(tmp_path / "mix" / f"{name}.png", (visible.mean(-1) + infrared) / 2)
        save(tmp_path / "max" / f"{name}.png", np.maximum(visible, infrared[..., None]))
    return tmp_path


@pytest.fixture
def options(folders):
    """Options of the command for these folders; keyword arguments change them."""

    def made(**changes):
        given = {
            "visible": folders / "vi",
            "infrared": folders / "ir",
            "fused": [f"mix={folders / 'mix'}", f"max={folders / 'max'}"],
            "metrics": "AG,EN,SSIM",
            "convention": "dream_if",
            "lpips_weights": None,
            "device": "cpu",
            "threads": 1,
            "share": "1/1",
            "batch_size": 3,
            "resize": False,
            "out": folders / "out",
        }
        return Options(**{**given, **changes})

    return made


@pytest.fixture
def scored(options, folders):
    """Run the command and return summary.json."""

    def ran(**changes):
        assert run(options(**changes)) == 0
        return json.loads((folders / "out" / "summary.json").read_text())

    return ran
