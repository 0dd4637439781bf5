"""Differentiable forms of two fusion metrics, Qabf and VIFF, as terms of the training objective.

The metrics themselves (`dream_if.metrics`) are defined on whole grey levels, with steps, absolute values and divisions
by values that may be zero: their gradients vanish or explode. These forms agree with them to a few hundredths on
photographs, and have a gradient everywhere. The metric no longer judges a network trained on them independently; say so
wherever its scores are reported.

Images are (B, 1, H, W) in [0, 1].
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dream_if.errors import InputError

__all__ = ["qabf_loss", "sobel", "viff_loss"]

SMALL = 1e-3  # an edge strength far below a grey level's, so that its root has a gradient where there is no edge
WINDOWS = (17, 9, 5, 3)  # sides of VIFF's Gaussians by scale; sigma is a fifth
SCALE_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
NEURAL_NOISE = 0.005  # variance, for images in [0, 1]
ROUNDING = 1e-6  # variance; a fifteenth of a grey level squared, far above what float32 loses
SMALLEST = 41  # pixels; VIFF's fourth scale has no place below


def sobel(image: Tensor) -> Tensor:
    """Signed Sobel derivatives along x and y, borders replicated. (B, 1, H, W) -> (B, 2, H, W)."""
    smooth, difference = image.new_tensor([1.0, 2.0, 1.0]), image.new_tensor([-1.0, 0.0, 1.0])
    along_x = torch.outer(smooth, difference)
    kernels = torch.stack([along_x, along_x.T]).unsqueeze(1)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernels)


def qabf_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """One minus Qabf over its highest value: the share of edges lost (Xydeas and Petrovic 2000). All (B, 1, H, W).

    The angle between two edges comes from their cross and dot product instead of a difference of arctangents, and an
    edge counts from `SMALL` up.

    Returns:
        () in [0, 1], mean over images.
    """
    of_fused = sobel(fused)
    kept, weight = fused.new_zeros(len(fused)), fused.new_zeros(len(fused))
    for source in (visible, infrared):
        edges = sobel(source)
        strength = _strength(edges)
        kept = kept + (_preserved(edges, of_fused) * strength).sum(dim=(1, 2, 3))
        weight = weight + strength.sum(dim=(1, 2, 3))
    return 1 - (kept / weight).mean()


def _strength(edges: Tensor) -> Tensor:
    """Length of (B, 2, H, W) derivatives, (B, 1, H, W), at least `SMALL`."""
    return (edges.square().sum(dim=1, keepdim=True) + SMALL**2).sqrt()


def _preserved(source: Tensor, fused: Tensor) -> Tensor:
    """Share of an edge that is kept in strength and direction, 1 where both are equal. (B, 2, H, W) -> (B, 1, H, W)."""
    first, second = _strength(source), _strength(fused)
    relative = torch.minimum(first, second) / torch.maximum(first, second)
    dot = (source * fused).sum(dim=1, keepdim=True)
    cross = source[:, :1] * fused[:, 1:] - source[:, 1:] * fused[:, :1]
    tiny = SMALL**2  # both are products of strengths
    aligned = 1 - torch.atan2(cross.abs() + tiny, dot.abs() + tiny) * (2 / math.pi)
    kept = torch.sigmoid(15 * (relative - 0.5)) * torch.sigmoid(22 * (aligned - 0.8))
    return kept / (_sigmoid(15 * 0.5) * _sigmoid(22 * 0.2))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def viff_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """One minus VIFF, but no reward above 1: the share of information lost (Han et al. 2013). All (B, 1, H, W).

    VIFF exceeds 1 where contrast is higher than in the sources. That is no aim in itself, so the loss stops at 0.

    Returns:
        () in [0, 1], mean over images.

    Raises:
        InputError: a side is below 41 pixels.
    """
    if min(fused.shape[-2:]) < SMALLEST:
        raise InputError(
            f"The loss of VIFF needs images of at least {SMALLEST} x {SMALLEST} pixels, got {tuple(fused.shape[-2:])}: "
            "enlarge data.crop, or set the weight viff to 0."
        )
    planes = torch.cat([fused, visible, infrared], dim=1)
    planes = planes - planes.mean(dim=(2, 3), keepdim=True)  # so that variances lose no digits
    kept_share = fused.new_zeros(len(fused))
    for size, weight in zip(WINDOWS, SCALE_WEIGHTS, strict=True):
        if size != WINDOWS[0]:
            planes = _average(planes, size, stride=2)
        if weight:
            kept, available = _information(planes, size)
            floor = 1e-7 * kept[0].numel()
            kept_share = kept_share + weight * (kept.sum(dim=(1, 2, 3)) + floor) / (
                available.sum(dim=(1, 2, 3)) + floor
            )
    return (1 - kept_share).clamp(min=0).mean()


def _information(planes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Information kept and available at every position of one scale, from the source whose gain is smaller.

    Args:
        planes: (B, 3, H, W), fused, visible and infrared.
        size: of the window.
    """
    products = torch.cat([planes, planes.square(), planes[:, :1] * planes[:, 1:]], dim=1)
    means, squares, crossed = torch.split(_average(products, size), [3, 3, 2], dim=1)
    variances = (squares - means.square()).clamp(min=0)
    of_fused, of_sources = variances[:, :1], variances[:, 1:]
    covariances = crossed - means[:, :1] * means[:, 1:]
    gains = (covariances / (of_sources + ROUNDING)).clamp(min=0)
    noises = (of_fused - gains * covariances).clamp(min=1e-9)
    place = gains.argmin(dim=1, keepdim=True)
    gain, noise, variance = (values.gather(1, place) for values in (gains, noises, of_sources))
    kept = torch.log1p(gain.square() * variance / (noise + NEURAL_NOISE))
    return kept, torch.log1p(variance / NEURAL_NOISE)


def _average(planes: Tensor, size: int, stride: int = 1) -> Tensor:
    """Gaussian means where the window fits, of every plane. (B, C, H, W) -> (B, C, h, w)."""
    channels = planes.shape[1]
    taps = planes.new_tensor(_window(size))
    rows = F.conv2d(planes, taps.expand(channels, 1, 1, -1), stride=(1, stride), groups=channels)
    return F.conv2d(rows, taps.view(-1, 1).expand(channels, 1, -1, 1), stride=(stride, 1), groups=channels)


def _window(size: int) -> Sequence[float]:
    offsets = [place - size // 2 for place in range(size)]
    taps = [math.exp(-(offset**2) / (2 * (size / 5) ** 2)) for offset in offsets]
    return [tap / sum(taps) for tap in taps]
