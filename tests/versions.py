"""Marks of tests that need more of a library than its oldest release has that pyproject.toml allows."""

import pytest
import torch

from dream_if.compat import computing_nothing, sizes_stay_free
from dream_if.errors import InputError


def _traces_free_sizes() -> bool:
    try:
        with sizes_stay_free():
            return True
    except InputError:
        return False


def _makes_up_cuda() -> bool:
    try:
        with computing_nothing():
            torch.rand(1, 3, 4, 4, device="cuda").contiguous(memory_format=torch.channels_last)
    except RuntimeError:
        return False
    return True


TRACES_FREE_SIZES = _traces_free_sizes()
EXPORT = pytest.mark.skipif(not TRACES_FREE_SIZES, reason="export needs a newer torch")
MADE_UP_CUDA = pytest.mark.skipif(not _makes_up_cuda(), reason="this torch asks the driver for made-up CUDA tensors")
