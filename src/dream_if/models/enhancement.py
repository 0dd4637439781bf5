"""Relative enhancement (Dream-IF, Eqs. 4-7): each source repairs the other, and itself, where it is sure.

The two sources travel stacked along the batch, visible first: features are (2B, C, H, W). Everything here treats both
alike, with the same weights; only `CrossEnhancement` lets one see the other, by `swap_sources`.
"""

from typing import Literal

import torch
from einops import einsum
from torch import Tensor, nn

from dream_if.models.tiled import of_whole_image, stretched
from dream_if.models.transformer_block import TransformerBlock

__all__ = [
    "CrossEnhancement",
    "Dominance",
    "PromptGenerator",
    "RelativeDominance",
    "RelativeEnhancement",
    "SelfEnhancement",
    "WeighedSum",
    "halves",
    "swap_sources",
]


def halves(stacked: Tensor) -> tuple[Tensor, Tensor]:
    """The visible and the infrared half of a batch. `Tensor.chunk` would fix the size of the batch in an export."""
    count = stacked.shape[0] // 2
    return stacked[:count], stacked[count:]


def swap_sources(stacked: Tensor) -> Tensor:
    """Exchange the two halves of the batch: visible finds infrared's features in its place, and the reverse."""
    visible, infrared = halves(stacked)
    return torch.cat([infrared, visible])


Dominance = Literal["paper", "joint", "weighing"]
"""Forms of relative dominance; see `dream_if.models.DreamIF`."""


class RelativeDominance(nn.Module):
    """RD (Eq. 4): how much each pixel of a source is to be trusted, in (0, 1). (2B, C, H, W) -> (2B, 1, H, W).

    In the paper's form each source's map is made from its own feature alone, and the dominance loss asks that both sum
    to one. Where neither feature knows of the other, only one half everywhere can satisfy that.

    Args:
        dim: channels of the feature.
        joint: compare the sources instead, ``sigmoid(Conv(F) - Conv(F_other))``: the sum is one by construction.
        frozen: no map at all but one half everywhere: a control for experiments.
    """

    def __init__(self, dim: int, joint: bool = False, frozen: bool = False) -> None:
        super().__init__()
        self.conv = None if frozen else nn.Conv2d(dim, 1, 3, padding=1)
        self.joint = joint

    def forward(self, features: Tensor) -> Tensor:
        """Return the dominance map of each source, in the parameters' precision: bfloat16 has few steps near 1/2."""
        if self.conv is None:
            return torch.full_like(features[:, :1], 0.5, dtype=torch.promote_types(features.dtype, torch.float32))
        certainty = self.conv(features)
        if self.joint:
            certainty = certainty - swap_sources(certainty)
        return certainty.to(self.conv.weight.dtype).sigmoid()


class WeighedSum(nn.Module):
    """The sum over sources (Eq. 3) with RD as the weight of each: ``2 * sum of RD_m * F_m``.

    The paper calls RD "the fusion weight for each source feature", yet its Eq. 3 has no weight. Here nothing goes
    around it. With maps of one half it is the paper's sum.

    Args:
        dim: channels of the features.
        frozen: of `RelativeDominance`.
    """

    def __init__(self, dim: int, frozen: bool = False) -> None:
        super().__init__()
        self.dominance = RelativeDominance(dim, joint=True, frozen=frozen)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(2B, C, H, W) -> weighed sum (B, C, H, W) and dominance (2B, 1, H, W)."""
        dominance = self.dominance(features)
        weighed = dominance.to(features.dtype) * features
        return 2 * torch.add(*halves(weighed)), dominance


class CrossEnhancement(nn.Module):
    """CE (Eq. 5): each source gains what the other is sure of, ``F + Conv(F_other) * RD_other``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)

    def forward(self, features: Tensor, dominance: Tensor) -> Tensor:
        """(2B, C, H, W) and (2B, 1, H, W) -> (2B, C, H, W)."""
        return features + swap_sources(self.conv(features) * dominance)


