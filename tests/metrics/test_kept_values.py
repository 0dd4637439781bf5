"""Every metric under every convention on one generated triple, against values kept in `kept_values.json`.

The values were printed by this package when it met all values of the golden set; they hold the arithmetic where the
golden set is not at hand.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dream_if.metrics import METRICS
from dream_if.metrics import functional as F

KEPT = Path(__file__).with_name("kept_values.json")


def triple():
    """Levels (1, 168, 163) without a random generator: fused, visible, infrared."""
    y, x = np.mgrid[:168, :163].astype(float)
    texture = (x * 37 + y * 91 + x * y * 13) % 29
    visible = 110 + 55 * np.sin(x / 6) * np.cos(y / 9) + texture
    infrared = 60 + 45 * np.cos((x + y) / 13) + (x * 53 + y * 17 + x * y * 7) % 11
    infrared[40:80, 50:90] = 235
    visible[100:, :30] = 20
    fused = 0.55 * visible + 0.45 * infrared
    return tuple(torch.from_numpy(np.floor(image + 0.5))[None] for image in (fused, visible, infrared))


def compute():
    images = triple()
    values = {}
    with F.shared_work():
        for name, metric in METRICS.items():
            if name.startswith("LPIPS") or name in {"Chroma", "Dimming", "FlatNoise", "Clipping"}:  # tested elsewhere
                continue
            for convention, options in metric.conventions.items():
                planes = images if metric.needs_sources else images[:1]
                values[f"{name} {convention}"] = metric.function(*planes, **options).item()
    return values


def test_values_are_those_kept():
    kept, values = json.loads(KEPT.read_text()), compute()
    assert set(values) == set(kept)
    wrong = {
        name: (value, kept[name]) for name, value in values.items() if value != pytest.approx(kept[name], rel=1e-9)
    }
    assert not wrong
