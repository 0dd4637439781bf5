"""Metrics of what people see first in a fused image: grey skies, grain in smooth areas, lost highlights and shadows."""

import torch
from torch import Tensor

from dream_if.metrics.functional._filters import filter_valid
from dream_if.metrics.functional._planes import metric_of_triple
from dream_if.metrics.functional._sharing import share

__all__ = ["clipping", "dimming", "flat_noise"]

SIDE = 9  # pixels of the window that is flat or not
FLAT = 4.0  # levels of standard deviation within it, at most
BRIGHT, DIMMED = 200.0, 40.0  # levels: of the visible source at least, and that are lost at least
LEAST = 0.005  # share of the image that has to be flat: fewer pixels say nothing


def _mean(plane: Tensor) -> Tensor:
    """Over each window that lies within the image: (B, H, W) -> (B, H - 8, W - 8)."""
    return filter_valid(plane, (1 / SIDE,) * SIDE)


@share
def _variance(plane: Tensor) -> Tensor:
    """Of each window, as `_mean`."""
    return (_mean(plane.square()) - _mean(plane).square()).clamp_min(0)


def _both_flat(visible: Tensor, infrared: Tensor) -> Tensor:
    return torch.maximum(_variance(visible), _variance(infrared)) <= FLAT**2


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean of (B, H, W) values where told, (B,); NaN where that is less than `LEAST` of the image."""
    share_of_image = where.double().mean(dim=(1, 2))
    mean = (values * where).sum(dim=(1, 2)) / where.sum(dim=(1, 2))
    return torch.where(share_of_image >= LEAST, mean, torch.nan)


@metric_of_triple(at_least=SIDE)
def dimming(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Share of the bright, smooth areas of the visible source, such as skies, that fusion turned grey.

    Counted are pixels with 200 levels or more in the visible source around which both sources are flat: a standard
    deviation of at most 4 levels in a 9x9 window. Such a pixel is dimmed where F lies more than 40 levels below.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`; clean.
        infrared: like `fused`; clean.

    Returns:
        (B,) values in [0, 100], in percent; NaN where less than 0.5 % of the image is bright and flat.
    """
    middle = slice(SIDE // 2, -(SIDE // 2))
    before, after = visible[:, middle, middle], fused[:, middle, middle]
    return 100 * _mean_where(
        (before - after > DIMMED).to(fused.dtype), (before >= BRIGHT) & _both_flat(visible, infrared)
    )


@metric_of_triple(at_least=SIDE)
def flat_noise(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Grain and strokes that fusion leaves where there is nothing: the deviation of F where both sources are flat.

    The root of the mean variance of F in those 9x9 windows in which neither source deviates by more than 4 levels.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255; fused from noisy sources, or from clean ones to compare with.
        visible: like `fused`; clean.
        infrared: like `fused`; clean.

    Returns:
        (B,) values in [0, 127.5], in levels; NaN where less than 0.5 % of the image is flat.
    """
    return _mean_where(_variance(fused), _both_flat(visible, infrared)).sqrt()


@metric_of_triple()
def clipping(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Share of pixels that are black or white in F though no source is: detail that is gone for good.

    Args:
        fused: (B, 1, H, W) or (B, H, W), levels 0..255.
        visible: like `fused`.
        infrared: like `fused`.

    Returns:
        (B,) values in [0, 100], in percent.
    """
    lowest, highest = torch.minimum(visible, infrared), torch.maximum(visible, infrared)
    lost = ((fused <= 0) & (lowest > 0)) | ((fused >= 255) & (highest < 255))
    return 100 * lost.to(fused.dtype).mean(dim=(1, 2))
