"""Networks for tests of inference: one whose result is plain to see, and a tiny real one on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dream_if.inference import Fuser
from dream_if.models import DreamIF, FusionOutput


class Averaging(nn.Module):
    """Fuses by the mean, trusts the visible source as much as it is bright, and remembers the shapes it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []
        self.config = {"dim": 16, "use_se": True, "use_rd": True, "ffn_expansion": 2.66, "stride": 1}
        self.step = 8
        self.has_dominance = True

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        self.shapes.append(tuple(visible.shape))
        trust = visible.mean(dim=1, keepdim=True)
        return FusionOutput(
            (visible + infrared) / 2, (trust, trust[..., ::2, ::2]), (1 - trust, 1 - trust[..., ::2, ::2])
        )


@pytest.fixture
def averaging() -> Fuser:
    return Fuser(Averaging(), device="cpu", precision="float32")


@pytest.fixture(scope="session")
def net(tiny_net: dict) -> DreamIF:
    torch.manual_seed(0)
    return DreamIF(**tiny_net).eval()


@pytest.fixture(scope="session")
def weights(net: DreamIF, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    net.save_pretrained(folder)
    return folder


def texture(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, channels) of uint8, smooth enough for JPEG, different in every channel and corner."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [
        128 + 70 * np.sin(x / rng.uniform(4, 9) + k) * np.cos(y / rng.uniform(4, 9)) + 40 * (x / width - y / height)
        for k in range(channels)
    ]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


@pytest.fixture(name="texture", scope="session")
def _texture():
    return texture
