"""What the network has to move through memory: operations and bytes, counted without computing anything."""

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dream_if.models import DreamIF

__all__ = ["DEVICES", "bytes_moved"]

# By part of a CUDA device's name: dense bfloat16 operations and bytes of memory traffic per second, by data sheet.
DEVICES = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12)}
PRODUCTS = {"convolution", "mm", "bmm", "addmm", "baddbmm"}


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the bytes of what each operation reads and writes.

    Attributes:
        every: of all operations, as they run one by one.
        products: of convolutions and matrix products alone, as if all else were fused into them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.every = self.products = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and add its bytes, unless it makes no tensor, or one that only views its input."""
        output = func(*args, **(kwargs or {}))
        makes = any(isinstance(leaf, Tensor) for leaf in tree_leaves(output))  # asking for a device makes none
        if makes and not func.is_view and func.overloadpacket.__name__ != "_unsafe_view":
            tensors = [leaf for leaf in tree_leaves((args, kwargs, output)) if isinstance(leaf, Tensor)]
            size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            self.every += size
            if func.overloadpacket.__name__ in PRODUCTS:
                self.products += size
        return output


def bytes_moved(settings: dict[str, Any], side: int, batch: int) -> tuple[float, float]:
    """Bytes that a forward pass moves for each pair, in bfloat16: all operations', and those of products alone.

    Each operation counts what it reads and writes once, weights included. A cache that keeps a tensor from one
    operation to the next saves some of it.

    Args:
        settings: the network's arguments.
        side: of the images, in pixels.
        batch: pairs, among which the bytes of the weights are divided.
    """
    network = DreamIF(**settings).bfloat16()
    with FakeTensorMode(allow_non_fake_inputs=True):
        sources = [torch.empty(batch, channels, side, side, dtype=torch.bfloat16) for channels in (3, 1)]
        with Traffic() as traffic:
            network(*sources)
    return traffic.every / batch, traffic.products / batch
