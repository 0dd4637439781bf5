"""What cleans the sources first."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from dream_if.errors import InputError
from dream_if.methods.method import PairId
from dream_if.methods.restorers import RESTORERS, make_restorer

CPU = torch.device("cpu")
PLACE = PairId("road", "gaussian", "0001")
HAS_SKIMAGE = importlib.util.find_spec("skimage") is not None
WAVELET = pytest.param("wavelet", marks=pytest.mark.skipif(not HAS_SKIMAGE, reason="scikit-image is not installed"))


@pytest.fixture(scope="module")
def clean() -> tuple[Tensor, Tensor]:
    """Smooth slopes and one edge, on 8-bit levels."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 64), indexing="ij")
    visible = torch.stack([0.3 + 0.3 * x, 0.6 - 0.2 * y, 0.4 + 0.1 * x * y])
    infrared = 0.3 + 0.3 * (x > 0.5).float() + 0.1 * y
    return tuple((image * 255).round()[None] / 255 for image in (visible, infrared[None]))


@pytest.fixture(scope="module")
def noisy(clean: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    levels = [(image * 255 + 20 * torch.randn(image.shape, generator=generator)).round() for image in clean]
    return tuple((image / 255).clamp(0, 1) for image in levels)


@pytest.mark.parametrize("name", ["nlm", "median", WAVELET])
def test_it_brings_noisy_images_nearer_to_the_clean_ones(clean, noisy, name: str) -> None:
    restored = make_restorer(name, "restore", CPU)(*noisy, PLACE)
    for image, before, target in zip(restored, noisy, clean, strict=True):
        assert image.shape == target.shape
        assert torch.equal(image, (image * 255).round() / 255)  # as in an 8-bit file
        assert (image - target).square().mean() < 0.35 * (before - target).square().mean()
    again = make_restorer({name: {}}, "restore", CPU)(*noisy, PLACE)
    assert all(map(torch.equal, restored, again))


def test_colours_keep_their_places() -> None:
    """Channels are handed to OpenCV in its own order, and come back in ours."""
    red = torch.zeros(1, 3, 32, 32)
    red[:, 0] = 200 / 255
    for name in ("nlm", "median"):
        restored, _ = make_restorer(name, "restore", CPU)(red, red[:, :1], PLACE)
        torch.testing.assert_close(restored, red, atol=2 / 255, rtol=0)


def test_the_median_is_scipys(noisy) -> None:
    _, infrared = make_restorer({"median": {"size": 3}}, "restore", CPU)(*noisy, PLACE)
    expected = ndimage.median_filter((noisy[1][0, 0] * 255).round().numpy(), size=3, mode="nearest")
    np.testing.assert_array_equal((infrared[0, 0] * 255).round().numpy(), expected)


def test_options_are_part_of_the_key() -> None:
    keys = {
        make_restorer(given, "r", CPU).key for given in ("nlm", {"nlm": {"h": 10}}, "median", {"nlm": {"search": 11}})
    }
    assert len(keys) == 4
    assert make_restorer("nlm", "r", CPU).key == make_restorer({"nlm": None}, "r", CPU).key


def test_a_class_of_the_users(noisy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign_restorer.py").write_text(
        "class Darken:\n    def __call__(self, image):\n        return image / 2\n"
        "class Crop:\n    def __call__(self, image):\n        return image[..., 1:]\n"
    )
    restorer = make_restorer({"class_path": "foreign_restorer.Darken"}, "restore", CPU)
    assert restorer.name == "Darken"
    for image, before in zip(restorer(*noisy, PLACE), noisy, strict=True):
        torch.testing.assert_close(image, before / 2, atol=0.5 / 255 + 1e-6, rtol=0)
    with pytest.raises(InputError, match="restorer Crop: expected a tensor"):
        make_restorer({"class_path": "foreign_restorer.Crop"}, "restore", CPU)(*noisy, PLACE)


def test_files_restored_elsewhere(noisy, tmp_path: Path) -> None:
    for folder, image in zip(("vi", "ir"), noisy, strict=True):
        (tmp_path / "road" / "gaussian" / folder).mkdir(parents=True)
        levels = (image[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(levels.squeeze()).save(tmp_path / "road" / "gaussian" / folder / "0001.png")
    restorer = make_restorer({"folder": f"{tmp_path}/{{set}}/{{condition}}"}, "restore", CPU)
    restorer.check([PLACE])
    blank = tuple(torch.zeros_like(image) for image in noisy)
    for image, expected in zip(restorer(*blank, PLACE), noisy, strict=True):
        torch.testing.assert_close(image, expected, atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="for the pair 0002"):
        restorer.check([PLACE._replace(name="0002")])
    with pytest.raises(InputError, match="has no folder vi"):
        restorer.check([PLACE._replace(condition="rain")])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("bm3d", "expected nlm, wavelet, median, a class_path"),
        ({"nlm": {"strength": 3}}, "its options are h, h_colour, template, search"),
        ({"median": {"size": 4}}, "expected 3 or 5 pixels, got 4"),
        (None, "got None"),
    ],
    ids=str,
)
def test_one_that_cannot_be_had(given: object, message: str) -> None:
    with pytest.raises(InputError, match="where") as error:
        make_restorer(given, "where", CPU)
    assert message in str(error.value)


def test_wavelets_ask_for_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pywt" else find(name))
    with pytest.raises(InputError, match=r"pip install 'dream-if\[tables\]'"):
        make_restorer("wavelet", "restore", CPU)
    assert set(RESTORERS) == {"nlm", "wavelet", "median"}
