"""Grey skies, grain and clipping: on images made to have them, and window by window."""

import numpy as np
import pytest
import torch

from dream_if.metrics import METRICS
from dream_if.metrics import functional as F

SKY, GROUND = 230, 90


def scene(height: int = 60, width: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, H, W) visible, whose upper half is a smooth sky and whose lower half is textured, and a flat infrared."""
    visible = torch.randint(GROUND - 40, GROUND + 40, (1, height, width)).double()
    visible[:, : height // 2] = SKY
    return visible, torch.full_like(visible, 40)


def test_a_grey_sky_is_dimmed_and_a_kept_one_is_not() -> None:
    visible, infrared = scene()
    assert F.dimming(visible, visible, infrared) == 0
    assert F.dimming((visible + infrared) / 2, visible, infrared) == 100
    half = visible.clone()
    half[:, :, 40:] -= 41
    assert F.dimming(half, visible, infrared).item() == pytest.approx(50)
    assert F.dimming(visible - 40, visible, infrared) == 0


def test_structure_of_the_other_source_may_darken_the_sky() -> None:
    visible, infrared = scene()
    infrared[:, :30, 20:60] = torch.randint(0, 256, (1, 30, 40)).double()
    fused = torch.where((torch.arange(80) >= 16) & (torch.arange(80) < 64), infrared, visible)
    assert F.dimming(fused, visible, infrared) == 0


def test_flat_noise_is_that_put_on() -> None:
    visible, infrared = scene(200, 300)
    noise = 12 * torch.randn(visible.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert F.flat_noise(visible, visible, infrared) < 1e-4
    assert F.flat_noise(visible + noise, visible, infrared).item() == pytest.approx(12, rel=0.02)


def test_window_by_window() -> None:
    generator = np.random.default_rng(0)
    visible, infrared = np.full((2, 24, 30), 210.0)
    visible[:, 15:] += generator.normal(0, 20, (24, 15))
    infrared[12:] += generator.normal(0, 20, (12, 30))
    fused = generator.uniform(100, 255, (24, 30))
    windows = [
        [np.s_[y - 4 : y + 5, x - 4 : x + 5], y, x]
        for y in range(4, 20)
        for x in range(4, 26)
        if visible[y - 4 : y + 5, x - 4 : x + 5].std() <= 4 and infrared[y - 4 : y + 5, x - 4 : x + 5].std() <= 4
    ]
    grain = np.sqrt(np.mean([fused[window].var() for window, _, _ in windows]))
    dimmed = np.mean([visible[y, x] - fused[y, x] > 40 for _, y, x in windows if visible[y, x] >= 200])
    images = [torch.from_numpy(image)[None] for image in (fused, visible, infrared)]
    assert F.flat_noise(*images).item() == pytest.approx(grain)
    assert F.dimming(*images).item() == pytest.approx(100 * dimmed)


def test_clipping_counts_what_no_source_has() -> None:
    visible = torch.tensor([[[0.0, 10, 255, 200, 3]]])
    infrared = torch.tensor([[[50.0, 20, 100, 250, 3]]])
    fused = torch.tensor([[[0.0, 0, 255, 255, 3]]])
    assert F.clipping(fused, visible, infrared).item() == pytest.approx(40)


@pytest.mark.parametrize("name", ["Dimming", "FlatNoise"])
def test_undefined_without_a_flat_area(name: str) -> None:
    images = torch.randint(0, 256, (3, 1, 1, 40, 40)) / 255
    assert METRICS[name](per_image=True)(*images).isnan().all()
