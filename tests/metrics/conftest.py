import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

SHARED = Path(os.environ.get("DREAM_IF_SHARED", Path(__file__).resolve().parents[2] / "../shared"))


@pytest.fixture(scope="session")
def shared():
    """The folder with golden values, weights and real pairs, which may be absent."""
    return SHARED


@pytest.fixture(scope="session")
def golden():
    """Cases by name: the triple (fused, visible, infrared) as levels, and the published values by metric and entry."""
    file = SHARED / "golden" / "golden.json"
    if not file.exists():
        pytest.skip(f"no golden values at {file}; set DREAM_IF_SHARED to the folder that holds golden/")
    cases = json.loads(file.read_text())["cases"]

    def read(case, key):
        return torch.from_numpy(np.array(Image.open(file.parent / case["files"][key]))).unsqueeze(0)

    for case in cases.values():
        case["triple"] = tuple(read(case, key) for key in ("fused", "vi", "ir"))
        case["colour"] = {key: read(case, f"{key}_rgb") for key in ("fused", "vi") if f"{key}_rgb" in case["files"]}
    return cases


def scene(height, width, seed):
    """Two smooth random sources with texture, edges and flat parts, and a fused image: 8-bit levels (H, W)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    visible = (
        90 + 50 * np.sin(x / rng.uniform(4, 9)) * np.cos(y / rng.uniform(5, 11)) + rng.normal(0, 12, (height, width))
    )
    infrared = 60 + 40 * np.cos((x + y) / rng.uniform(9, 17)) + rng.normal(0, 6, (height, width))
    infrared[height // 4 : height // 2, width // 3 : width // 2] = 230
    visible[height // 2 :, : width // 5] = 30
    fused = 0.6 * visible + 0.4 * infrared + rng.normal(0, 2, (height, width))
    return tuple(np.clip(np.round(image), 0, 255) for image in (fused, visible, infrared))


@pytest.fixture(scope="session")
def scenes():
    """Four triples of one odd size, stacked: fused, visible, infrared as float64 levels (4, 1, 83, 70)."""
    stacked = zip(*(scene(83, 70, seed) for seed in range(4)), strict=True)
    return tuple(torch.from_numpy(np.stack(images))[:, None] for images in stacked)
