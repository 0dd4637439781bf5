"""Segmentation of fused images: torchvision's LR-ASPP on MobileNetV3, from scratch.

Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv:1905.02244. Nothing is pretrained, so nothing is downloaded
and no row starts nearer to photographs than another. The loss is cross entropy. A class with the share p of a batch's
pixels has the weight 1 / log(1.02 + p), as in ENet (Paszke et al., 2016, arXiv:1606.02147).
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.segmentation import lraspp_mobilenet_v3_large
from torchvision.utils import draw_segmentation_masks

from dream_if.downstream import masks
from dream_if.downstream.labels import NAMES
from dream_if.downstream.masks import IGNORED, Mask
from dream_if.downstream.tasks import FusedSet, Task, own_network, told, train_and_find
from dream_if.downstream.training import Found
from dream_if.errors import InputError
from dream_if.pixels import to_8_bit
from dream_if.scoring.plan import TrainedSettings
from dream_if.storage import write_atomically

__all__ = ["SEGMENTATION", "Segmenter", "small_segmenter"]

MOMENTUM = 0.1
COLOURS = ("lime", "cyan", "magenta", "orange", "blue", "yellow", "red", "white")
"""Of the classes from 1 on, in turn; class 0 stays as it is."""


class Segmenter(nn.Module):
    """A network that gives each pixel a class, called as torchvision's detectors are.

    Args:
        network: images (B, 3, H, W) -> scores of the classes (B, C, H', W'), or a mapping with them as ``out``, as
            torchvision's segmentation networks return.
        classes: C.
        size: pixels to which the shorter side of an image is brought.
    """

    def __init__(self, network: nn.Module, classes: int, size: int) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.size = size

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[Found]:
        """The loss of images, each (3, H, W) in [0, 1], with their targets; or what is found in them without."""
        resized = [(self._sized(image, "bilinear") - 0.5) / 0.25 for image in images]
        if targets is None:
            return [
                {"classes": self._scores(small[None], image.shape[-2:]).argmax(1)[0].to(torch.uint8)}
                for small, image in zip(resized, images, strict=True)
            ]
        small = [self._sized(target["classes"][None].float(), "nearest")[0] for target in targets]
        truth = _batch(small, IGNORED).long()
        counted = truth[truth != IGNORED]
        # Background covers nearly all, and without weights a short training finds nothing else.
        shares = counted.bincount(minlength=self.classes) / max(len(counted), 1)
        weights = 1 / (1.02 + shares).log()
        scores = self._scores(_batch(resized, 0.0), truth.shape[-2:])
        loss = F.cross_entropy(scores, truth, weights, ignore_index=IGNORED, reduction="sum")
        return {"loss": loss / weights[counted].sum().clamp(min=1)}

    def _scores(self, batch: Tensor, size: Sequence[int]) -> Tensor:
        made = self.network(batch)
        scores = made["out"] if isinstance(made, Mapping) and "out" in made else made
        if not isinstance(scores, Tensor) or scores.ndim != 4 or scores.shape[:2] != (len(batch), self.classes):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(made).__name__
            raise InputError(
                f"network {type(self.network).__name__}: expected scores of shape ({len(batch)}, {self.classes}, "
                f"height, width), alone or as 'out' of a mapping, got {got}."
            )
        return F.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)

    def _sized(self, image: Tensor, mode: str) -> Tensor:
        height, width = image.shape[-2:]
        scale = self.size / min(height, width)
        sides = (round(height * scale), round(width * scale))
        return F.interpolate(image[None], size=sides, mode=mode, antialias=mode == "bilinear")[0]


def _batch(images: Sequence[Tensor], fill: float) -> Tensor:
    """Images of any size as one tensor, filled up at the right and below."""
    height, width = (max(image.shape[side] for image in images) for side in (-2, -1))
    return torch.stack(
        [F.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]), value=fill) for image in images]
    )


def small_segmenter(classes: int, size: int) -> Segmenter:
    """LR-ASPP on MobileNetV3, 3.2 million parameters, with weights drawn from torch's generator.

    Args:
        classes: how many, with the background.
        size: pixels to which the shorter side of an image is brought.
    """
    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = MOMENTUM  # a tenth of it, as the backbone has, would take thousands of steps to settle
    return Segmenter(network, classes, size)


def _network(settings: TrainedSettings, classes: int) -> Segmenter:
    if settings.own is None:
        return small_segmenter(classes, settings.size)
    return Segmenter(own_network(settings.own, classes), classes, settings.size)


def _write(images: FusedSet) -> None:
    """Write the masks of a set beside its images, and the names of the classes.

    Raises:
        InputError: A training on them could not tell anything apart, or the folder cannot be written to.
    """
    there = set().union(*(picture.labels.numbers() for picture in images.pictures["train"]))
    if len(there) < 2:
        only = images.names[there.pop()] if there else "no class"
        raise InputError(
            f"{images.folder}: expected two classes or more in the training masks, got only {only}; take more pairs. A "
            f"pixel of {IGNORED} is of no class."
        )
    for split, pictures in images.pictures.items():
        for picture in pictures:
            write_atomically(images.folder / "masks" / split / f"{picture.name}.png", picture.labels.png)
    write_atomically(images.folder / NAMES, "".join(f"{name}\n" for name in images.names).encode())


def _drawn(image: Tensor, found: Found, mask: Mask) -> Tensor:
    """The image with what is there laid over it, and beside it with what was found."""
    tiles = []
    for classes in (mask.classes(), found["classes"]):
        numbers = [number for number in np.unique(classes).tolist() if number not in (0, IGNORED)]
        colours = [COLOURS[(number - 1) % len(COLOURS)] for number in numbers]
        flags = classes == torch.tensor(numbers, dtype=torch.uint8)[:, None, None]
        plain = to_8_bit(image)
        tiles.append(draw_segmentation_masks(plain, flags, alpha=0.5, colors=colours) if numbers else plain)
    return torch.cat(tiles, dim=-1)


SEGMENTATION = Task(
    name="segmentation",
    program="torchvision",
    metrics=(masks.MIOU,),
    files=".png files with the number of each pixel's class, named as the pairs, in {root}/masks, .../{split}/masks or "
    ".../{split}/Segmentation_labels",
    class_names=masks.mask_classes,
    label_files=masks.mask_files,
    read=masks.read_mask,
    of_scene=masks.scene_mask,
    write=_write,
    told=told,
    learn=partial(train_and_find, _network, ("classes",)),
    score=masks.score_masks,
    ending="",
    write_found=masks.write_found_masks,
    read_found=masks.read_found_mask,
    draw=_drawn,
)
