"""Blocks by strips are the blocks, whatever the strips' height."""

import pytest
import torch

from dream_if.models import DreamIF, strips
from dream_if.models.transformer_block import TransformerBlock


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips so thin that any image is cut."""
    monkeypatch.setattr(strips, "STRIP", 1)


@pytest.mark.parametrize(
    ("shape", "heads"), [((1, 8, 37, 23), 1), ((2, 8, 4, 16), 2), ((3, 16, 9, 5), 4), ((1, 8, 1, 1), 1)], ids=str
)
@pytest.mark.usefixtures("always")
def test_a_block_is_the_same(shape: tuple[int, ...], heads: int) -> None:
    torch.manual_seed(0)
    block = TransformerBlock(shape[1], heads, 2.66).double()
    features = torch.randn(shape, dtype=torch.float64)
    with torch.no_grad():
        by_strips = block(features)
        height = len(list(strips.strips(features, 8))) // shape[0]
    whole = block(features.requires_grad_()).detach()  # a gradient is wanted: no strips
    assert height == -(-shape[2] // 4)
    assert (by_strips - whole).abs().max() < 1e-12


@pytest.mark.parametrize("rows", [4, 7, 64])
def test_strips_cover_each_row_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    features = torch.zeros(2, 3, 30, 5)
    monkeypatch.setattr(strips, "STRIP", rows * 5 * 3 * 4)
    index = torch.arange(30)
    seen: dict[int, list[int]] = {0: [], 1: []}
    for image, inner, around, inside in strips.strips(features, 3):
        seen[image] += index[inner].tolist()
        assert index[around][inside].tolist() == index[inner].tolist()
        assert index[around][0] == max(index[inner][0] - 1, 0)
        assert index[around][-1] == min(index[inner][-1] + 1, 29)
    assert seen == {0: list(range(30)), 1: list(range(30))}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_network_is_the_same(monkeypatch: pytest.MonkeyPatch, tiny_net: dict, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = DreamIF(**tiny_net).eval()
    sources = torch.rand(2, 3, 45, 38), torch.rand(2, 1, 45, 38)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        whole = net(*sources)
        monkeypatch.setattr(strips, "STRIP", 1)
        cut = net(*sources)
    assert not torch.equal(cut.fused, whole.fused)  # so they did go another way
    assert (cut.fused - whole.fused).abs().max() < (1e-5 if dtype == torch.float32 else 2e-2)


def test_float16_and_other_devices_go_whole() -> None:
    with torch.no_grad():
        large = torch.empty(1, 8, 2**12, 2**12, device="meta")
        assert not strips.worth_it(large, 16)
        assert not strips.worth_it(torch.empty(1, 1, 2**11, 2**11, dtype=torch.float16), 16)
        assert strips.worth_it(torch.empty(1, 1, 2**11, 2**11), 16)
    assert not strips.worth_it(torch.empty(1, 1, 2**11, 2**11), 16)
