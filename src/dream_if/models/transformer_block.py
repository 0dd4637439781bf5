"""The block that the network consists of, and how it processes an image: whole, in strips, or twice."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dream_if.models.restormer import GDFN, MDTA, ChannelLayerNorm
from dream_if.models.strips import attended_by_strips, fed_forward_by_strips, worth_it

__all__ = ["TransformerBlock"]


class TransformerBlock(nn.Module):
    """Pre-norm Restormer block: MDTA, then GDFN, each added to its input.

    Attributes:
        recompute: in training, keep the input alone and compute the rest again for the gradient.
    """

    def __init__(self, dim: int, num_heads: int, ffn_expansion: float) -> None:
        super().__init__()
        self.norm_attention = ChannelLayerNorm(dim)
        self.attention = MDTA(dim, num_heads)
        self.norm_feed_forward = ChannelLayerNorm(dim)
        self.feed_forward = GDFN(dim, ffn_expansion)
        self.recompute = False

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if worth_it(features, self.feed_forward.hidden):
            features = attended_by_strips(self.norm_attention, self.attention, features)
            return fed_forward_by_strips(self.norm_feed_forward, self.feed_forward, features)
        if self.recompute and self.training and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(self._whole, features, use_reentrant=False)
            return recomputed
        return self._whole(features)

    def _whole(self, features: Tensor) -> Tensor:
        features = features + self.attention(self.norm_attention(features))
        return features + self.feed_forward(self.norm_feed_forward(features))
