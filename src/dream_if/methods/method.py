"""A fusion method as a row of a table."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dream_if.errors import InputError, out_of_memory

__all__ = ["Computed", "Fuse", "Method", "PairId"]

Fuse = Callable[[Tensor, Tensor], Any]


class PairId(NamedTuple):
    """Which pair: of which set, under which condition, by its name."""

    set: str
    condition: str
    name: str


class Method(ABC):
    """Fuses a pair.

    Attributes:
        says: what it is, in a few words.
        module: its network, where it has one that torch can look into.
        is_source: whether it is one of the sources alone, and fuses nothing.
    """

    says: str
    module: nn.Module | None = None
    is_source: bool = False

    @abstractmethod
    def fuse(self, visible: Tensor, infrared: Tensor, pair: PairId) -> Tensor:
        """Fuse a pair.

        Args:
            visible: (1, 3, H, W) in [0, 1].
            infrared: (1, 1, H, W) in [0, 1].
            pair: which pair it is.

        Returns:
            (1, 3, H, W) or (1, 1, H, W) in [0, 1].

        Raises:
            InputError: The method fails, or returns something else.
        """

    @abstractmethod
    def key(self, pair: PairId) -> str:
        """Text that stands for all that the result depends on beside the pair."""

    def check(self, name: str, pairs: Sequence[PairId]) -> None:  # noqa: B027  (most need nothing)
        """Make sure, before anything is computed, that there is a result for all these pairs.

        Raises:
            InputError: There is none, with the method's name in the table.
        """


class Computed(Method):
    """A method that computes its images.

    Args:
        fuse: what makes (1, 3, H, W) and (1, 1, H, W) to the fused image, or to a tuple that begins with it.
        key: stands for all that the result depends on beside the pair.
        says: what it is.
        module: its network.
        own: whether the code is this package's: what it raises is then no mistake of the user's, and passes through.
    """

    def __init__(self, fuse: Fuse, key: str, says: str, module: nn.Module | None = None, own: bool = False) -> None:
        self.call = fuse
        self.given_key = key
        self.says = says
        self.module = module
        self.own = own

    def key(self, pair: PairId) -> str:
        """See `Method.key`."""
        return self.given_key

    @torch.inference_mode()
    def fuse(self, visible: Tensor, infrared: Tensor, pair: PairId) -> Tensor:
        """See `Method.fuse`."""
        where = f"{self.says}: {pair.name} of {pair.set}, {pair.condition}"
        try:
            found = self.call(visible, infrared)
        except InputError:
            raise
        except Exception as error:  # what foreign code raises is not to be foreseen
            if out_of_memory(error):
                raise InputError(
                    f"{where}: {visible.shape[-1]}x{visible.shape[-2]} pixels did not fit into the memory of "
                    f"{visible.device}; leave out the method or the picture, or use a machine with more memory."
                ) from error
            if self.own:
                raise
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"{where}: failed, called with visible (1, 3, H, W) and infrared (1, 1, H, W): {told[0]}."
            ) from error
        fused = found[0] if isinstance(found, tuple | list) and found else found
        height, width = visible.shape[-2:]
        right = ((1, 1, height, width), (1, 3, height, width))
        if not isinstance(fused, Tensor) or tuple(fused.shape) not in right or not fused.is_floating_point():
            got = f"{fused.dtype} {tuple(fused.shape)}" if isinstance(fused, Tensor) else type(fused).__name__
            raise InputError(f"{where}: expected a float image {right[1]} or {right[0]} in [0, 1], got {got}.")
        if not torch.isfinite(fused).all():
            raise InputError(f"{where}: the fused image has NaN or infinite values.")
        return fused.float().clamp(0, 1)
