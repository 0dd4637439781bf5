"""What every metric function does with its arguments before the arithmetic starts."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from dream_if.metrics.functional._sharing import share

__all__ = ["DEVICES_WITHOUT_FLOAT64", "metric_of_fused", "metric_of_triple", "working_dtype"]

Function = TypeVar("Function", bound=Callable[..., Tensor])

DEVICES_WITHOUT_FLOAT64 = {"mps"}


def working_dtype(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device that has nothing wider.

    Most definitions subtract nearly equal numbers (E[x^2] - E[x]^2) or compare for equality, so the precision belongs
    to the definition. It also keeps autocast and TF32 out of the arithmetic.
    """
    return torch.float32 if device.type in DEVICES_WITHOUT_FLOAT64 else torch.float64


@share
def _plane(image: Tensor) -> Tensor:
    """(B, 1, H, W) or (B, H, W) of any dtype to (B, H, W) in the working dtype.

    Raises:
        TypeError: if it is no tensor.
        ValueError: for any other shape, or an empty image.
    """
    if not isinstance(image, Tensor):
        raise TypeError(f"expected a tensor, got {type(image).__name__}")
    if image.ndim == 4 and image.shape[1] == 1:
        image = image[:, 0]
    if image.ndim != 3 or 0 in image.shape[1:]:
        raise ValueError(f"expected grey images of shape (B, 1, H, W) or (B, H, W), got {tuple(image.shape)}")
    return image.to(working_dtype(image.device))


@share
def _is_finite(plane: Tensor) -> Tensor:
    # A sum is finite if all its terms are, and far cheaper than a mask of the image.
    return plane.sum(dim=(1, 2)).isfinite()


def _evaluate(function: Callable[..., Tensor], planes: tuple[Tensor, ...], at_least: int) -> Tensor:
    first = planes[0]
    if first.shape[0] == 0 or min(first.shape[1:]) < at_least:
        return first.new_full((first.shape[0],), torch.nan)
    with torch.autocast(first.device.type, enabled=False):
        values = function(*planes)
    for plane in planes:
        values = torch.where(_is_finite(plane), values, torch.nan)
    return values


def metric_of_fused(at_least: int = 1) -> Callable[[Function], Function]:
    """Make a public metric of a function of one (B, H, W) plane in the working dtype.

    Args:
        at_least: the smallest side for which the definition has a value; smaller images give NaN, and so does an
            image with a NaN or an infinity in it.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def metric(fused: Tensor, **options: Any) -> Tensor:
            return _evaluate(functools.partial(function, **options), (_plane(fused),), at_least)

        return cast(Function, metric)

    return decorate


def metric_of_triple(at_least: int = 1) -> Callable[[Function], Function]:
    """Make a public metric of a function of three (B, H, W) planes: fused, visible, infrared.

    Args:
        at_least: as in `metric_of_fused`.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def metric(fused: Tensor, visible: Tensor, infrared: Tensor, **options: Any) -> Tensor:
            planes = (_plane(fused), _plane(visible), _plane(infrared))
            if not planes[0].shape == planes[1].shape == planes[2].shape:
                names = ("fused", "visible", "infrared")
                shapes = ", ".join(f"{name} {tuple(p.shape)}" for name, p in zip(names, planes, strict=True))
                raise ValueError(f"fused and sources must have one size and number, got {shapes} as (B, H, W)")
            return _evaluate(functools.partial(function, **options), planes, at_least)

        return cast(Function, metric)

    return decorate
