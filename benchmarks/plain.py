"""The network written plainly: the reference that benchmarks/network.py measures against, and proves ours equal to.

It computes the same function from the same parameters, the way the equations read and published code is written: one
pass for each source, layer norm by mean and variance on rearranged tensors, attention by normalising queries and keys,
two matrix products and a softmax, tensors in the contiguous layout, float32 unless under autocast.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from dream_if.models import DreamIF, FusionOutput
from dream_if.models.dream_if import Encoder
from dream_if.models.enhancement import PromptGenerator, RelativeDominance, RelativeEnhancement
from dream_if.models.restormer import GDFN, MDTA, ChannelLayerNorm
from dream_if.models.transformer_block import TransformerBlock

__all__ = ["plain"]


def layer_norm(norm: ChannelLayerNorm, x: Tensor) -> Tensor:
    """Layer norm over channels, by its definition."""
    height = x.shape[-2]
    x = rearrange(x, "b c h w -> b (h w) c")
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True, unbiased=False)
    x = (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias
    return rearrange(x, "b (h w) c -> b c h w", h=height)


def attention(module: MDTA, x: Tensor) -> Tensor:
    """Multi-Dconv head transposed attention, as Restormer's Eq. 1 reads."""
    height = x.shape[-2]
    query, key, value = module.qkv_depthwise(module.qkv(x)).chunk(3, dim=1)
    split = "b (head c) h w -> b head c (h w)"
    query, key, value = (rearrange(y, split, head=module.num_heads) for y in (query, key, value))
    query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
    weights = (query @ key.transpose(-2, -1) * module.temperature).softmax(dim=-1)
    return module.project_out(rearrange(weights @ value, "b head c (h w) -> b (head c) h w", h=height))


def feed_forward(module: GDFN, x: Tensor) -> Tensor:
    """Gated-Dconv feed-forward network."""
    gate, content = module.depthwise(module.project_in(x)).chunk(2, dim=1)
    return module.project_out(F.gelu(gate) * content)


def block(module: nn.Module, x: Tensor) -> Tensor:
    """One Restormer block."""
    assert isinstance(module, TransformerBlock)
    x = x + attention(module.attention, layer_norm(module.norm_attention, x))
    return x + feed_forward(module.feed_forward, layer_norm(module.norm_feed_forward, x))


def blocks(modules: nn.Module, x: Tensor) -> Tensor:
    """Restormer blocks, one after the other."""
    for module in modules.children():
        x = block(module, x)
    return x


def encode(encoder: Encoder, image: Tensor) -> list[Tensor]:
    """The encoder's four features."""
    x = encoder.embed(image)
    pyramid = []
    for level, modules in enumerate(encoder.levels):
        x = blocks(modules, x)
        pyramid.append(x)
        if level < len(encoder.down):
            x = encoder.down[level](x)
    return pyramid


def prompt(module: PromptGenerator, x: Tensor, dominance: Tensor) -> Tensor:
    """The prompt of Eq. 6."""
    summary = torch.cat([x, dominance], dim=1).mean(dim=(2, 3))
    weights = module.weights(summary).softmax(dim=1)
    mixed = (weights[:, :, None, None, None] * module.components[None]).sum(dim=1)
    return module.conv(F.interpolate(mixed, size=x.shape[-2:], mode="bilinear"))


def relative_dominance(module: RelativeDominance, sources: list[Tensor]) -> list[Tensor]:
    """Eq. 4 on the features of visible and infrared."""
    if module.conv is None:
        return [torch.full_like(x[:, :1], 0.5) for x in sources]
    logits = [module.conv(x) for x in sources]
    if module.joint:
        logits = [logits[0] - logits[1], logits[1] - logits[0]]
    return [torch.sigmoid(logit) for logit in logits]


def enhance(module: RelativeEnhancement, sources: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Eqs. 4 to 7 on the features of visible and infrared."""
    dominance = relative_dominance(module.dominance, sources)
    if module.join is None:
        return [d * x for d, x in zip(dominance, sources, strict=True)], dominance
    enhanced = []
    for one, other in ((0, 1), (1, 0)):
        x, paths = sources[one], []
        if module.cross is not None:
            paths.append(x + module.cross.conv(sources[other]) * dominance[other])
        if module.self_ is not None:
            told = torch.cat([x, prompt(module.self_.prompt, x, dominance[one])], dim=1)
            paths.append(x + module.self_.reduce(block(module.self_.block, told)))
        enhanced.append(module.join(torch.cat(paths, dim=1)))
    return enhanced, dominance


def plain(net: DreamIF, visible: Tensor, infrared: Tensor) -> FusionOutput:
    """Fuse a batch with the parameters of a network whose memory format is the contiguous one.

    Args:
        net: where the parameters come from; its own `forward` is not used.
        visible: (B, 3, H, W) in [0, 1].
        infrared: (B, 1, H, W) in [0, 1].

    Returns:
        What the network's `forward` returns: the fused images, (B, 3, H, W), and the dominance maps.
    """
    height, width = visible.shape[-2:]
    infrared_encoder = net.encoder_infrared or net.encoder
    padding = (0, -width % net.step, 0, -height % net.step)
    pyramids = [
        encode(encoder, F.pixel_unshuffle(F.pad(image, padding, mode="reflect"), net.stride))
        for encoder, image in ((net.encoder, visible), (infrared_encoder, infrared.expand(-1, 3, -1, -1)))
    ]
    features = [pyramid.pop() for pyramid in pyramids]
    maps: list[list[Tensor]] = [[], []]  # of each source, full resolution first
    level: Any  # a DecoderLevel; mypy sees a Module
    for level in net.decoder:
        features = [level.up(x) for x in features]
        if net.skip_connections:
            features = [torch.cat([x, pyramid.pop()], dim=1) for x, pyramid in zip(features, pyramids, strict=True)]
        features = [level.merge(x) for x in features]
        if level.enhance is not None:
            features, dominance = enhance(level.enhance, features)
            for of_source, one in zip(maps, dominance, strict=True):
                of_source.insert(0, one)
        features = [blocks(level.blocks, x) for x in features]
    refine, to_rgb = net.fusion
    if net.weigh is None:
        total = features[0] + features[1]
    else:
        weights = relative_dominance(net.weigh.dominance, features)
        total = 2 * (weights[0] * features[0] + weights[1] * features[1])
        for of_source, one in zip(maps, weights, strict=True):
            of_source.insert(0, one)
    fused = F.pixel_shuffle(to_rgb(blocks(refine, total)), net.stride)
    if net.stride > 1:
        maps = [[F.interpolate(x, scale_factor=net.stride, mode="bilinear") for x in of_source] for of_source in maps]
    full = fused.shape[-1]
    cropped = (
        tuple(
            x[..., : math.ceil(height / (full // x.shape[-1])), : math.ceil(width / (full // x.shape[-1]))]
            for x in each
        )
        for each in maps
    )
    return FusionOutput(fused[..., :height, :width], *cropped)
