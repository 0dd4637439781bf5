"""The network of segmentation: sizes, its loss, and that it learns."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dream_if.downstream.masks import IGNORED, MIOU, Mask, score_masks
from dream_if.downstream.segmentation import Segmenter, small_segmenter
from dream_if.downstream.training import predict, train_network
from dream_if.errors import InputError

CPU = torch.device("cpu")


class Channels(nn.Module):
    """Takes colours for scores of three classes."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": images}


def test_each_image_is_found_in_its_own_size() -> None:
    made = Segmenter(Channels(), 3, 32)
    classes = [torch.randint(0, 3, (height // 8, width // 8)) for height, width in ((64, 96), (32, 40))]
    images = [
        nn.functional.one_hot(c.repeat_interleave(8, 0).repeat_interleave(8, 1)).permute(2, 0, 1).float()
        for c in classes
    ]
    for image, expected, found in zip(images, classes, made(images), strict=True):
        assert found["classes"].shape == image.shape[1:]
        assert torch.equal(found["classes"][4::8, 4::8].long(), expected)


def test_the_loss_is_the_weighted_mean_over_the_pixels_that_count() -> None:
    made = Segmenter(Channels(), 3, 32)
    images = [torch.rand(3, 32, 40), torch.rand(3, 48, 32)]
    truth = [torch.randint(0, 3, image.shape[1:]) for image in images]
    truth[0][:10] = IGNORED
    counted = torch.cat([classes[classes != IGNORED] for classes in truth])
    weights = torch.tensor([1 / np.log(1.02 + float((counted == number).double().mean())) for number in range(3)])
    parts = []
    for image, classes in zip(images, truth, strict=True):
        scores = ((image - 0.5) / 0.25).double()
        right = scores.gather(0, classes.clamp(max=2)[None])[0]
        parts.append((scores.exp().sum(0).log() - right)[classes != IGNORED])
    expected = (torch.cat(parts) * weights[counted]).sum() / weights[counted].sum()
    assert float(made(images, [{"classes": classes} for classes in truth])["loss"]) == pytest.approx(float(expected))
    nothing = [{"classes": torch.full_like(classes, IGNORED)} for classes in truth]
    assert float(made(images, nothing)["loss"]) == 0


@pytest.mark.parametrize("network", [nn.Identity(), nn.Flatten(), nn.Conv2d(3, 5, 1)], ids=str)
def test_a_network_with_other_scores(network: nn.Module) -> None:
    with pytest.raises(InputError, match=r"expected scores of shape \(1, 4, height, width\)"):
        Segmenter(network, 4, 32)([torch.rand(3, 32, 32)])


def picture(number: int) -> tuple[Tensor, Mask]:
    """Grey noise with a bright box of class 1 at a place by chance."""
    generator = torch.Generator().manual_seed(number)
    image = 0.4 + 0.2 * torch.rand(3, 64, 64, generator=generator)
    x, y = torch.randint(0, 36, (2,), generator=generator).tolist()
    classes = np.zeros((64, 64), np.uint8)
    image[:, y : y + 28, x : x + 28], classes[y : y + 28, x : x + 28] = 0.95, 1
    return image, Mask.of(classes)


def learned(network: Callable[[], Segmenter], steps: int, rate: float) -> float:
    """IoU of the box in pictures that were not trained on."""
    examples = [lambda number=number: picture(number) for number in range(24)]
    made = train_network(network, examples, steps=steps, batch=4, rate=rate, seed=0, device=CPU)
    tests = [picture(number) for number in range(100, 108)]
    found = [predict(made, image, CPU, ("classes",)) for image, _ in tests]
    return score_masks(found, [mask for _, mask in tests], ["rest", "bright"])[f"{MIOU}, bright"]


def test_a_network_of_ones_own_learns() -> None:
    def network() -> Segmenter:
        return Segmenter(nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 2, 1)), 2, 32)

    assert learned(network, 2, 0.02) < 0.5
    assert learned(network, 40, 0.02) > 0.7


@pytest.mark.slow
def test_ours_learns() -> None:
    assert learned(lambda: small_segmenter(2, 64), 150, 2e-3) > 0.7


def test_the_seed_decides_the_weights() -> None:
    for seed, equal in ((0, True), (1, False)):
        weights = []
        for drawn in (0, seed):
            torch.manual_seed(drawn)
            weights.append(torch.cat([value.flatten() for value in small_segmenter(2, 64).parameters()]))
        assert torch.equal(*weights) == equal
