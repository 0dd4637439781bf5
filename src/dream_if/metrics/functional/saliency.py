"""Similarity weighted by local saliency: the indices of Piella and Heijmans, and of Yang et al."""

from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

from dream_if.metrics.functional._filters import filter_valid, pad
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share
from dream_if.metrics.functional.structure import Window, local_covariance, local_moments, ssim_map

__all__ = ["piella_q", "piella_qe", "piella_qw", "yang_qy"]

Form = Literal["ssim", "universal"]

_YANG = 2e-16
_BOX8 = (1.0,) * 8


@share
def _box_moments(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sample variance in every 8 x 8 window."""
    mean = filter_valid(plane, _BOX8) / 64
    return mean, (filter_valid(plane.square(), _BOX8) / 64 - mean.square()) * (64 / 63)


@share
def _universal_index(source: Tensor, fused: Tensor) -> Tensor:
    """Wang and Bovik's universal quality index in every 8 x 8 window, with their rules for flat windows."""
    (mean_s, variance_s), (mean_f, variance_f) = _box_moments(source), _box_moments(fused)
    covariance = (filter_valid(source * fused, _BOX8) / 64 - mean_s * mean_f) * (64 / 63)
    means, variances = mean_s.square() + mean_f.square(), variance_s + variance_f
    index = 4 * covariance * mean_s * mean_f / (means * variances)
    index = torch.where(variances == 0, 2 * mean_s * mean_f / means, index)
    return torch.where(means == 0, 1.0, index)


def _similarity(source: Tensor, fused: Tensor, form: Form) -> Tensor:
    if form == "universal":
        return _universal_index(source, fused)
    return ssim_map(source, fused, "gauss11_valid", (0.01 * 255) ** 2, (0.03 * 255) ** 2)


@share
def _without_noise(plane: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Moments of Gaussian windows, with variances 0 where the window is flat.

    One level in one corner of an 11 x 11 window is a variance of 1e-6; what lies far below is the rounding of float64.
    Left as it is, it would decide which source counts.
    """
    mean, variance = local_moments(plane, window)
    return mean, nnf.threshold(variance, 1e-8, 0)


def _saliency(plane: Tensor, form: Form) -> Tensor:
    return _box_moments(plane)[1] if form == "universal" else _without_noise(plane, "gauss11_valid")[1]


def _pooled(fused: Tensor, visible: Tensor, infrared: Tensor, form: Form, weighted: bool) -> Tensor:
    """Mean over windows of the similarities blended by the sources' saliencies, if wanted weighted by the larger."""
    of_infrared, of_visible = _saliency(infrared, form), _saliency(visible, form)
    flat = of_infrared + of_visible == 0
    share_of_infrared = torch.where(flat, 0.5, of_infrared / (of_infrared + of_visible))
    blend = share_of_infrared * _similarity(infrared, fused, form) + (1 - share_of_infrared) * _similarity(
        visible, fused, form
    )
    if not weighted:
        return blend.mean(dim=(1, 2))
    weight = torch.maximum(of_infrared, of_visible)
    if form == "ssim":
        weight = torch.where(flat, 0.5, weight)
    return (blend * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


@share
def _edges(plane: Tensor) -> Tensor:
    """Prewitt magnitude with zero padding."""
    padded = pad(plane, 1, "zero")
    across, down = padded[:, :, :-2] - padded[:, :, 2:], padded[:, :-2] - padded[:, 2:]
    return torch.hypot(
        across[:, :-2] + across[:, 1:-1] + across[:, 2:], down[:, :, :-2] + down[:, :, 1:-1] + down[:, :, 2:]
    )


@metric_of_triple(at_least=11)
def piella_q(fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Form = "ssim") -> Tensor:
    """Q = mean over windows of lam Q0(infrared, F) + (1 - lam) Q0(visible, F), lam the infrared share of saliency.

    Saliency is the local variance (Piella and Heijmans, "A new quality metric for image fusion", ICIP 2003).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 11.
        visible: like `fused`.
        infrared: like `fused`.
        form: the local similarity and its windows. "ssim" is the code of Liu et al. (IEEE Trans. PAMI 34(1), 2012):
            SSIM in 11 x 11 Gaussian windows, and saliency 0.5 where a window is flat in both sources. "universal" is
            the original: Wang and Bovik's index in 8 x 8 windows.

    Returns:
        (B,) values in [-1, 1].
    """
    return _pooled(fused, visible, infrared, form, weighted=False)


@metric_of_triple(at_least=11)
def piella_qw(fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Form = "ssim") -> Tensor:
    """Qw, as Q (see `piella_q`), with windows weighted by the larger of the two saliencies.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 11.
        visible: like `fused`.
        infrared: like `fused`.
        form: as in `piella_q`.

    Returns:
        (B,) values in [-1, 1]; NaN for "universal" where no window has any variance.
    """
    return _pooled(fused, visible, infrared, form, weighted=True)


@metric_of_triple(at_least=11)
def piella_qe(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Form = "ssim", image_term: Literal["Qw", "Q"] = "Qw"
) -> Tensor:
    """Qe = Qw of the images times Qw of their Prewitt edge images (see `piella_q`).

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 11.
        visible: like `fused`.
        infrared: like `fused`.
        form: as in `piella_q`.
        image_term: "Q" multiplies the unweighted Q, which the code of Liu et al. evidently means.

    Returns:
        (B,) values in [-1, 1].
    """
    of_image = _pooled(fused, visible, infrared, form, weighted=image_term == "Qw")
    return of_image * _pooled(_edges(fused), _edges(visible), _edges(infrared), form, weighted=True)


@share
def _yang_similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM with (almost) no constants, where a flat window resembles nothing but a flat window."""
    (mean_first, variance_first), (mean_second, variance_second) = (
        _without_noise(plane, "gauss7_valid") for plane in (first, second)
    )
    covariance = local_covariance(first, second, "gauss7_valid")
    covariance = torch.where((variance_first == 0) | (variance_second == 0), 0, covariance)
    luminance = (2 * mean_first * mean_second + _YANG) / (mean_first.square() + mean_second.square() + _YANG)
    return luminance * (2 * covariance + _YANG) / (variance_first + variance_second + _YANG)


@metric_of_triple(at_least=7)
def yang_qy(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Qy, mean over windows of the blended similarity where the sources agree, of the larger one where they do not.

    Agree is SSIM(infrared, visible) >= 0.75 in 7 x 7 Gaussian windows; the blend is by local variance (Yang, Zhang,
    Wang and Li, "A novel similarity based quality metric for image fusion", Information Fusion 9(2), 2008). Windows
    that are flat have variance 0 here, not rounding noise, and windows flat in both sources are blended equally.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; H, W >= 7.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [-1, 1].
    """
    between, of_infrared, of_visible = (
        _yang_similarity(*pair) for pair in ((infrared, visible), (infrared, fused), (visible, fused))
    )
    salient, other_salient = (_without_noise(source, "gauss7_valid")[1] for source in (infrared, visible))
    flat = salient + other_salient == 0
    share_of_infrared = torch.where(flat, 0.5, salient / (salient + other_salient))
    blend = share_of_infrared * of_infrared + (1 - share_of_infrared) * of_visible
    return torch.where(between >= 0.75, blend, torch.maximum(of_infrared, of_visible)).mean(dim=(1, 2))
