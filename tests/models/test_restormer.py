"""The blocks against the formulas of the Restormer paper, written the plain way."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dream_if.models.restormer import GDFN, MDTA, ChannelLayerNorm, Downsample, Upsample
from dream_if.models.transformer_block import TransformerBlock


def plain_layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


def plain_attention(module: MDTA, x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    query, key, value = module.qkv_depthwise(module.qkv(x)).chunk(3, dim=1)
    query, key, value = (t.reshape(batch, module.num_heads, -1, height * width) for t in (query, key, value))
    cosine = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-1, -2)
    attended = (cosine * module.temperature).softmax(dim=-1) @ value
    return module.project_out(attended.reshape(batch, channels, height, width))


def test_layer_norm_is_over_channels() -> None:
    norm = ChannelLayerNorm(6).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(norm(x), plain_layer_norm(x, norm.weight, norm.bias))


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_equals_the_textbook_order(heads: int) -> None:
    torch.manual_seed(heads)
    module = MDTA(8, heads).double()
    torch.nn.init.uniform_(module.temperature, 0.5, 3)
    x = torch.randn(2, 8, 6, 5, dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = module(ours), plain_attention(module, theirs)
    torch.testing.assert_close(out, expected, atol=1e-6, rtol=1e-6)
    parameters = list(module.parameters())
    weights = torch.randn_like(out)
    gradients = torch.autograd.grad((out * weights).sum(), [ours, *parameters])
    expected_gradients = torch.autograd.grad((expected * weights).sum(), [theirs, *parameters])
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-5, rtol=1e-5)


def test_attention_in_half_precision_stays_finite_over_many_pixels() -> None:
    module = MDTA(4, 1).half()
    x = 8 * torch.ones(1, 4, 96, 96, dtype=torch.float16)
    assert module(x).isfinite().all()


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="3 heads for 8 channels"):
        MDTA(8, 3)


def test_feed_forward_gates_one_half_by_the_other() -> None:
    module = GDFN(6, 2.66).double()
    x = torch.randn(1, 6, 4, 4, dtype=torch.float64)
    hidden = module.depthwise(module.project_in(x))
    assert hidden.shape[1] == 2 * int(6 * 2.66)
    first, second = hidden[:, :15], hidden[:, 15:]
    gelu = first * 0.5 * (1 + torch.erf(first / 2**0.5))
    torch.testing.assert_close(module(x), F.conv2d(gelu * second, module.project_out.weight))


def test_block_is_residual() -> None:
    block = TransformerBlock(8, 2, 2.0)
    torch.nn.init.zeros_(block.attention.project_out.weight)
    torch.nn.init.zeros_(block.feed_forward.project_out.weight)
    x = torch.randn(2, 8, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_memory_format_does_not_change_the_result() -> None:
    block = TransformerBlock(8, 2, 2.0)
    x = torch.randn(2, 8, 9, 11)
    torch.testing.assert_close(block(x), block(x.contiguous(memory_format=torch.channels_last)), atol=1e-5, rtol=1e-5)


def test_down_and_up_change_size_and_width() -> None:
    assert Downsample(8)(torch.zeros(1, 8, 12, 10)).shape == (1, 16, 6, 5)
    assert Upsample(16)(torch.zeros(1, 16, 6, 5)).shape == (1, 8, 12, 10)
