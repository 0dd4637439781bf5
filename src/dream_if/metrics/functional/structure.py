"""The SSIM family: local means, variances and covariances."""

from typing import Literal

from torch import Tensor

from dream_if.metrics.functional._filters import centred_plane, filter_valid, gaussian_window, pad
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["Window", "local_covariance", "local_moments", "ssim", "ssim_map"]

Window = Literal["gauss11_valid", "gauss11_reflect", "gauss11_replicate", "gauss7_valid", "uniform7"]

_GAUSS11 = gaussian_window(11, 1.5)
_GAUSS7 = gaussian_window(7, 1.5)
_ONES7 = (1.0,) * 7


def _average(plane: Tensor, window: Window) -> Tensor:
    if window == "uniform7":
        return filter_valid(plane, _ONES7).div_(49)  # a sum of integers first: exact, and 0 variance where it is flat
    if window == "gauss7_valid":
        return filter_valid(plane, _GAUSS7)
    if window == "gauss11_reflect":
        plane = pad(plane, 5, "reflect")
    elif window == "gauss11_replicate":
        plane = pad(plane, 5, "replicate")
    return filter_valid(plane, _GAUSS11)


def _sample_correction(window: Window) -> float:
    """The box window comes with sample moments (divided by n - 1), the Gaussian with population moments."""
    return 49 / 48 if window == "uniform7" else 1.0


@share
def _centred_moments(plane: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Mean and variance of the centred plane in every window."""
    centred, _ = centred_plane(plane)
    mean = _average(centred, window)
    return mean, _average(centred.square(), window).sub_(mean.square()).mul_(_sample_correction(window))


@share
def local_moments(plane: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Mean and variance in every window: (B, H, W) to two (B, H', W')."""
    mean, variance = _centred_moments(plane, window)
    return mean + centred_plane(plane)[1], variance


@share
def local_covariance(first: Tensor, second: Tensor, window: Window) -> Tensor:
    """Covariance in every window: two (B, H, W) to (B, H', W'); of a plane with itself exactly its variance."""
    mean_first, _ = _centred_moments(first, window)
    mean_second, _ = _centred_moments(second, window)
    product = _average(centred_plane(first)[0] * centred_plane(second)[0], window)
    return product.sub_(mean_first * mean_second).mul_(_sample_correction(window))


@share
def ssim_map(source: Tensor, fused: Tensor, window: Window, c1: float, c2: float) -> Tensor:
    """Structural similarity in every window, (B, H', W'), with the two constants that keep it defined."""
    mean_s, variance_s = local_moments(source, window)
    mean_f, variance_f = local_moments(fused, window)
    covariance = local_covariance(source, fused, window)
    numerator = (mean_s * mean_f).mul_(2).add_(c1).mul_(covariance.mul(2).add_(c2))
    denominator = mean_s.square().add_(mean_f.square()).add_(c1).mul_((variance_s + variance_f).add_(c2))
    return numerator.div_(denominator)


def _ssim_of_pair(source: Tensor, fused: Tensor, window: Window, data_range: float) -> Tensor:
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ssim_map(source, fused, window, c1, c2).mean(dim=(1, 2))


@metric_of_triple(at_least=11)
def ssim(
    fused: Tensor,
    visible: Tensor,
    infrared: Tensor,
    *,
    window: Window = "gauss11_valid",
    data_range: float = 255.0,
    pooling: Literal["sum", "mean"] = "sum",
) -> Tensor:
    """SSIM(infrared, F) + SSIM(visible, F), each the mean of the map of local structural similarity.

    The map is (2 mx my + C1)(2 cxy + C2) / ((mx^2 + my^2 + C1)(vx + vy + C2)), C1 = (0.01 L)^2, C2 = (0.03 L)^2,
    L = `data_range` (Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Trans. Image Processing 13(4), 2004).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 11.
        visible: like `fused`.
        infrared: like `fused`.
        window: an 11x11 Gaussian of sigma 1.5 where it fits ("valid"), or on all pixels of the image continued by
            reflection or replication; or a 7x7 box with sample moments.
        data_range: L. Some fusion codes leave it at 1 or 2 although their images are 0..255.
        pooling: sum or mean over the two sources.

    Returns:
        (B,) values in [-2, 2], or [-1, 1] for the mean.
    """
    total = _ssim_of_pair(infrared, fused, window, data_range) + _ssim_of_pair(visible, fused, window, data_range)
    return total if pooling == "sum" else total / 2
