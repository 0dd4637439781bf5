"""Similarity weighted by local saliency: the indices of Piella and Heijmans, and of Yang et al."""

from typing import Literal

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import centred_plane, filter_valid, pad
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share
from dream_if.metrics.functional.structure import local_covariance, local_moments

__all__ = ["piella_q", "piella_qe", "piella_qw"]

Form = Literal["ssim", "universal"]

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
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


@share
def _ssim_map(source: Tensor, fused: Tensor) -> Tensor:
    (mean_s, variance_s), (mean_f, variance_f) = (local_moments(plane, "gauss11_valid") for plane in (source, fused))
    covariance = local_covariance(source, fused, "gauss11_valid")
    luminance = (2 * mean_s * mean_f + _C1) / (mean_s.square() + mean_f.square() + _C1)
    return luminance * (2 * covariance + _C2) / (variance_s + variance_f + _C2)


def _saliency(plane: Tensor, form: Form) -> Tensor:
    return _box_moments(plane)[1] if form == "universal" else local_moments(plane, "gauss11_valid")[1]


def _pooled(fused: Tensor, visible: Tensor, infrared: Tensor, form: Form, weighted: bool) -> Tensor:
    """Mean over windows of the similarities blended by the sources' saliencies, if wanted weighted by the larger."""
    similarity = _universal_index if form == "universal" else _ssim_map
    of_infrared, of_visible = _saliency(infrared, form), _saliency(visible, form)
    flat = of_infrared + of_visible == 0
    share_of_infrared = torch.where(flat, 0.5, of_infrared / (of_infrared + of_visible))
    blend = share_of_infrared * similarity(infrared, fused) + (1 - share_of_infrared) * similarity(visible, fused)
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
    return _pooled(fused, visible, infrared, form, weighted=False)


@metric_of_triple(at_least=11)
def piella_qw(fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Form = "ssim") -> Tensor:
    return _pooled(fused, visible, infrared, form, weighted=True)


@metric_of_triple(at_least=11)
def piella_qe(
    fused: Tensor, visible: Tensor, infrared: Tensor, *, form: Form = "ssim", image_term: Literal["Qw", "Q"] = "Qw"
) -> Tensor:
    of_image = _pooled(fused, visible, infrared, form, weighted=image_term == "Qw")
    return of_image * _pooled(_edges(fused), _edges(visible), _edges(infrared), form, weighted=True)
