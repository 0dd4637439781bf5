"""SSIM over several scales: MS-SSIM of Wang et al., and MEF-SSIM of Ma et al."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._filters import centred_plane, filter_valid, gaussian_window
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share
from dream_if.metrics.functional.structure import local_covariance, local_moments

__all__ = ["mef_ssim", "ms_ssim"]

_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_GAUSS11 = gaussian_window(11, 1.5)
_BOX11 = (1 / 11,) * 11
_EPSILON = 2.0**-52


@share
def _halved(plane: Tensor) -> Tensor:
    """2 x 2 means; a side of odd length gets a line of zeros on both ends first, which count in the mean."""
    height, width = plane.shape[1:]
    return nnf.avg_pool2d(plane, kernel_size=2, padding=(height % 2, width % 2))


def _ms_ssim_of_pair(source: Tensor, fused: Tensor, data_range: float) -> Tensor:
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    product = torch.ones_like(fused[:, 0, 0])
    for scale, exponent in enumerate(_EXPONENTS):
        if scale > 0:
            source, fused = _halved(source), _halved(fused)
        mean_s, variance_s = local_moments(source, "gauss11_valid")
        mean_f, variance_f = local_moments(fused, "gauss11_valid")
        quality = (2 * local_covariance(source, fused, "gauss11_valid") + c2) / (variance_s + variance_f + c2)
        if scale == len(_EXPONENTS) - 1:
            quality = quality * (2 * mean_s * mean_f + c1) / (mean_s.square() + mean_f.square() + c1)
        product = product * quality.mean(dim=(1, 2)).clamp_(min=0) ** exponent
    return product


@metric_of_triple(at_least=161)
def ms_ssim(fused: Tensor, visible: Tensor, infrared: Tensor, *, data_range: float = 255.0) -> Tensor:
    """MS-SSIM(infrared, F) + MS-SSIM(visible, F): products over five scales of mean contrast-structure and SSIM.

    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003. The
    treatment of sides of odd length (zero padding before halving) is a convention; others differ by 1 % and more on
    small images. Sides divisible by 16 do not depend on it.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W > 160.
        visible: like `fused`.
        infrared: like `fused`.
        data_range: L as in `ssim`.

    Returns:
        (B,) values in [0, 2].
    """
    return _ms_ssim_of_pair(infrared, fused, data_range) + _ms_ssim_of_pair(visible, fused, data_range)


def _covariance(first: Tensor, second: Tensor, window: tuple[float, ...]) -> Tensor:
    product = filter_valid(first * second, window)
    return product.sub_(filter_valid(first, window).mul_(filter_valid(second, window)))


def _desired_patch(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The patch a fused image should hold is a combination of the two mean-removed patches: its two factors.

    Their directions are blended by strength, the more the less they agree, and the blend gets the larger norm of the
    two. All patches are 11 x 11; (B, H, W) to two (B, H - 10, W - 10).
    """
    spread, other_spread, joint = (
        121 * _covariance(a, b, _BOX11) for a, b in ((first, first), (second, second), (first, second))
    )
    norm, other_norm, of_sum = (
        squared.clamp(min=0).sqrt() for squared in (spread, other_spread, spread + other_spread + 2 * joint)
    )
    agreement = (of_sum + _EPSILON) / (norm + other_norm + _EPSILON)
    norm, other_norm = norm + 0.001, other_norm + 0.001
    power = torch.tan(agreement.clamp_(max=1 - _EPSILON) * (math.pi / 2)).clamp_(max=10)
    weight, other_weight = (norm / 11) ** power + _EPSILON, (other_norm / 11) ** power + _EPSILON
    total = weight + other_weight
    factor, other_factor = weight / total / norm, other_weight / total / other_norm
    blend = factor.square() * spread + other_factor.square() * other_spread + 2 * factor * other_factor * joint
    rescale = torch.maximum(norm, other_norm) / blend.clamp_(min=0).sqrt_()
    rescale = torch.where(blend > 0, rescale, 0)
    return factor * rescale, other_factor * rescale


def _mef_scale(fused: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity of F with the desired patches, mean over positions: (B,)."""
    factor, other_factor = _desired_patch(first, second)
    v_first, v_second, v_fused = (_covariance(plane, plane, _GAUSS11) for plane in (first, second, fused))
    between = _covariance(first, second, _GAUSS11)
    v_desired = factor.square() * v_first + other_factor.square() * v_second + 2 * factor * other_factor * between
    covariance = factor * _covariance(first, fused, _GAUSS11) + other_factor * _covariance(second, fused, _GAUSS11)
    constant = (0.03 * 255) ** 2
    return ((2 * covariance + constant) / (v_desired + v_fused + constant)).mean(dim=(1, 2))


def _decimated(plane: Tensor) -> Tensor:
    """2 x 2 means; the last line of a side of odd length is repeated."""
    height, width = plane.shape[1:]
    return nnf.avg_pool2d(nnf.pad(plane, (0, width % 2, 0, height % 2), mode="replicate"), kernel_size=2)


@metric_of_triple(at_least=41)
def mef_ssim(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """MEF-SSIM: structural similarity of each 11 x 11 patch with the patch that keeps most of both sources.

    Ma, Zeng and Wang, "Perceptual quality assessment for multi-exposure image fusion", IEEE Trans. Image Processing
    24(11), 2015, with three scales, exponents 0.0448, 0.2856, 0.3001 over their sum, and no luminance term.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 41.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [-1, 1]; NaN where a scale's mean similarity is negative.
    """
    fused, infrared, visible = (centred_plane(plane)[0] for plane in (fused, infrared, visible))
    product = torch.ones_like(fused[:, 0, 0])
    for scale, exponent in enumerate(_EXPONENTS[:3]):
        if scale > 0:
            fused, infrared, visible = _decimated(fused), _decimated(infrared), _decimated(visible)
        product = product * _mef_scale(fused, infrared, visible) ** (exponent / sum(_EXPONENTS[:3]))
    return product
