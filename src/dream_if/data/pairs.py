"""Visible/infrared pairs as tensors, and the batch contract that every other part of the package relies on.

The batch is one dictionary. The network, the losses, the metrics and the callbacks share only this:

| key | shape, range | meaning |
| --- | --- | --- |
| ``visible`` | (B, 3, H, W) float32 in [0, 1], RGB | visible source as the network sees it, possibly degraded |
| ``infrared`` | (B, 1, H, W) float32 in [0, 1] | infrared source as the network sees it, possibly degraded |
| ``visible_clean``, ``infrared_clean`` | same | before degradation: what losses and metrics compare with |
| ``visible_degradation``, ``infrared_degradation`` | (B,) long | which degradation was applied, 0 for none |
| ``index`` | (B,) long | position in the split: seeds the degradation |
| ``name`` | list of B str | file stem, for tables and saved images |

:func:`collate` yields ``visible``, ``infrared``, ``index`` and ``name``; the datamodule adds the clean and the
degradation entries, in training on the device after the transfer, in tests before it.

Images stay 8 or 16 bit until they are cropped. A file is decoded once for all the crops taken from it, because
decoding a full-size JPEG costs far more than a crop.
"""

import os
from collections.abc import Sequence
from typing import Any, Protocol, TypedDict, runtime_checkable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dream_if.data.images import MIN_SIZE, Image, decode_image, read_image, to_tensor
from dream_if.errors import InputError
from dream_if.registration.rig import Rig
from dream_if.storage import Pair

__all__ = [
    "MIN_SIZE",
    "Image",
    "PairFiles",
    "PairSource",
    "PairedImages",
    "Sample",
    "collate",
    "decode_image",
    "read_image",
    "to_tensor",
]

MAX_CROP = 8192
"""Largest side of a crop in pixels: a larger one is a slip of the finger, and fills the memory with padding."""


class Sample(TypedDict):
    """K crops of one pair, or a batch of them after :func:`collate`; see the module docstring."""

    visible: Tensor
    infrared: Tensor
    index: Tensor
    name: list[str]


@runtime_checkable
class PairSource(Protocol):
    """Anything that yields pairs by position: files, generated scenes, a mix of both."""

    def __len__(self) -> int:
        """Number of pairs."""
        ...

    def read(self, position: int) -> tuple[Image, Image, str]:
        """Return visible (H, W, 3) RGB, infrared (H, W, 1), both of 8 or 16 bit, and the pair's name.

        Asked once for all crops of a pair. The images may be views into a file: only what is cut out is then read, and
        nobody writes to them.
        """
        ...


class PairFiles:
    """Pairs of files on disk as a :class:`PairSource`.

    Args:
        pairs: What :func:`dream_if.data.layouts.find_pairs` returned, or any other list.
        rig: Of the two cameras; the infrared image is laid on the visible one, and both are cut to what both show.
    """

    def __init__(self, pairs: Sequence[Pair], rig: Rig | None = None) -> None:
        self.pairs = list(pairs)
        self.rig = rig

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def read(self, position: int) -> tuple[Image, Image, str]:
        """Read one pair.

        Args:
            position: Position in the list of pairs.

        Returns:
            Visible (H, W, 3) RGB, infrared (H, W, 1), each uint8 or uint16 as its file is, and the pair's name.

        Raises:
            InputError: A file cannot be used (see :func:`decode_image`), or the two differ in size, or from the rig's.
        """
        pair = self.pairs[position]
        visible, infrared = read_image(pair.visible, 3), read_image(pair.infrared, 1)
        if self.rig is not None:
            try:
                visible, infrared = self.rig.cut_to_common(visible, infrared)
            except InputError as error:
                raise InputError(f"{pair.visible}, {pair.infrared}: {error}") from error
        if visible.shape[:2] != infrared.shape[:2]:
            raise InputError(
                f"unequal sizes: {pair.visible} is {visible.shape[1]}x{visible.shape[0]} but {pair.infrared} is "
                f"{infrared.shape[1]}x{infrared.shape[0]} (width x height); a pair must be registered: see "
                "dream-if align."
            )
        return visible, infrared, pair.name


def _paired_geometry(crop: int, flip: bool) -> Any:
    """An albumentations pipeline that crops and flips both sources alike.

    Images smaller than the crop are continued by reflection.
    """
    # Imported here: it takes a second or more, and reading whole images does without it. The variable keeps the
    # import from asking the network for a newer version.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as A

    steps = [A.RandomCrop(crop, crop, pad_if_needed=True, border_mode=cv2.BORDER_REFLECT_101)]
    if flip:
        steps += [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]
    return A.Compose(steps, additional_targets={"infrared": "image"})


