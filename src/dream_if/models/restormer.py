"""The parts of Restormer (Zamir et al., CVPR 2022) that Dream-IF uses.

Every module maps (B, C, H, W) to (B, C', H', W') and is written for the channels-last memory format: a channel vector
lies together in memory, so that layer norm and the attention over channels read it without a transpose. Any other
layout gives the same result, only slower.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from dream_if.errors import InputError
from dream_if.models.tiled import of_whole_image

__all__ = ["GDFN", "MDTA", "ChannelLayerNorm", "Downsample", "PatchEmbedding", "Upsample", "blocks"]


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel, with scale and bias. (B, C, H, W) -> (B, C, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalise each pixel's channel vector."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convolved_parts(pointwise: nn.Conv2d, depthwise: nn.Conv2d, parts: int, features: Tensor) -> list[Tensor]:
    """What ``depthwise(pointwise(features)).chunk(parts, dim=1)`` is, with each part in memory of its own.

    A chunk of a channels-last tensor has gaps between its pixels, over which elementwise operations on a CPU are up to
    eighteen times slower.
    """
    weights = zip(pointwise.weight.chunk(parts), depthwise.weight.chunk(parts), strict=True)
    return [
        F.conv2d(F.conv2d(features, mixing), kernel, padding=depthwise.padding, groups=len(kernel))
        for mixing, kernel in weights
    ]


class MDTA(nn.Module):
    """Multi-Dconv head transposed attention (Restormer, Eq. 1): attention between channels, not between pixels.

    Queries, keys and values come from a 1x1 and a depthwise 3x3 convolution. Each head weighs its ``c`` channels by the
    softmax of a c x c matrix of cosine similarities, so the cost is linear in the number of pixels.

    The cosine is taken by dividing the small matrix by the norms of its rows and columns, and the output projection
    is multiplied into it before it meets the values: both equal the textbook order up to rounding, and save two passes
    over the image.

    Args:
        dim: channels in and out.
        num_heads: heads; divides ``dim``.

    Raises:
        InputError: ``num_heads`` does not divide ``dim``.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise InputError(f"num_heads must divide its level's channels, got {num_heads} heads for {dim} channels.")
        self.num_heads = num_heads
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=False)
        self.qkv_depthwise = nn.Conv2d(3 * dim, 3 * dim, 3, padding=1, groups=3 * dim, bias=False)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        height = features.shape[-2]
        query, key, value = (rearrange(x, "b c h w -> b (h w) c") for x in self.parts(features))
        if query.dtype == torch.float16:  # a sum over all pixels may leave its range: norm first, for one more pass
            query, key = F.normalize(query, dim=1), F.normalize(key, dim=1)
        exact = torch.promote_types(query.dtype, torch.float32)
        squares = ((x * x).sum(dim=1, dtype=exact) for x in (query, key))
        attended = value @ self.mixing(query.transpose(1, 2) @ key, *squares).to(value.dtype)
        return rearrange(attended, "b (h w) c -> b c h w", h=height)

    def parts(self, features: Tensor) -> list[Tensor]:
        """Queries, keys and values, (B, C, H, W) each."""
        return convolved_parts(self.qkv, self.qkv_depthwise, 3, features)

    def mixing(self, product: Tensor, query_squares: Tensor, key_squares: Tensor) -> Tensor:
        """The matrix that attention and output projection multiply the values by.

        Args:
            product: (B, C, C), queries by keys, summed over pixels. It is between all channels, of which the blocks
                within a head count: cheaper than gathering each head's pixels.
            query_squares: (B, C), the queries' squares summed over pixels, in float32 or better.
            key_squares: likewise for the keys.

        Returns:
            (B, C, C), from the value's channels to the output's.
        """
        product, query_squares, key_squares = of_whole_image(self, product, query_squares, key_squares)
        heads, exact = self.num_heads, query_squares.dtype
        with torch.autocast(product.device.type, enabled=False):
            product = rearrange(product, "b (h c) (g d) -> b c d h g", h=heads, g=heads).diagonal(dim1=-2, dim2=-1)
            norms = [
                rearrange(squares.sqrt().clamp_min(1e-12), "b (h c) -> b h c", h=heads)
                for squares in (query_squares, key_squares)
            ]
            cosine = rearrange(product.to(exact), "b c d h -> b h c d") / (
                norms[0].unsqueeze(-1) * norms[1].unsqueeze(-2)
            )
            attention = (cosine * self.temperature).softmax(dim=-1)
            project = rearrange(self.project_out.weight.to(exact), "out (h c) 1 1 -> h out c", h=heads)
            return rearrange(project @ attention, "b h out c -> b (h c) out")


class GDFN(nn.Module):
    """Gated-Dconv feed-forward network (Restormer, Eq. 2): GELU of one half gates the other.

    Args:
        dim: channels in and out.
        expansion: hidden channels over ``dim``; 2.66 in Restormer.
    """

    def __init__(self, dim: int, expansion: float) -> None:
        super().__init__()
        self.hidden = hidden = int(dim * expansion)
        self.project_in = nn.Conv2d(dim, 2 * hidden, 1, bias=False)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        gate, content = convolved_parts(self.project_in, self.depthwise, 2, features)
        return self.project_out(F.gelu(gate) * content)


class PatchEmbedding(nn.Conv2d):
    """3x3 convolution from an image, (B, channels, H, W), to features of the same size, (B, dim, H, W)."""

    def __init__(self, dim: int, channels: int = 3) -> None:
        super().__init__(channels, dim, 3, padding=1, bias=False)


class Downsample(nn.Sequential):
    """(B, C, H, W) -> (B, 2C, H/2, W/2): halve the channels by a 3x3 convolution, fold 2x2 pixels into channels."""

    def __init__(self, dim: int) -> None:
        super().__init__(nn.Conv2d(dim, dim // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


class Upsample(nn.Sequential):
    """(B, C, H, W) -> (B, C/2, 2H, 2W): double the channels by a 3x3 convolution, then unfold them into 2x2 pixels."""

    def __init__(self, dim: int) -> None:
        super().__init__(nn.Conv2d(dim, 2 * dim, 3, padding=1, bias=False), nn.PixelShuffle(2))


def blocks(count: int, make: Callable[[], nn.Module]) -> nn.Sequential:
    """``count`` modules from ``make``, one after the other."""
    return nn.Sequential(*(make() for _ in range(count)))
