"""Does work that several metrics of one batch share only once."""

import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from torch import Tensor

__all__ = ["share", "shared_work"]

P = ParamSpec("P")
R = TypeVar("R")

_results: ContextVar[dict[Hashable, tuple[Any, Any]] | None] = ContextVar("dream_if_shared_metric_work", default=None)


@contextmanager
def shared_work() -> Iterator[None]:
    """Inside this block, functions marked with `share` remember their results for the same tensor objects.

    Luminance planes, histograms, Sobel responses and local moments are then computed once for a whole set of metrics.
    Everything remembered is dropped when the outermost block ends. The tensors must not be changed inside the block.

    Example:
        >>> import torch
        >>> from dream_if.metrics import functional as F
        >>> fused, visible, infrared = torch.randint(0, 256, (3, 1, 48, 48)).double()
        >>> with shared_work():  # the Gaussian pyramids are built once
        ...     sum_of_vifp, han = F.vif(fused, visible, infrared), F.viff(fused, visible, infrared)
    """
    if _results.get() is not None:
        yield
        return
    token = _results.set({})
    try:
        yield
    finally:
        _results.reset(token)


def share(function: Callable[P, R]) -> Callable[P, R]:
    """Let `shared_work` remember the results of a pure function of tensors (positional) and hashable values."""

    @functools.wraps(function)
    def remembered(*args: P.args, **kwargs: P.kwargs) -> R:
        results = _results.get()
        if results is None:
            return function(*args, **kwargs)
        identity = tuple(id(arg) if isinstance(arg, Tensor) else arg for arg in args)
        key = (function, identity, tuple(sorted(kwargs.items())))
        if key not in results:
            # The arguments are kept with the result: an id is unique only while its object lives.
            results[key] = (args, function(*args, **kwargs))
        value: R = results[key][1]
        return value

    return remembered