class PairedImages(Dataset[Sample]):
    """Full-size pairs, or several random crops of each.

    A crop is a pure function of (seed, epoch, index) with ``index = position * crops_per_pair + k``: the same in any
    worker, process, order and batch size. The epoch comes with the key, because workers that outlive an epoch hold
    copies of this object and would not see it change.

    Args:
        pairs: Files, or any :class:`PairSource`.
        crop: Side of the square crops in pixels, at least 16; None for whole images.
        crops_per_pair: K, how many crops are taken from each decoded pair.
        flip: Mirror each crop left-right and, independently, upside down, each with probability 1/2.
        seed: Seed of the crops and flips.

    Raises:
        InputError: There is no pair, ``crop`` or ``crops_per_pair`` is too small, or crops per pair or flips are asked
            for whole images.
    """

    def __init__(
        self,
        pairs: Sequence[Pair] | PairSource,
        crop: int | None = None,
        crops_per_pair: int = 1,
        flip: bool = False,
        seed: int = 0,
    ) -> None:
        self.source: PairSource = pairs if isinstance(pairs, PairSource) else PairFiles(pairs)
        if len(self.source) == 0:
            raise InputError("no pairs were given; expected at least one visible/infrared pair.")
        if crop is not None and not MIN_SIZE <= crop <= MAX_CROP:
            raise InputError(f"crop: expected {MIN_SIZE} to {MAX_CROP} pixels, or none for whole images; got {crop}.")
        if crops_per_pair < 1:
            raise InputError(f"crops_per_pair: expected at least 1, got {crops_per_pair}.")
        if seed < 0:
            raise InputError(f"seed: expected 0 or more, got {seed}.")
        if crop is None and (crops_per_pair > 1 or flip):
            raise InputError(
                f"crops_per_pair={crops_per_pair} and flip={flip} need a crop size; whole images are read unchanged."
            )
        self.crop = crop
        self.crops_per_pair = crops_per_pair
        self.flip = flip
        self.seed = seed
        self._geometry = None if crop is None else _paired_geometry(crop, flip)

    def __len__(self) -> int:
        """Number of pairs, not of crops."""
        return len(self.source)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """Read one pair.

        Args:
            key: Position of the pair, or (epoch, position); a bare position means epoch 0.

        Returns:
            visible (K, 3, H, W) and infrared (K, 1, H, W) float32 in [0, 1], index (K,) long, name list of K str.

        Raises:
            InputError: The pair cannot be used (see :meth:`PairFiles.read`).
            IndexError: The position is outside 0 <= position < len(self), or the epoch is negative.
        """
        epoch, position = key if isinstance(key, tuple) else (0, key)
        if epoch < 0 or not 0 <= position < len(self):
            raise IndexError(f"Expected epoch >= 0 and 0 <= position < {len(self)}, got {epoch} and {position}.")
        visible, infrared, name = self.source.read(position)
        indices = range(position * self.crops_per_pair, (position + 1) * self.crops_per_pair)
        crops = [self._cut(visible, infrared, epoch, index) for index in indices]
        return {
            "visible": torch.stack([to_tensor(visible_crop) for visible_crop, _ in crops]),
            "infrared": torch.stack([to_tensor(infrared_crop) for _, infrared_crop in crops]),
            "index": torch.tensor(indices, dtype=torch.long),
            "name": [name] * len(crops),
        }

    def _cut(self, visible: Image, infrared: Image, epoch: int, index: int) -> tuple[Image, Image]:
        """One crop of both sources, still 8 or 16 bit; the whole images where no crop size is set."""
        if self._geometry is None:
            return visible, infrared
        # One seed for each step: given one for all, albumentations has every step draw the same numbers, and a crop
        # would be mirrored either both ways or not at all.
        steps = self._geometry.transforms
        seeds = np.random.SeedSequence([self.seed, epoch, index]).generate_state(len(steps))
        for step, seed in zip(steps, seeds.tolist(), strict=True):
            step.set_random_seed(seed)
        cut = self._geometry(image=visible, infrared=infrared)
        return cut["image"], cut["infrared"]


def collate(samples: Sequence[Sample]) -> Sample:
    """Join the crops of several pairs into one batch.

    Args:
        samples: What :meth:`PairedImages.__getitem__` returned, K crops each.

    Returns:
        visible (B, 3, H, W), infrared (B, 1, H, W), index (B,), name list of B str, with B the sum of the K.

    Raises:
        InputError: The images differ in size, as whole images of a set may.
    """
    sizes = {(sample["visible"].shape[-2], sample["visible"].shape[-1]): sample["name"][0] for sample in samples}
    if len(sizes) > 1:
        found = ", ".join(f"{name} {width}x{height}" for (height, width), name in sizes.items())
        raise InputError(
            f"images of different sizes cannot share a batch ({found}): whole images need batch_size 1, "
            "or set a crop size."
        )
    return {
        "visible": torch.cat([sample["visible"] for sample in samples]),
        "infrared": torch.cat([sample["infrared"] for sample in samples]),
        "index": torch.cat([sample["index"] for sample in samples]),
        "name": [name for sample in samples for name in sample["name"]],
    }
