"""Separable filters on (B, H, W) planes, written as shifted sums so that they keep the dtype on every device."""

from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._sharing import share

__all__ = ["Border", "centred_plane", "filter_valid", "gaussian_window", "pad", "sobel"]

Border = Literal["zero", "replicate", "reflect"]


def gaussian_window(size: int, sigma: float) -> tuple[float, ...]:
    """A normalised Gaussian of `size` taps; its outer product with itself is the normalised two-dimensional one."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    return tuple((taps / taps.sum()).tolist())


def _along(planes: Tensor, taps: tuple[float, ...], dim: int) -> Tensor:
    length = planes.shape[dim] - len(taps) + 1
    half = len(taps) // 2
    symmetric = len(taps) % 2 == 1 and taps == taps[::-1]
    if not symmetric:
        out = planes.narrow(dim, 0, length) * taps[0]
        for start, tap in enumerate(taps[1:], start=1):
            out.add_(planes.narrow(dim, start, length), alpha=tap)
        return out
    out = planes.narrow(dim, half, length) * taps[half]
    for start in range(half):
        pair = planes.narrow(dim, start, length) + planes.narrow(dim, len(taps) - 1 - start, length)
        out.add_(pair, alpha=taps[start])
    return out


def filter_valid(planes: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Correlate rows and columns with `taps` where the window fits: (B, H, W) to (B, H - n + 1, W - n + 1)."""
    return _along(_along(planes, taps, 2), taps, 1)


def pad(planes: Tensor, width: int, border: Border) -> Tensor:
    """Extend (B, H, W) by `width` on all sides; reflect does not repeat the edge pixel."""
    if border == "zero":
        return nnf.pad(planes, (width,) * 4)
    return nnf.pad(planes, (width,) * 4, mode=border)


@share
def centred_plane(plane: Tensor) -> tuple[Tensor, Tensor]:
    """The (B, H, W) plane less its mean rounded to a level, and that level (B, 1, 1).

    E[x^2] - E[x]^2 then loses fewer digits; the rounding keeps integer levels integers, so flat regions stay exact.
    """
    centre = plane.mean(dim=(1, 2), keepdim=True).round()
    return plane - centre, centre


@share
def sobel(planes: Tensor, border: Border = "zero") -> tuple[Tensor, Tensor]:
    """Sobel responses (horizontal, vertical) of (B, H, W), unnormalised, of the same size.

    Correlations with [-1 0 1; -2 0 2; -1 0 1] and [1 2 1; 0 0 0; -1 -2 -1]. Exact for 8-bit levels.
    """
    padded = pad(planes, 1, border)
    smooth_down = _along(padded, (1.0, 2.0, 1.0), 1)
    smooth_across = _along(padded, (1.0, 2.0, 1.0), 2)
    horizontal = smooth_down[:, :, 2:] - smooth_down[:, :, :-2]
    vertical = smooth_across[:, :-2] - smooth_across[:, 2:]
    return horizontal, vertical
