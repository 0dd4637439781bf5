"""The colour metric against kornia's conversion, and where it must be nothing."""

import pytest
import torch
from kornia.color import rgb_to_ycbcr

from dream_if.metrics import METRICS


def chroma(fused: torch.Tensor, visible: torch.Tensor) -> list[float]:
    values = METRICS["Chroma"](per_image=True)(fused, visible, torch.zeros(len(fused), 1, *fused.shape[2:]))
    return values.reshape(-1).tolist()


def test_kornias_colours() -> None:
    fused, visible = (torch.randint(0, 256, (2, 2, 3, 20, 24)) / 255).unbind()
    apart = (rgb_to_ycbcr(fused) - rgb_to_ycbcr(visible))[:, 1:] * 255
    assert chroma(fused, visible) == pytest.approx(apart.norm(dim=1).mean(dim=(1, 2)).tolist(), rel=5e-3)


def test_luminance_has_no_part_in_it() -> None:
    visible = torch.randint(64, 192, (1, 3, 20, 24)) / 255
    assert chroma(visible + 50 / 255, visible) == pytest.approx([0], abs=1e-6)


def test_grey_fused_of_colour_and_of_grey() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 20, 24)
    grey = torch.full((1, 1, 20, 24), 0.5)
    expected = ((0.299 * 255 / 1.772) ** 2 + (0.701 * 255 / 1.402) ** 2) ** 0.5
    assert chroma(grey, red) == pytest.approx([expected])
    assert chroma(grey, grey) == [0]
