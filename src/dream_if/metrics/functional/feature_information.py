"""FMI: mutual information of features in small windows, between each source and the fused image."""

import functools
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dream_if.metrics.functional._filters import central_difference
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["feature_mutual_information"]

Feature = Literal["pixel", "gradient", "dct", "wavelet"]

_WINDOWS_AT_ONCE = 2**14  # 81 numbers each: small enough for a cache, large enough for a GPU


def _cosine_basis(size: int, like: Tensor) -> Tensor:
    """The orthonormal DCT-II as a (size, size) matrix."""
    index = torch.arange(size, dtype=like.dtype, device=like.device)
    basis = torch.cos(math.pi / size * (index[None, :] + 0.5) * index[:, None]) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis


@functools.lru_cache
def _meyer_filters() -> tuple[list[float], list[float]]:
    """Low-pass and high-pass filter of the discrete Meyer wavelet, sampled from its spectrum and cut to 62 taps.

    The spectrum is 1 up to pi / 3, falls as cos(pi / 2 nu(3 w / pi - 1)) with nu(x) = x^4 (35 - 84 x + 70 x^2 - 20 x^3)
    and is 0 from 2 pi / 3 (Daubechies, "Ten Lectures on Wavelets", section 4.2).
    """
    samples = 4096
    angle = np.abs(2 * math.pi * np.fft.fftfreq(samples))
    x = (3 * angle / math.pi - 1).clip(0, 1)
    spectrum = math.sqrt(2) * np.cos(math.pi / 2 * x**4 * (35 - 84 * x + 70 * x**2 - 20 * x**3))
    low = np.fft.fftshift(np.fft.ifft(spectrum).real)[samples // 2 - 31 : samples // 2 + 31]
    # What the cut takes is given back in proportion, so that a flat image has nothing in the high band.
    low[::2] *= math.sqrt(0.5) / low[::2].sum()
    low[1::2] *= math.sqrt(0.5) / low[1::2].sum()
    high = low[::-1].copy()
    high[::2] *= -1
    return low.tolist(), high.tolist()  # no tensors: one that is kept would belong to the mode it was made in


def _wavelet_basis(size: int, like: Tensor) -> Tensor:
    """One level of the discrete Meyer transform with mirrored ends as a matrix: low band above high band."""
    low, high = _meyer_filters()
    taps = len(low)
    rows = (size + taps - 1) // 2
    # Output k takes samples 2 k + 1 - j, counted beyond the ends as ... 1 0 | 0 1 ... n-1 | n-1 n-2 ...
    position = (2 * torch.arange(rows)[:, None] + 1 - torch.arange(taps)[None, :]) % (2 * size)
    position = torch.where(position < size, position, 2 * size - 1 - position)
    basis = torch.zeros(2, rows, size, dtype=torch.float64)
    for band, band_taps in zip(basis, (low, high), strict=True):
        band.scatter_add_(1, position, torch.tensor(band_taps, dtype=torch.float64).expand(rows, taps))
    return basis.flatten(0, 1).to(like)


def _transformed(plane: Tensor, basis: Callable[[int, Tensor], Tensor]) -> Tensor:
    """A separable transform of (B, H, W). A coefficient that should be 0 becomes 0.

    A window of rounding noise would otherwise be stretched and compared like any other.
    """
    height, width = plane.shape[1:]
    coefficients = basis(height, plane) @ plane @ basis(width, plane).T
    noise = coefficients.abs().amax(dim=(1, 2), keepdim=True) * 1e-12
    return torch.where(coefficients.abs() <= noise, 0, coefficients)


@share
def _features(plane: Tensor, feature: Feature) -> Tensor:
    if feature == "gradient":
        return central_difference(plane, 2)
    if feature == "dct":
        return _transformed(plane, _cosine_basis)
    if feature == "wavelet":
        bands = _transformed(plane, _wavelet_basis)
        low, high = bands.amin(dim=(1, 2), keepdim=True), bands.amax(dim=(1, 2), keepdim=True)
        stretched = torch.where(low == high, 1.0, (bands - low) / (high - low))
        return (stretched * 1e12).round_() / 1e12  # flat regions become flat again in spite of rounding
    return plane


@share
def _windows(plane: Tensor, feature: Feature) -> Tensor:
    """All 3 x 3 windows of the feature map, read column by column: (B, H, W) to (9, B (H - 2) (W - 2))."""
    patches = _features(plane, feature).unfold(1, 3, 1).unfold(2, 3, 1)
    return patches.permute(4, 3, 0, 1, 2).reshape(9, -1)


def _entropy(probabilities: Tensor, dims: tuple[int, ...]) -> Tensor:
    """-sum p log2 |p|; the joint probabilities can be negative by rounding."""
    return -(probabilities * torch.log2(torch.where(probabilities == 0, 1, probabilities.abs()))).sum(dims)


def _distribution(windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Windows (9, N) as distributions over positions, the standard deviation of the position, and which are flat."""
    low, high = windows.amin(0), windows.amax(0)
    flat = low == high
    heights = torch.where(flat, 1.0, (windows - low) / (high - low))
    density = heights / heights.sum(0)
    position = torch.arange(1, 10, dtype=windows.dtype, device=windows.device)[:, None]
    mean = (density * position).sum(0)
    spread = ((density * position**2).sum(0) - mean**2).clamp_(min=0).sqrt_()
    return density, spread, flat


def _shared_information(source: Tensor, fused: Tensor) -> Tensor:
    """2 I / (H + H) of windows (9, N) under the joint distribution that has their correlation: (N,)."""
    p_source, spread_source, flat_source = _distribution(source)
    p_fused, spread_fused, flat_fused = _distribution(fused)
    d_source, d_fused = p_source - p_source.mean(0), p_fused - p_fused.mean(0)
    correlation = (d_source * d_fused).sum(0) / torch.sqrt(d_source.square().sum(0) * d_fused.square().sum(0))
    correlation = torch.where(flat_source | flat_fused, 0, correlation)

    rows, columns = p_fused.cumsum(0)[:, None], p_source.cumsum(0)[None, :]
    independent = rows * columns
    extreme = torch.where(correlation >= 0, torch.minimum(rows, columns), (rows + columns - 1).clamp_(min=0))
    excess = extreme.sub_(independent)
    mixture = correlation * spread_fused * spread_source / excess.sum((0, 1))
    mixture = torch.where((correlation == 0) | (spread_fused == 0) | (spread_source == 0), 0, mixture)
    joint = independent + mixture * excess
    joint = torch.diff(joint, dim=0, prepend=torch.zeros_like(joint[:1]))
    joint = torch.diff(joint, dim=1, prepend=torch.zeros_like(joint[:, :1]))

    of_both = _entropy(p_source, (0,)) + _entropy(p_fused, (0,))
    information = of_both - _entropy(joint, (0, 1))
    normalised = torch.where(information == 0, 0, 2 * information / of_both)
    return torch.where((source == fused).all(0), 1.0, normalised)


@metric_of_triple(at_least=3)
def feature_mutual_information(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, feature: Feature = "pixel"
) -> Tensor:
    """FMI, mean over all 3 x 3 windows and both sources of 2 I(S, F) / (H(S) + H(F)) of a feature.

    A window, stretched to 0..1, is read as a distribution over its nine positions; the joint distribution is the
    mixture of the independent and the extreme one (Hoeffding's bounds) that has the windows' correlation (Haghighat,
    Aghagolzadeh and Seyedarabi, "A non-reference image fusion metric based on mutual information of image features",
    Computers and Electrical Engineering 37(5), 2011; Haghighat and Razian, "Fast-FMI", AICT 2014).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 3.
        visible: like `fused`.
        infrared: like `fused`.
        feature: "pixel" (the levels), "gradient" (horizontal central differences), "dct" (of the whole image) or
            "wavelet" (one level of the discrete Meyer transform, its four bands side by side).

    Returns:
        (B,) values in [0, 1].
    """
    of_fused = _windows(fused, feature)
    total = torch.zeros(of_fused.shape[1], dtype=fused.dtype, device=fused.device)
    for source in (infrared, visible):
        of_source = _windows(source, feature)
        chunks = zip(
            torch.split(of_source, _WINDOWS_AT_ONCE, 1), torch.split(of_fused, _WINDOWS_AT_ONCE, 1), strict=True
        )
        total += torch.cat([_shared_information(*pair) for pair in chunks])
    return total.view(len(fused), -1).mean(1) / 2
