"""Separable filters on (B, H, W) planes, written as shifted sums so that they keep the dtype on every device."""

from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._sharing import share

__all__ = ["Border", "central_difference", "centred_plane", "filter_valid", "gaussian_window", "pad", "sobel"]

Border = Literal["zero", "replicate", "reflect"]


def gaussian_window(size: int, sigma: float) -> tuple[float, ...]:
    """A normalised Gaussian of `size` taps; its outer product with itself is the normalised two-dimensional one."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    return tuple((taps / taps.sum()).tolist())


def _along(planes: Tensor, taps: tuple[float, ...], dim: int, stride: int = 1) -> Tensor:
    span = planes.shape[dim] - len(taps) + 1
    every = (slice(None),) * dim + (slice(None, None, stride),)
    shifted = [planes.narrow(dim, start, span)[every] for start in range(len(taps))]
    middle = len(taps) // 2
    out = shifted[middle] * taps[middle]
    if planes.dtype == torch.float64 or taps != taps[::-1] or len(taps) % 2 == 0:
        for k in (*range(middle), *range(middle + 1, len(taps))):
            out.add_(shifted[k], alpha=taps[k])
        return out
    # In single precision the two sides are added first: rounding half as often keeps E[x^2] - E[x]^2 nearer to 0.
    for k in range(middle):
        out.add_(shifted[k] + shifted[-1 - k], alpha=taps[k])
    return out


def filter_valid(planes: Tensor, taps: tuple[float, ...], stride: int = 1) -> Tensor:
    """Correlate rows and columns with `taps` where the window fits, at every `stride`-th position.

    (B, H, W) to (B, ceil((H - n + 1) / stride), ceil((W - n + 1) / stride)).
    """
    return _along(_along(planes, taps, 1, stride), taps, 2, stride)


def pad(planes: Tensor, width: int, border: Border) -> Tensor:
    """Extend (B, H, W) by `width` on all sides; reflect does not repeat the edge pixel."""
    if border == "zero":
        return nnf.pad(planes, (width,) * 4)
    return nnf.pad(planes, (width,) * 4, mode=border)


def central_difference(planes: Tensor, dim: int) -> Tensor:
    """(f[i + 1] - f[i - 1]) / 2 inside and one-sided differences at both ends of an axis of at least 2 entries."""
    length = planes.shape[dim]
    first = planes.narrow(dim, 1, 1) - planes.narrow(dim, 0, 1)
    last = planes.narrow(dim, length - 1, 1) - planes.narrow(dim, length - 2, 1)
    inside = (planes.narrow(dim, 2, length - 2) - planes.narrow(dim, 0, length - 2)).div_(2)
    return torch.cat([first, inside, last], dim)


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