class PromptGenerator(nn.Module):
    """RDP (Eq. 6): a prompt for the feature at hand, mixed from learned components (PromptIR, Potlapalli et al. 2023).

    The components' weights come from the mean of feature and dominance over the image; the mixture is resized to the
    feature's size and smoothed by a 3x3 convolution.

    Args:
        dim: channels of the feature.
        prompt_dim: channels of the prompt.
        prompt_size: height and width of the learned components.
        num_prompts: how many components there are.
    """

    def __init__(self, dim: int, prompt_dim: int, prompt_size: int, num_prompts: int = 5) -> None:
        super().__init__()
        self.components = nn.Parameter(torch.rand(num_prompts, prompt_dim, prompt_size, prompt_size))
        self.weights = nn.Linear(dim + 1, num_prompts)
        self.conv = nn.Conv2d(prompt_dim, prompt_dim, 3, padding=1, bias=False)

    def forward(self, features: Tensor, dominance: Tensor) -> Tensor:
        """(2B, C, H, W) and (2B, 1, H, W) -> prompt (2B, prompt_dim, H, W)."""
        height, width = features.shape[-2:]
        summary = torch.cat([features.mean(dim=(2, 3)), dominance.mean(dim=(2, 3))], dim=1)
        (summary,) = of_whole_image(self, summary, weight=height * width)
        weights = self.weights(summary).softmax(dim=1)
        prompt = einsum(weights, self.components.to(weights.dtype), "b n, n c h w -> b c h w")
        prompt = stretched(prompt, height, width)
        return self.conv(prompt.contiguous(memory_format=torch.channels_last))


class SelfEnhancement(nn.Module):
    """SE (Eq. 6): each source restores itself, told by its prompt what ails it: ``F + SE(RDP(F, RD, z), F)``."""

    def __init__(self, dim: int, num_heads: int, ffn_expansion: float, prompt_dim: int, prompt_size: int) -> None:
        super().__init__()
        self.prompt = PromptGenerator(dim, prompt_dim, prompt_size)
        self.block = TransformerBlock(dim + prompt_dim, num_heads, ffn_expansion)
        self.reduce = nn.Conv2d(dim + prompt_dim, dim, 1, bias=False)

    def forward(self, features: Tensor, dominance: Tensor) -> Tensor:
        """(2B, C, H, W) and (2B, 1, H, W) -> (2B, C, H, W)."""
        prompt = self.prompt(features, dominance)
        return features + self.reduce(self.block(torch.cat([features, prompt], dim=1)))


class RelativeEnhancement(nn.Module):
    """One level's relative enhancement: RD, then CE and SE side by side, joined by a 3x3 convolution (Eq. 7).

    Without CE and SE the dominance gates the feature, ``RD * F``: the second row of the paper's Table 4.

    Args:
        dim: channels of this level.
        num_heads: heads of the SE block; divides ``dim + prompt_dim``.
        ffn_expansion: of the SE block.
        prompt_dim: channels of the SE prompt.
        prompt_size: height and width of the SE prompt's components.
        use_ce: build cross enhancement.
        use_se: build self enhancement.
        joint: of `RelativeDominance`.
        frozen: of `RelativeDominance`.
        near_identity: start CE and SE as nothing added, and the join as their mean.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        ffn_expansion: float,
        prompt_dim: int,
        prompt_size: int,
        *,
        use_ce: bool,
        use_se: bool,
        joint: bool = False,
        frozen: bool = False,
        near_identity: bool = False,
    ) -> None:
        super().__init__()
        self.dominance = RelativeDominance(dim, joint, frozen)
        self.cross = CrossEnhancement(dim) if use_ce else None
        self.self_ = SelfEnhancement(dim, num_heads, ffn_expansion, prompt_dim, prompt_size) if use_se else None
        paths = use_ce + use_se
        self.join = nn.Conv2d(paths * dim, dim, 3, padding=1, bias=False) if paths else None
        if near_identity:
            self._start_near_identity()

    def _start_near_identity(self) -> None:
        if self.cross is not None:
            nn.init.zeros_(self.cross.conv.weight)
        if self.self_ is not None:
            nn.init.zeros_(self.self_.reduce.weight)
        if self.join is not None:
            parts = self.join.weight.chunk(self.join.in_channels // self.join.out_channels, dim=1)
            with torch.no_grad():
                for part in parts:
                    part.copy_(nn.init.dirac_(torch.empty_like(part)) / len(parts))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(2B, C, H, W) -> enhanced features (2B, C, H, W) and dominance (2B, 1, H, W)."""
        dominance = self.dominance(features)
        gate = dominance.to(features.dtype)
        paths = [path(features, gate) for path in (self.cross, self.self_) if path is not None]
        if self.join is None:
            return gate * features, dominance
        return self.join(torch.cat(paths, dim=1)), dominance
