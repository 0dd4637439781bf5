"""Training a detector on images and boxes: the same steps in the same order, whatever the images show.

Everything random (first weights, order, mirroring) depends only on the seed. There is no validation and no choice among
checkpoints: the detector after the last step is tested.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from dream_if.detection.labels import Boxes
from dream_if.errors import InputError

__all__ = ["Detections", "Example", "detect", "targets_of", "train_detector"]

Example = Callable[[], tuple[Tensor, Boxes]]
"""Reads an image, (3, H, W) in [0, 1], and its boxes."""

Detections = dict[str, Tensor]
"""What a detector finds in an image: boxes (N, 4), labels (N,) from 1, scores (N,)."""

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""

LARGEST_GRADIENT = 5.0


def targets_of(boxes: Boxes, device: torch.device) -> dict[str, Tensor]:
    """Boxes as torchvision's detectors take them: classes from 1, as 0 is the background."""
    return {"boxes": boxes.corners.to(device), "labels": boxes.classes.to(device) + 1}


def train_detector(
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
    """Train a detector.

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
        The detector after the last step, ready to detect.

    Raises:
        InputError: The loss is no longer a number.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        detector = make().to(device).train()
        optimizer = torch.optim.AdamW(detector.parameters(), rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=WARM_UP)
        chosen = _order(len(examples), torch.Generator().manual_seed(seed))
        for step in range(steps):
            pairs = [_drawn(examples[number], mirrored) for number, mirrored in (next(chosen) for _ in range(batch))]
            losses = detector(
                [image.to(device) for image, _ in pairs], [targets_of(boxes, device) for _, boxes in pairs]
            )
            loss = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(loss):
                raise InputError(
                    f"the detector's loss is no number after {step} steps at rate {rate}; choose a lower rate."
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(detector.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step + 1)
    return detector.eval()


def _order(count: int, generator: torch.Generator) -> Iterator[tuple[int, bool]]:
    """Every number once in an order by chance, then again in another; and whether to mirror it."""
    while True:
        mirrored = torch.rand(count, generator=generator) < 0.5
        yield from zip(torch.randperm(count, generator=generator).tolist(), mirrored.tolist(), strict=True)


def _drawn(example: Example, mirrored: bool) -> tuple[Tensor, Boxes]:
    image, boxes = example()
    if not mirrored:
        return image, boxes
    left, top, right, bottom = boxes.corners.unbind(1)
    width = image.shape[-1]
    return image.flip(-1), Boxes(torch.stack([width - right, top, width - left, bottom], dim=1), boxes.classes)


@torch.inference_mode()
def detect(detector: nn.Module, image: Tensor, device: torch.device) -> Detections:
    """What a trained detector finds in an image, (3, H, W) in [0, 1], on the CPU."""
    (found,) = detector([image.to(device)])
    return {name: found[name].cpu() for name in ("boxes", "labels", "scores")}
