"""Which corruptions a sample gets: compositions, and the batch as a pure function of (seed, epoch, index, source)."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dream_if.data.degradations.base import KINDS, Degradation, level_range
from dream_if.data.degradations.kinds import Blur, GaussianNoise, PoissonNoise, Rain, Resize, SpeckleNoise
from dream_if.errors import InputError

__all__ = ["Composition", "FixedDegradation", "RandomDegradations", "applied", "degrade_batch", "sample_generator"]

Source = Literal["visible", "infrared"]
SOURCES: tuple[Source, Source] = ("visible", "infrared")


def sample_generator(seed: int, epoch: int, index: int, source: Source, split: str = "train") -> torch.Generator:
    """Make the generator of one sample: a pure function of its arguments.

    They are hashed (BLAKE2b), so that neighbouring samples, epochs and seeds share nothing. Torch's CPU generator
    keeps 32 bits of a seed: two samples coincide with a chance of one in four billion.

    Args:
        seed: Of the run.
        epoch: Fixed for validation and test, so that every method sees the same inputs.
        index: Position in the split.
        source: "visible" or "infrared".
        split: Salt that keeps equal positions of different splits apart.

    Returns:
        A fresh generator on the CPU.

    Raises:
        ValueError: If the source is neither.
    """
    if source not in SOURCES:
        raise ValueError(f"source: expected 'visible' or 'infrared', got {source!r}")
    key = f"{int(seed)}/{int(epoch)}/{int(index)}/{source}/{split}"
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def applied(code: int) -> tuple[str, ...]:
    """Name the kinds in a degradation code, in the order of `KINDS`.

    Args:
        code: Bit mask: bit k stands for `KINDS[k]`, 0 for an untouched image.

    Raises:
        ValueError: If the code has a bit beyond the kinds there are.
    """
    if not 0 <= code < 1 << len(KINDS):
        raise ValueError(f"code: expected 0 to {(1 << len(KINDS)) - 1}, got {code}")
    return tuple(kind for bit, kind in enumerate(KINDS) if code >> bit & 1)


def _code(kind: Degradation) -> int:
    return 1 << KINDS.index(kind.name)


def _check(kind: object, name: str) -> None:
    if not isinstance(kind, Degradation):
        raise InputError(f"{name}: expected a degradation such as GaussianNoise, got {type(kind).__name__}")
    if kind.name not in KINDS:
        raise InputError(f"{name}: the name of a kind must be in KINDS {KINDS}, got {kind.name!r}")


class Composition(nn.Module, ABC):
    """Decides which degradations one image gets, and applies them."""

    @abstractmethod
    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image.

        Args:
            image: (C, H, W) in [0, 1], on any device.
            generator: A CPU generator; the result depends on nothing else.

        Returns:
            The image (C, H, W), float32 in [0, 1], and its degradation code (see `applied`).
        """


class RandomDegradations(Composition):
    """One or more random kinds in random order, with a share of clean samples.

    Args:
        kinds: What to choose from, each at most once per image; all six with their default ranges if None.
        count: How many are applied to an image that is not left clean: a number, or (least, most), each as likely.
        clean: Probability that an image stays untouched, in [0, 1].

    Raises:
        InputError: If `kinds` is empty or holds something else, or a number is out of range.
    """

    def __init__(
        self, kinds: Sequence[Degradation] | None = None, count: int | tuple[int, int] = (1, 2), clean: float = 0.2
    ) -> None:
        super().__init__()
        if kinds is None:
            kinds = (GaussianNoise(), PoissonNoise(), SpeckleNoise(), Rain(), Blur(), Resize())
        if len(kinds) == 0:
            raise InputError("RandomDegradations.kinds: expected at least one kind, got none; leave it out for all six")
        for kind in kinds:
            _check(kind, "RandomDegradations.kinds")
        self.kinds = nn.ModuleList(kinds)
        least, most = level_range("RandomDegradations.count", count, 1, len(kinds))
        if least % 1 or most % 1:
            raise InputError(f"RandomDegradations.count: expected whole numbers, got {count!r}")
        self.count = (int(least), int(most))
        self.clean = level_range("RandomDegradations.clean", clean, 0.0, 1.0)[0]

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image; see `Composition.forward`."""
        stays_clean = float(torch.rand((), generator=generator)) < self.clean
        if stays_clean:
            return image.float(), 0
        least, most = self.count
        count = least + int(torch.randint(most - least + 1, (), generator=generator))
        code = 0
        for position in torch.randperm(len(self.kinds), generator=generator)[:count].tolist():
            kind = self.kinds[position]
            assert isinstance(kind, Degradation)  # ModuleList forgets the type
            image = kind(image, kind.draw(generator, (image.shape[0], image.shape[1], image.shape[2])))
            code |= _code(kind)
        return image, code

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        return f"count={self.count}, clean={self.clean}"


class FixedDegradation(Composition):
    """The same kind for every image, as in the paper's tables; None leaves them untouched.

    Args:
        kind: For example `GaussianNoise(sigma=35)` or `Rain.at_level(2)`.

    Raises:
        InputError: If it is something else.
    """

    def __init__(self, kind: Degradation | None = None) -> None:
        super().__init__()
        if kind is not None:
            _check(kind, "FixedDegradation.kind")
        self.kind = kind

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image; see `Composition.forward`."""
        if self.kind is None:
            return image.float(), 0
        drawn = self.kind.draw(generator, (image.shape[0], image.shape[1], image.shape[2]))
        return self.kind(image, drawn), _code(self.kind)


@torch.no_grad()
def degrade_batch(
    batch: dict[str, Any],
    visible: Composition | None,
    infrared: Composition | None,
    seed: int,
    epoch: int,
    split: str = "train",
) -> dict[str, Any]:
    """Degrade a clean batch, each sample and each source on its own.

    The corruption of a sample depends on (seed, epoch, index, source, split) alone: not on the batch it is in, nor on
    the number of workers or devices. The arithmetic runs on the batch's device, in float32 even under autocast.

    Args:
        batch: With `visible` (B, 3, H, W) and `infrared` (B, 1, H, W), clean, in [0, 1], and `index` (B,) long.
        visible: For the visible source; None leaves it clean.
        infrared: For the infrared source; None leaves it clean.
        seed: Of the run.
        epoch: Current epoch in training, a constant elsewhere.
        split: Salt, the split's name.

    Returns:
        A new dict with everything in `batch`, where `visible` and `infrared` are degraded, `visible_clean` and
        `infrared_clean` hold the originals, and `visible_degradation` and `infrared_degradation`, (B,) long, the codes
        that `applied` names. All images are float32.

    Raises:
        ValueError: If there are not as many indices as images.
    """
    result = dict(batch)
    indices = batch["index"].tolist()
    for source, composition in zip(SOURCES, (visible, infrared), strict=True):
        clean: Tensor = batch[source].float()
        if len(indices) != len(clean):
            raise ValueError(f"expected one index per {source} image, got {len(indices)} for {len(clean)}")
        degraded, codes = clean, [0] * len(clean)
        if composition is not None:
            generators = [sample_generator(seed, epoch, index, source, split) for index in indices]
            pairs = [composition(image, generator) for image, generator in zip(clean, generators, strict=True)]
            degraded, codes = torch.stack([image for image, _ in pairs]), [code for _, code in pairs]
        result[source], result[f"{source}_clean"] = degraded, clean
        result[f"{source}_degradation"] = torch.tensor(codes, dtype=torch.long, device=clean.device)
    return result
