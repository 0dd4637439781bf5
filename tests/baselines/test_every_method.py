"""What holds for all methods: signature, range, colour, and that nothing depends on the batch."""

import numpy as np
import pytest
import torch
from kornia.color import rgb_to_ycbcr
from torch import Tensor
from torch.nn import functional as F

from dream_if.baselines import BASELINES


def sources(height: int = 61, width: int = 83, count: int = 2, spread: float = 0.3, seed: int = 0) -> tuple:
    """Smooth pictures with texture, around mid grey so that muted colours are not clamped."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 4, 7, 7, generator=generator)
    both = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    both = both + 0.2 * torch.rand(both.shape, generator=generator)
    both = 0.5 + spread * (both - both.mean())
    return both[:, :3].contiguous(), both[:, 3:].contiguous()


def grey(image: Tensor) -> Tensor:
    return image.expand(-1, 3, -1, -1)


def luminance(image: Tensor) -> np.ndarray:
    return np.einsum("bchw,c->bhw", image.double().numpy(), [0.299, 0.587, 0.114])  # ITU-R BT.601


@pytest.fixture(params=BASELINES, name="method")
def _method(request: pytest.FixtureRequest) -> torch.nn.Module:
    return BASELINES[request.param]()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 16), (16, 131), (50, 77), (96, 64)])
def test_any_size_and_range(method, height: int, width: int) -> None:
    visible, infrared = sources(height, width, spread=1.6)
    visible, infrared = visible.clamp(0, 1), infrared.clamp(0, 1)
    fused = method(visible, infrared)
    assert fused.shape == visible.shape
    assert fused.dtype == torch.float32
    assert 0 <= float(fused.min()) < float(fused.max()) <= 1


def test_colour_is_that_of_the_visible_image(method) -> None:
    visible, infrared = sources()
    fused = method(visible, infrared)
    torch.testing.assert_close(rgb_to_ycbcr(fused)[:, 1:], rgb_to_ycbcr(visible)[:, 1:], atol=1e-3, rtol=0)


def test_grey_stays_grey(method) -> None:
    visible, infrared = sources()
    fused = method(grey(visible[:, :1]), infrared)
    torch.testing.assert_close(fused, grey(fused.mean(dim=1, keepdim=True)), atol=2e-3, rtol=0)


def test_of_two_equal_images_it_is_the_image(method) -> None:
    _, infrared = sources()
    torch.testing.assert_close(method(grey(infrared), infrared), grey(infrared), atol=1e-5, rtol=0)


def test_constant_images_give_a_constant_between_them(method) -> None:
    fused = method(torch.full((1, 3, 40, 33), 0.25), torch.full((1, 1, 40, 33), 0.75))
    torch.testing.assert_close(fused, torch.full_like(fused, float(fused[0, 0, 0, 0])), atol=1e-5, rtol=0)
    assert 0.5 - 1e-5 <= float(fused.mean()) <= 0.75 + 1e-5  # the maximum is the only one that is not in the middle


def test_an_image_is_fused_as_if_it_were_alone(method) -> None:
    visible, infrared = sources(count=3)
    together = method(visible, infrared)
    alone = torch.cat([method(visible[k : k + 1], infrared[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_turned_images_give_the_turned_result(method) -> None:
    """Nothing prefers rows to columns."""
    visible, infrared = sources()
    turned = method(visible.transpose(-2, -1), infrared.transpose(-2, -1)).transpose(-2, -1)
    torch.testing.assert_close(turned, method(visible, infrared), atol=1e-4, rtol=0)


def test_no_source_is_preferred(method) -> None:
    visible, infrared = sources()
    other = visible[:, :1]
    one, two = method(grey(other), infrared), method(grey(infrared), other)
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


def test_low_precision_does_not_reach_it(method) -> None:
    visible, infrared = sources()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused = method(visible, infrared)
    torch.testing.assert_close(fused, method(visible, infrared), atol=0, rtol=0)


def test_it_does_not_learn(method) -> None:
    assert not list(method.parameters())
    assert not method.state_dict()  # nothing of it goes into checkpoints


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in ("average", "maximum")])
def test_detail_of_either_source_is_kept(name: str) -> None:
    """Where one source is flat, averaging halves the contrast of the other; all of these keep most of it."""
    place = torch.arange(96.0)
    stripes = (0.5 + 0.2 * torch.sin(place * 1.9)).expand(1, 1, 96, 96)
    flat = torch.full_like(stripes, 0.5)
    inner = (..., slice(24, 72), slice(24, 72))
    for fused in (BASELINES[name]()(grey(stripes), flat), BASELINES[name]()(grey(flat), stripes)):
        kept = fused[inner].std() / stripes[inner].std()
        assert 0.85 < float(kept) < 1.05


@pytest.mark.parametrize(("name", "combine"), [("average", lambda a, b: (a + b) / 2), ("maximum", np.maximum)])
def test_pixel_by_pixel(name: str, combine) -> None:
    visible, infrared = sources()
    expected = combine(luminance(visible), infrared[:, 0].double().numpy())
    np.testing.assert_allclose(luminance(BASELINES[name]()(visible, infrared)), expected, atol=1e-3)
