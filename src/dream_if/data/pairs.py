"""Visible/infrared pairs as tensors, and the batch contract that every other part of the package relies on.

The batch is one dictionary. The network, the losses, the metrics and the callbacks know each other only through it:

| key | shape, range | meaning |
| --- | --- | --- |
| ``visible`` | (B, 3, H, W) float32 in [0, 1], RGB | visible source as the network sees it, possibly degraded |
| ``infrared`` | (B, 1, H, W) float32 in [0, 1] | infrared source as the network sees it, possibly degraded |
| ``visible_clean``, ``infrared_clean`` | same | before degradation: what losses and metrics compare with |
| ``visible_degradation``, ``infrared_degradation`` | (B,) long | which degradation was applied, 0 for none |
| ``index`` | (B,) long | position in the split: seeds the degradation |
| ``name`` | list of B str | file stem, for tables and saved images |

:func:`collate` yields ``visible``, ``infrared``, ``index`` and ``name``; the datamodule adds the clean and the
degradation entries on the device, after the transfer.

Images stay 8 or 16 bit until they are cropped. A file is decoded once for all the crops taken from it, because
decoding a full-size JPEG costs far more than a crop.
"""

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, cast, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dream_if.data.layouts import Pair
from dream_if.errors import InputError

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

Image: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MIN_SIZE = 16
"""Smallest height and width in pixels: the network halves its input three times and needs something left to see."""

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
        """Return visible (H, W, 3) RGB, infrared (H, W, 1), both of 8 or 16 bit, and the pair's name."""
        ...


class _QuietOpenCV:
    """Keeps OpenCV's own complaints off stderr while images are decoded: the error raised here says it better.

    The level is one for the process and several threads may decode at once, so the first in silences it and the last
    out restores it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._level = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._level = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.utils.logging.setLogLevel(self._level)


_quiet_opencv = _QuietOpenCV()


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the first scan is followed by an end-of-image marker.

    The header is walked segment by segment, because an embedded thumbnail has an end marker of its own. Inside the
    coded scan a byte 0xFF is always stuffed, so the marker cannot occur there by chance (ITU-T T.81, B.1.1.5).
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker == 0xDA:  # start of scan
            return data.find(b"\xff\xd9", position) >= 0
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _png_is_complete(data: bytes) -> bool:
    """Whether the chunks run unbroken to IEND and the critical ones match their checksum (PNG specification, 5.3)."""
    position = 8
    while position + 12 <= len(data):
        kind, end = (
            data[position + 4 : position + 8],
            position + 8 + int.from_bytes(data[position : position + 4], "big"),
        )
        if end + 4 > len(data):
            return False
        # An upper-case first letter marks the chunks that carry the picture; decoders pass over damage in the others.
        if kind[:1].isupper() and zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if kind == b"IEND":
            return True
        position = end + 4
    return False


def _webp_is_complete(data: bytes) -> bool:
    """Whether the file is as long as its RIFF header says."""
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


_COMPLETENESS: tuple[tuple[bytes, Callable[[bytes], bool]], ...] = (
    (b"\xff\xd8", _jpeg_is_complete),
    (b"\x89PNG\r\n\x1a\n", _png_is_complete),
    (b"RIFF", _webp_is_complete),
)


def decode_image(path: Path) -> Image:
    """Read an image file with the channels it stores.

    The type is taken from the content, not from the name. EXIF orientation is applied, alpha is dropped.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP file of 8 or 16 bit per channel.

    Returns:
        (H, W, 1) for a grey file, (H, W, 3) in RGB order for a colour file; uint8 or uint16.

    Raises:
        InputError: The file cannot be opened, is empty, no image, incomplete, of another bit depth, or smaller than
            16 x 16 pixels. Some decoders return what they got of an incomplete file, grey below; this never does.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes); copy or download it again.")
    for signature, is_complete in _COMPLETENESS:
        if data.startswith(signature) and not is_complete(data):
            raise InputError(f"{path}: the image is damaged or cut short; copy or download it again.")
    with _quiet_opencv:
        try:
            # Not IMREAD_UNCHANGED, which would ignore the EXIF orientation.
            stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
        except cv2.error:
            stored = None
    if stored is None:
        raise InputError(
            f"{path}: not a readable image. Expected PNG, JPEG, BMP, TIFF or WebP, complete and undamaged; remove the "
            "file or replace it."
        )
    if stored.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: holds {stored.dtype} values; expected 8 or 16 bit per channel. Convert the file.")
    height, width = stored.shape[:2]
    if min(height, width) < MIN_SIZE:
        raise InputError(f"{path}: is {width}x{height} pixels; at least {MIN_SIZE}x{MIN_SIZE} are needed.")
    return cast(Image, stored[:, :, None] if stored.ndim == 2 else cv2.cvtColor(stored, cv2.COLOR_BGR2RGB))


def read_image(path: Path, channels: Literal[1, 3]) -> Image:
    """Read an image file with the number of channels asked for.

    A grey file read with three channels has them equal. A colour file read with one channel becomes its luminance
    (ITU-R BT.601 weights); where its channels are equal, as in many infrared files, their value is kept exactly.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP file.
        channels: 3 for visible (RGB), 1 for infrared.

    Returns:
        (H, W, channels), uint8 for an 8-bit file and uint16 for a 16-bit one.

    Raises:
        InputError: As :func:`decode_image`.
    """
    stored = decode_image(path)
    if stored.shape[2] == channels:
        return stored
    if channels == 3:
        return cast(Image, np.repeat(stored, 3, axis=2))
    return cast(Image, cv2.cvtColor(stored, cv2.COLOR_RGB2GRAY)[:, :, None])


def to_tensor(image: Image) -> Tensor:
    """Convert an image to floating point.

    Args:
        image: (H, W, C), uint8 or uint16.

    Returns:
        (C, H, W) float32 in [0, 1]: the values over 255 or over 65535.
    """
    scale = np.float32(np.iinfo(image.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32) / scale)


class PairFiles:
    """Pairs of files on disk as a :class:`PairSource`.

    Args:
        pairs: What :func:`dream_if.data.layouts.find_pairs` returned, or any other list.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = list(pairs)

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
            InputError: A file cannot be used (see :func:`decode_image`), or the two differ in size.
        """
        pair = self.pairs[position]
        visible, infrared = read_image(pair.visible, 3), read_image(pair.infrared, 1)
        if visible.shape[:2] != infrared.shape[:2]:
            raise InputError(
                f"unequal sizes: {pair.visible} is {visible.shape[1]}x{visible.shape[0]} but {pair.infrared} is "
                f"{infrared.shape[1]}x{infrared.shape[0]} (width x height); a pair must be registered pixel by pixel."
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
