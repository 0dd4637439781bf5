"""Fusion of wavelet coefficients.

H. Li, B. S. Manjunath, S. K. Mitra: "Multisensor image fusion using the wavelet transform", Graphical Models and Image
Processing 57(3), 1995, choose the larger coefficient; O. Rockinger: "Image sequence fusion using a shift-invariant
wavelet transform", ICIP 1997, does so without decimation, so that the result moves with the image and shows no blocks.
The latter is built here, with a smoother wavelet than Rockinger's.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dream_if.baselines.luminance import LuminanceFusion

__all__ = ["Wavelet"]

_ROOT = math.sqrt(3)
_LOW = [tap / (4 * math.sqrt(2)) for tap in (1 + _ROOT, 3 + _ROOT, 3 - _ROOT, 1 - _ROOT)]
"""Daubechies' scaling filter of four taps, of unit energy."""
_HIGH = [(-1) ** place * tap for place, tap in enumerate(reversed(_LOW))]


class Wavelet(LuminanceFusion):
    """Undecimated wavelet transform: in every band the coefficient of larger magnitude, the mean of what is left.

    Images are continued by their border pixels as far as the filters reach, so that opposite borders do not mix.

    Args:
        levels: how many scales, each with horizontal, vertical and diagonal detail.
    """

    bands: Tensor

    def __init__(self, levels: int = 4) -> None:
        super().__init__()
        self.levels = levels
        filters = torch.tensor([_LOW, _HIGH])
        bands = torch.einsum("ih,jw->ijhw", filters, filters).reshape(4, 1, 4, 4)  # the approximation first
        self.register_buffer("bands", bands, persistent=False)

    def fuse(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """See `LuminanceFusion.fuse`."""
        height, width = visible.shape[-2:]
        margin = 3 * 2**self.levels
        sources = F.pad(torch.cat([visible, infrared]), (margin, margin, margin, margin), mode="replicate")
        details = []
        for level in range(self.levels):
            bands = self._analyse(sources, 2**level)
            sources, (of_visible, of_infrared) = bands[:, :1], bands[:, 1:].chunk(2)
            details.append(torch.where(of_visible.abs() >= of_infrared.abs(), of_visible, of_infrared))
        fused = torch.stack(sources.chunk(2)).mean(dim=0)
        for level in reversed(range(self.levels)):
            fused = self._synthesise(torch.cat([fused, details[level]], dim=1), 2**level)
        return fused[..., margin : margin + height, margin : margin + width]

    def _analyse(self, image: Tensor, step: int) -> Tensor:
        """(B, 1, H, W) to its four bands (B, 4, H, W), the taps `step` pixels apart."""
        return F.conv2d(F.pad(image, (0, 3 * step, 0, 3 * step), mode="circular"), self.bands, dilation=step)

    def _synthesise(self, bands: Tensor, step: int) -> Tensor:
        """The adjoint of `_analyse` over its redundancy of 4, which is its inverse."""
        flipped = self.bands.flip(-2, -1).transpose(0, 1) / 4
        return F.conv2d(F.pad(bands, (3 * step, 0, 3 * step, 0), mode="circular"), flipped, dilation=step)
