"""Metric classes of learned perceptual distance."""

import math
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from dream_if.metrics import functional as F
from dream_if.metrics.base import DEFAULT_CONVENTION, FusionMetric, published
from dream_if.metrics.functional.learned import load_lpips_weights
from dream_if.metrics.levels import quantise

__all__ = ["LPIPS", "LPIPSInfrared", "LPIPSVisible"]


class LPIPS(FusionMetric):
    """LPIPS (AlexNet, version 0.1) of the fused image against its sources, the mean of the two; in colour.

    Needs AlexNet weights: a file, the torch cache, or a download. Undefined for images with a side below 31.

    Args:
        convention: a key of `conventions`.
        per_image: as for `FusionMetric`.
        weights: a `.safetensors` file or torch checkpoint with AlexNet's `features`; None takes the torch cache, or
            downloads.
        **kwargs: for `torchmetrics.Metric`.

    Raises:
        InputError: if there are no weights.

    Example:
        >>> import torch
        >>> metric = LPIPS(weights="alexnet.safetensors")  # doctest: +SKIP
        >>> visible, infrared = torch.rand(4, 3, 64, 64), torch.rand(4, 1, 64, 64)
        >>> metric.update((visible + infrared) / 2, visible, infrared)  # doctest: +SKIP
        >>> distance = metric.compute()  # doctest: +SKIP
    """

    symbol = "LPIPS"
    higher_is_better = False
    bounds = (0.0, math.inf)
    formula = "mean over the sources of the weighted squared distance of unit-length AlexNet features"
    citation = "Zhang, Isola, Efros, Shechtman and Wang, CVPR 2018"
    conventions = published()
    function = staticmethod(F.lpips)
    references: ClassVar[tuple[str, ...]] = ("visible", "infrared")

    def __init__(
        self,
        convention: str = DEFAULT_CONVENTION,
        per_image: bool = False,
        weights: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(convention, per_image, **kwargs)
        load_lpips_weights(weights, "cpu")
        self.weights = weights

    def score(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
        """One value per image, (B,), for arguments as those of `update`."""
        sources = {"visible": visible, "infrared": infrared}
        distances = [
            F.lpips(quantise(fused), quantise(sources[name]), weights=self.weights) for name in self.references
        ]
        return torch.stack(distances).mean(0)


class LPIPSVisible(LPIPS):
    """LPIPS against the visible source only; arguments as for `LPIPS`."""

    symbol = "LPIPS_visible"
    formula = "weighted squared distance of unit-length AlexNet features from the visible source"
    references = ("visible",)


class LPIPSInfrared(LPIPS):
    """LPIPS against the infrared source only; arguments as for `LPIPS`."""

    symbol = "LPIPS_infrared"
    formula = "weighted squared distance of unit-length AlexNet features from the infrared source"
    references = ("infrared",)
