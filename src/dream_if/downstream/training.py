"""Training a network on labelled images: the same steps in the same order, whatever the images show.

Everything random (first weights, order, mirroring) depends only on the seed. There is no validation and no choice among
checkpoints: the network after the last step is tested.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dream_if.errors import InputError

__all__ = ["Example", "Found", "Labels", "predict", "train_network"]


class Labels(Protocol):
    """What is known of an image: its boxes, or the class of every pixel."""

    def target(self, width: int, mirrored: bool) -> dict[str, Tensor]:
        """What a network is to find in the image, of this width and perhaps mirrored."""

    def numbers(self) -> set[int]:
        """The classes that are there."""

    def told(self) -> Any:
        """What stands for all of it in a hash, as JSON can hold it."""


Example = Callable[[], tuple[Tensor, Labels]]
"""Reads an image, (3, H, W) in [0, 1], and its labels."""

Found = dict[str, Tensor]
"""What a network finds in an image. A detector: boxes (N, 4), labels (N,) from 1, scores (N,). A segmenter: classes
(H, W), uint8."""

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""

LARGEST_GRADIENT = 5.0


def train_network(
    make: Callable[[], nn.Module],
    examples: Sequence[Example],
    *,
    steps: int,
    batch: int,
    rate: float = 2e-3,
    seed: int,
    device: torch.device,
    progress: Callable[[int], None] | None = None,
) -> nn.Module:
    """Train a network.

    Args:
        make: makes it, with weights from torch's generator; called as torchvision's detectors are.
        examples: at least one.
        steps: of the optimizer, AdamW.
        batch: images in each.
        rate: peak of the learning rate, which rises at first and falls to nothing by a cosine.
        seed: of everything that is random.
        device: where.
        progress: called with the number of steps made.

    Returns:
        The network after the last step, ready to be tested.

    Raises:
        InputError: The loss is no longer a number.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = make().to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), rate)
        rising = max(WARM_UP, 1.5 / steps)  # OneCycleLR divides by zero where this is one step
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=rising)
        chosen = _order(len(examples), torch.Generator().manual_seed(seed))
        for step in range(steps):
            pairs = [_drawn(examples[number], mirrored) for number, mirrored in (next(chosen) for _ in range(batch))]
            losses = network(
                [image.to(device) for image, _ in pairs],
                [{name: value.to(device) for name, value in target.items()} for _, target in pairs],
            )
            loss = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(loss):
                raise InputError(
                    f"the network's loss is no number after {step} steps at rate {rate}; choose a lower rate."
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step + 1)
    return network.eval()


def _order(count: int, generator: torch.Generator) -> Iterator[tuple[int, bool]]:
    """Every number once in an order by chance, then again in another; and whether to mirror it."""
    while True:
        mirrored = torch.rand(count, generator=generator) < 0.5
        yield from zip(torch.randperm(count, generator=generator).tolist(), mirrored.tolist(), strict=True)


def _drawn(example: Example, mirrored: bool) -> tuple[Tensor, dict[str, Tensor]]:
    image, labels = example()
    return image.flip(-1) if mirrored else image, labels.target(image.shape[-1], mirrored)


@torch.inference_mode()
def predict(network: nn.Module, image: Tensor, device: torch.device, names: Collection[str]) -> Found:
    """What a trained network finds in an image, (3, H, W) in [0, 1]: the tensors of these names, on the CPU."""
    (found,) = network([image.to(device)])
    return {name: found[name].cpu() for name in names}
