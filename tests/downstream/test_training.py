"""Training a detector: what it sees, that it is the same for the same seed, and that it learns."""

import pytest
import torch
from torch import Tensor, nn

from dream_if.downstream.detector import STRIDES, SmallBackbone, small_detector
from dream_if.downstream.labels import Boxes
from dream_if.downstream.scoring import AP_50, score_detections
from dream_if.downstream.training import predict, train_network
from dream_if.errors import InputError

CPU = torch.device("cpu")
SIZE = (64, 64)


def picture(number: int) -> tuple[Tensor, Boxes]:
    """Grey noise with a bright upright box and a dark flat one, at places by chance."""
    generator = torch.Generator().manual_seed(number)
    image = 0.4 + 0.2 * torch.rand(3, *SIZE, generator=generator)
    x, u = torch.randint(2, 28, (2,), generator=generator).tolist()
    y, v = torch.randint(2, 8, (2,), generator=generator).tolist()
    image[:, y : y + 20, x : x + 10] = 0.95
    image[:, v + 40 : v + 50, u + 14 : u + 34] = 0.05
    return image, Boxes.make([(x, y, x + 10, y + 20), (u + 14, v + 40, u + 34, v + 50)], [0, 1], SIZE)


def examples(first: int, count: int) -> list:
    return [lambda number=number: picture(number) for number in range(first, first + count)]


class Recorder(nn.Module):
    """A detector that keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1))
        self.seen: list[tuple[Tensor, dict[str, Tensor]]] = []

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        self.seen += zip(images, targets, strict=True)
        return {"loss": self.weight.square().sum()}


def recorded(seed: int, steps: int = 6) -> Recorder:
    made = train_network(Recorder, examples(0, 8), steps=steps, batch=4, seed=seed, device=CPU)
    assert isinstance(made, Recorder)
    return made


@pytest.mark.parametrize("steps", [2, 10, 11])
def test_any_number_of_steps(steps: int) -> None:
    assert len(recorded(0, steps).seen) == 4 * steps


def test_boxes_are_mirrored_with_their_image() -> None:
    mirrored = 0
    for image, target in recorded(0).seen:
        (x0, y0, x1, y1), _ = target["boxes"].int().tolist()
        bright = image[0] > 0.9
        assert bright[y0:y1, x0:x1].all()
        assert int(bright.sum()) == 200
        assert target["labels"].tolist() == [1, 2]
        mirrored += not any(torch.equal(image, picture(number)[0]) for number in range(8))
    assert 4 < mirrored < 20


def test_every_image_is_seen_equally_often() -> None:
    sums = [sorted(round(float(image.sum()), 1) for image, _ in recorded(1).seen[8 * n : 8 * n + 8]) for n in range(3)]
    assert sums[0] == sums[1] == sums[2]
    assert len(set(sums[0])) == 8


def test_the_seed_decides_order_and_weights() -> None:
    first, again, other = recorded(2), recorded(2), recorded(3)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first.seen, again.seen, strict=True))
    assert torch.equal(first.weight, again.weight)
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(first.seen, other.seen, strict=True))
    assert not torch.equal(first.weight, other.weight)


def test_torchs_own_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    recorded(0, steps=2)
    assert torch.equal(torch.rand(3), expected)


def test_levels_of_the_backbone() -> None:
    levels = SmallBackbone()(torch.zeros(2, 3, 96, 128))
    assert [tuple(level.shape) for level in levels.values()] == [(2, 64, 96 // s, 128 // s) for s in STRIDES]


def test_the_detector_learns_and_is_the_same_for_the_same_seed() -> None:
    pytest.importorskip("pycocotools", reason="needs the extra detection")

    def trained(seed: int, steps: int) -> list[dict[str, Tensor]]:
        detector = train_network(
            lambda: small_detector(3, 64), examples(0, 24), steps=steps, batch=4, seed=seed, device=CPU
        )
        return [predict(detector, picture(number)[0], CPU, ("boxes", "labels", "scores")) for number in range(100, 112)]

    truth = [picture(number)[1] for number in range(100, 112)]
    untrained = score_detections(trained(0, 2), truth, ["bright", "dark"])
    learned = score_detections(trained(0, 40), truth, ["bright", "dark"])
    assert untrained[AP_50] < 0.1
    assert learned[AP_50] > 0.5
    once, again, other = trained(1, 3), trained(1, 3), trained(2, 3)
    for name in ("boxes", "scores", "labels"):
        assert all(torch.equal(a[name], b[name]) for a, b in zip(once, again, strict=True))
    assert not all(torch.equal(a["scores"], b["scores"]) for a, b in zip(once, other, strict=True))


def test_a_loss_that_is_no_number() -> None:
    class Broken(Recorder):
        def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
            return {"loss": self.weight.sum() / 0}

    with pytest.raises(InputError, match="no number after 0 steps"):
        train_network(Broken, examples(0, 2), steps=2, batch=1, seed=0, device=CPU)
