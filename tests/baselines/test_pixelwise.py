import numpy as np
import pytest
import torch
from kornia.color import rgb_to_ycbcr

from dream_if.baselines import Average, Maximum


@pytest.fixture
def sources() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    # Muted colours, so that no fused colour leaves [0, 1] and is clamped.
    return 0.35 + 0.3 * torch.rand(2, 3, 17, 23, generator=generator), 0.35 + 0.3 * torch.rand(
        2, 1, 17, 23, generator=generator
    )


@pytest.mark.parametrize(("method", "combine"), [(Average(), lambda a, b: (a + b) / 2), (Maximum(), np.maximum)])
def test_luminance_is_combined_and_chroma_kept(method, combine, sources) -> None:
    visible, infrared = sources
    fused = method(visible, infrared)
    assert fused.shape == visible.shape
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    luminance = np.einsum("bchw,c->bhw", visible.numpy(), weights)
    expected = combine(luminance, infrared[:, 0].numpy())
    np.testing.assert_allclose(np.einsum("bchw,c->bhw", fused.numpy(), weights), expected, atol=1e-3)
    torch.testing.assert_close(rgb_to_ycbcr(fused)[:, 1:], rgb_to_ycbcr(visible)[:, 1:], atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", [Average(), Maximum()])
def test_grey_sources_stay_grey_and_in_range(method) -> None:
    visible = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1)).expand(1, 3, 8, 8)
    fused = method(visible, torch.ones(1, 1, 8, 8))
    assert 0 <= float(fused.min()) <= float(fused.max()) <= 1
    torch.testing.assert_close(fused, fused.mean(dim=1, keepdim=True).expand_as(fused), atol=2e-3, rtol=0)


def test_they_do_not_learn() -> None:
    assert not list(Average().parameters()) + list(Maximum().parameters())
