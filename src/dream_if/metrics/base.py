"""`FusionMetric`, the base of all metric classes: states, conventions and the treatment of undefined images."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from dream_if.errors import InputError
from dream_if.metrics.functional._planes import DEVICES_WITHOUT_FLOAT64
from dream_if.metrics.functional._sharing import shared_work
from dream_if.metrics.levels import check_triple, luminance

__all__ = ["DEFAULT_CONVENTION", "FusionMetric", "published"]

Conventions = Mapping[str, Mapping[str, Any]]

DEFAULT_CONVENTION = "dream_if"


def published(default: Mapping[str, Any] | None = None, /, **codes: Mapping[str, Any]) -> Conventions:
    """The conventions of a metric: options of its function by default, and those of published codes.

    An empty mapping says that a published code computes the metric as we do by default.
    """
    return {DEFAULT_CONVENTION: default or {}, **codes}


class FusionMetric(Metric):
    """A metric of fused images against their sources: the mean over images for which it is defined.

    `update(fused, visible, infrared)` takes float images in [0, 1]: fused and visible (B, 3, H, W) or (B, 1, H, W),
    infrared (B, 1, H, W). They are turned into the grey levels 0..255 of saved 8-bit files first (`levels.luminance`).

    An image without a finite value (see the class's docstring) is counted in `undefined` and left out of the mean;
    `compute` warns with the count, and gives NaN if nothing is left.

    A metric of your own needs `symbol`, `higher_is_better`, and either `score` or `function`; `register_metric` or its
    path, ``package.module.Class``, makes it known.

    Attributes:
        symbol: the name in tables.
        bounds: the lowest and highest possible value.
        unit: "" for a pure number.
        formula: the definition in words.
        citation: where it was defined.
        conventions: for each named convention the options of the function; the default is "dream_if", the others are
            what published evaluation codes do.

    Args:
        convention: a key of `conventions`.
        per_image: keep one value per image and return them all, (N,), instead of their mean. With several processes
            the order is rank by rank.
        **kwargs: for `torchmetrics.Metric`.

    Raises:
        ValueError: for a convention that the metric does not have, images of unequal sizes, or images that are not in
            [0, 1], such as grey levels of 0..255.
        TypeError: for images that are not floating-point.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better: bool

    symbol: ClassVar[str]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    unit: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    conventions: ClassVar[Conventions] = {DEFAULT_CONVENTION: {}}
    function: ClassVar[Callable[..., Tensor]]
    needs_sources: ClassVar[bool] = True

    total: Tensor
    defined: Tensor
    undefined: Tensor
    values: list[Tensor]

    def __init__(self, convention: str = DEFAULT_CONVENTION, per_image: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if convention not in self.conventions:
            known = ", ".join(self.conventions)
            raise InputError(f"{self.symbol} has no convention {convention!r}; it has {known}")
        self.convention = convention
        self.options: dict[str, Any] = dict(self.conventions[convention])
        self.per_image = per_image
        if per_image:
            self.add_state("values", default=[], dist_reduce_fx="cat")
        else:
            self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state("defined", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
            self.add_state("undefined", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def score(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
        """One value per image, (B,), for arguments as those of `update`."""
        planes = (fused, visible, infrared) if self.needs_sources else (fused,)
        return type(self).function(*(luminance(image) for image in planes), **self.options)

    def update(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> None:
        """Add a batch; shapes and ranges are in the class's docstring."""
        with shared_work(), torch.autocast(fused.device.type, enabled=False):
            check_triple(fused, visible, infrared)
            values = self.score(fused, visible, infrared)
        if self.per_image:
            self.values.append(values)
            return
        finite = values.isfinite()
        self.total += torch.where(finite, values, 0).sum()
        self.defined += finite.sum()
        self.undefined += (~finite).sum()

    def compute(self) -> Tensor:
        """The mean over defined images, () float64 and NaN without any; or all values, (N,), with `per_image`."""
        if self.per_image:
            if len(self.values) == 0:
                return torch.empty(0, dtype=torch.float64, device=self.device)
            return dim_zero_cat(self.values)  # a list, or after the exchange between processes a tensor
        if self.undefined > 0:
            count, left = int(self.undefined), int(self.defined)
            total = count + left
            warnings.warn(
                f"{self.symbol} is undefined for {count} of {total} images; the mean is over {left}", stacklevel=2
            )
        return self.total / self.defined

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Any = "") -> "FusionMetric":
        """Move the states; a device without float64 gets a float32 sum, because moving float64 there raises."""
        if not self.per_image and fn(torch.empty(0)).device.type in DEVICES_WITHOUT_FLOAT64:
            self.total = self.total.float()
            self._defaults["total"] = torch.zeros((), dtype=torch.float32)
        super()._apply(fn, exclude_state)
        return self
