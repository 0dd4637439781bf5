"""Restormer blocks strip by strip: on the CPU, for images too large for its caches, when no gradient is needed.

All but one operation of a block looks at a pixel and its neighbours, so a block can run over a strip of rows at a time,
each strip with one more row at either side for the 3x3 convolutions. The wide tensors inside it then stay in the cache
and never exist for the whole image, which takes less memory and a fraction of the time. The exception, the c x c matrix
of the attention, is a sum over pixels: it is summed over the strips first. The result differs by rounding alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from dream_if.models.restormer import GDFN, MDTA, ChannelLayerNorm

__all__ = ["attended_by_strips", "fed_forward_by_strips", "worth_it"]

STRIP = 2**21
"""Bytes of the widest tensor in a strip: a few of them fit a core's share of the cache."""


def worth_it(features: Tensor, widest: int) -> bool:
    """Whether a block on (B, C, H, W) features, ``widest`` channels inside, should go by strips."""
    if torch.is_grad_enabled() or features.device.type != "cpu" or features.dtype == torch.float16:
        return False
    if torch.compiler.is_compiling():  # a compiler makes loops of its own
        return False
    return features.numel() // features.shape[1] * widest * features.element_size() > 2 * STRIP


def strips(features: Tensor, widest: int) -> Iterator[tuple[int, slice, slice, slice]]:
    """Cut (B, C, H, W) features: image, rows, the rows with one more at each side, and the rows within those."""
    batch, _, height, width = features.shape
    rows = max(4, STRIP // (width * widest * features.element_size()))
    for image in range(batch):
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            above, below = max(top - 1, 0), min(bottom + 1, height)
            yield image, slice(top, bottom), slice(above, below), slice(top - above, bottom - above)


def attended_by_strips(norm: ChannelLayerNorm, attention: MDTA, features: Tensor) -> Tensor:
    """(B, C, H, W) features plus their attention."""
    channels = features.shape[1]
    exact = torch.promote_types(features.dtype, torch.float32)
    product = features.new_zeros((len(features), channels, channels), dtype=exact)
    squares = features.new_zeros((2, len(features), channels), dtype=exact)
    result = torch.empty_like(features, memory_format=torch.channels_last)  # the values first, then what comes of them
    for image, rows, around, inside in strips(features, channels):
        normed = norm(features[image : image + 1, :, around])
        query, key, value = (part[:, :, inside] for part in attention.parts(normed))
        query, key = (x.permute(0, 2, 3, 1).reshape(-1, channels) for x in (query, key))
        product[image] += query.T @ key
        squares[0, image] += (query * query).sum(dim=0, dtype=exact)
        squares[1, image] += (key * key).sum(dim=0, dtype=exact)
        result[image, :, rows] = value[0]
    mixing = attention.mixing(product, *squares.unbind()).to(features.dtype)
    for image, rows, _, _ in strips(features, channels):
        value = result[image, :, rows].permute(1, 2, 0)
        result[image, :, rows] = features[image, :, rows] + (value @ mixing[image]).permute(2, 0, 1)
    return result


def fed_forward_by_strips(norm: ChannelLayerNorm, feed_forward: GDFN, features: Tensor) -> Tensor:
    """(B, C, H, W) features plus what the feed-forward network makes of them."""
    result = torch.empty_like(features, memory_format=torch.channels_last)
    for image, rows, around, inside in strips(features, feed_forward.hidden):
        normed = norm(features[image : image + 1, :, around])
        change = feed_forward(normed)[:, :, inside]
        result[image, :, rows] = features[image, :, rows] + change[0]
    return result
