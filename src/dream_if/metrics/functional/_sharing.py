"""Does work that several metrics of one batch share only once."""

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from torch import Tensor

__all__ = ["KeptWork", "share", "shared_work"]

P = ParamSpec("P")
R = TypeVar("R")

_results: ContextVar[dict[Hashable, tuple[Any, Any]] | None] = ContextVar("dream_if_shared_metric_work", default=None)


class KeptWork:
    """What `shared_work` keeps from one block to the next: the work that depends on the sources alone.

    Scoring many fused images of one pair then computes the sources' share once. It is kept until there are other
    sources, or `forget`; until then the sources must not be changed. For scoring alone, not for gradients.

    Example:
        >>> import torch
        >>> from dream_if.metrics import functional as F
        >>> kept, (visible, infrared) = KeptWork(), torch.randint(0, 256, (2, 1, 48, 48)).double()
        >>> for fused in (visible, (visible + infrared) / 2):
        ...     with shared_work(kept.of(visible, infrared)):  # edges of the sources are found once
        ...         value = F.qabf(fused, visible, infrared)
    """

    def __init__(self) -> None:
        self._tensors: dict[int, Tensor] = {}
        self.results: dict[Hashable, tuple[Any, Any]] = {}

    def of(self, *sources: Tensor) -> "KeptWork":
        """Itself, without what was kept of other tensors than these."""
        if any(id(source) not in self._tensors for source in sources):
            self.forget()
            self._tensors = {id(source): source for source in sources}
        return self

    def forget(self) -> None:
        """Drop all that was kept."""
        self._tensors, self.results = {}, {}

    def depends_on(self, tensors: Iterable[Tensor]) -> bool:
        """Whether all of these are sources, or were made of them alone."""
        return all(id(tensor) in self._tensors for tensor in tensors)

    def add(self, value: Any) -> None:
        """Take a result for a source of others; it may be a tensor, or a list or tuple of such."""
        if isinstance(value, Tensor):
            self._tensors[id(value)] = value
        elif isinstance(value, list | tuple):
            for part in value:
                self.add(part)


_kept: ContextVar[KeptWork | None] = ContextVar("dream_if_kept_metric_work", default=None)


@contextmanager
def shared_work(kept: KeptWork | None = None) -> Iterator[None]:
    """Inside this block, functions marked with `share` remember their results for the same tensor objects.

    Luminance planes, histograms, Sobel responses and local moments are then computed once for a whole set of metrics.
    Everything remembered is dropped when the outermost block ends, but for what `kept` keeps. The tensors must not be
    changed inside the block.

    Args:
        kept: keeps what depends on the sources alone for the next block; of the outermost block.

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
    token, kept_token = _results.set({}), _kept.set(kept)
    try:
        yield
    finally:
        _results.reset(token)
        _kept.reset(kept_token)


def share(function: Callable[P, R]) -> Callable[P, R]:
    """Let `shared_work` remember the results of a pure function of tensors (positional) and hashable values."""

    @functools.wraps(function)
    def remembered(*args: P.args, **kwargs: P.kwargs) -> R:
        results, kept = _results.get(), _kept.get()
        if results is None:
            return function(*args, **kwargs)
        identity = tuple(id(arg) if isinstance(arg, Tensor) else arg for arg in args)
        key = (function, identity, tuple(sorted(kwargs.items())))
        if kept is not None and not kept.depends_on(arg for arg in args if isinstance(arg, Tensor)):
            kept = None
        if kept is not None:
            results = kept.results
        if key not in results:
            # The arguments are kept with the result: an id is unique only while its object lives.
            results[key] = (args, function(*args, **kwargs))
            if kept is not None:
                kept.add(results[key][1])
        value: R = results[key][1]
        return value

    return remembered
