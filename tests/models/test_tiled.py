"""Tiles as parts of one image: what looks at the whole image finds the same in every tile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dream_if.models import DreamIF
from dream_if.models.enhancement import PromptGenerator
from dream_if.models.tiled import TiledImage, of_whole_image, stretched
from dream_if.models.transformer_block import TransformerBlock

WHOLE = (48, 64)
PARTS = [(rows, columns) for rows in (slice(0, 16), slice(16, 48)) for columns in (slice(0, 40), slice(40, 64))]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def by_tiles(forward: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """Run a module over four tiles, after noting them, and put together what it makes of them."""
    found = {}
    with torch.no_grad(), TiledImage(*WHOLE) as image:
        for phase in ("note", "apply"):
            for part in PARTS:
                image.next_input(phase, *part)
                found[str(part)] = forward(*(x[..., *part] for x in inputs))
    first, second, third, fourth = (found[str(part)] for part in PARTS)
    return torch.cat([torch.cat([first, second], dim=-1), torch.cat([third, fourth], dim=-1)], dim=-2)


def pointwise(module: nn.Module) -> nn.Module:
    """Have the module's convolutions look at single pixels, so that the borders of tiles make no difference."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3):
            with torch.no_grad():
                part.weight[:] = part.weight * F.pad(torch.ones(1, 1), (1, 1, 1, 1))
    return module


@pytest.mark.parametrize("by_strips", [False, True])
def test_attention_is_that_over_the_whole_image(monkeypatch, by_strips):
    monkeypatch.setattr("dream_if.models.transformer_block.worth_it", lambda *_: by_strips)
    block = pointwise(TransformerBlock(8, 2, 2.0))
    block.attention.temperature.data *= 10
    features = torch.randn(2, 8, *WHOLE) + torch.randn(8, 1, 1) * torch.linspace(-3, 3, WHOLE[1])  # tiles differ
    with torch.no_grad():
        expected, alone = block(features), torch.cat([block(half) for half in features.chunk(2, dim=-1)], dim=-1)
    assert (alone - expected).abs().max() > 1e-3  # a hundred times what is allowed below
    torch.testing.assert_close(by_tiles(block, features), expected)


def test_prompts_are_those_of_the_whole_image():
    module = pointwise(PromptGenerator(8, prompt_dim=6, prompt_size=5))
    features = torch.randn(2, 8, *WHOLE) + torch.linspace(-3, 3, WHOLE[0])[:, None]
    dominance = torch.rand(2, 1, *WHOLE)
    with torch.no_grad():
        expected = module(features, dominance)
    torch.testing.assert_close(by_tiles(module, features, dominance), expected)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("size", [3, 16, 64])
def test_a_stretched_part_is_a_part_of_what_is_stretched(level, size):
    prompt = torch.randn(2, 3, size, size)
    rows, columns = slice(16 >> level, 40 >> level), slice(8 >> level, 64 >> level)
    expected = F.interpolate(prompt, size=(80 >> level, 104 >> level), mode="bilinear")[..., rows, columns]
    with TiledImage(78, 99) as image:
        image.next_input("apply", slice(16, 40), slice(8, 64))
        torch.testing.assert_close(stretched(prompt, *expected.shape[-2:]), expected)


def test_means_keep_their_precision():
    """A sum of many parts in bfloat16 would stand still."""
    module = nn.Identity()
    with TiledImage(8, 8 * 300) as image:
        for phase in ("note", "apply"):
            for place in range(300):
                image.next_input(phase, slice(0, 8), slice(8 * place, 8 * place + 8))
                own = torch.tensor([1.0 if place else 0.0], dtype=torch.bfloat16)
                (found,) = of_whole_image(module, own)
    assert found.dtype == torch.bfloat16
    assert found.item() == pytest.approx(299 / 300, abs=2**-9)


def test_the_network_itself_stays_as_it_is(tiny_net):
    net = DreamIF(**tiny_net).eval()
    sources = torch.rand(1, 3, 32, 40), torch.rand(1, 1, 32, 40)
    with torch.no_grad():
        expected = net(*sources).fused
        with pytest.raises(KeyboardInterrupt), TiledImage(32, 72) as image:  # noqa: PT012
            image.next_input("note", slice(0, 32), slice(0, 40))
            net(*sources)
            raise KeyboardInterrupt
        assert torch.equal(net(*sources).fused, expected)
        with TiledImage(32, 72) as image, ThreadPoolExecutor(1) as other:
            image.next_input("note", slice(0, 32), slice(0, 40))
            # another thread may have another number of cores, and so sums in another order
            torch.testing.assert_close(other.submit(no_grad(net), *sources).result(), expected)


def no_grad(net: DreamIF) -> Callable[..., torch.Tensor]:
    """The network without gradient, which is a setting of each thread."""
    return torch.no_grad()(lambda *sources: net(*sources).fused)
