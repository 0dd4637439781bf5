"""Which corruptions a sample gets: compositions, and the batch as a pure function of (seed, epoch, index, source)."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dream_if.data.degradations.base import ALL_KINDS, OTHER, SOURCES, Degradation, Source, level_range
from dream_if.data.degradations.local import Local
from dream_if.data.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from dream_if.data.degradations.rain_blur_resize import Blur, Rain, Resize
from dream_if.errors import InputError

__all__ = [
    "Composition",
    "FixedDegradation",
    "RandomDegradations",
    "Shift",
    "applied",
    "degrade_batch",
    "sample_generator",
]


BITS = (*ALL_KINDS[:12], OTHER, *ALL_KINDS[12:])  # so that a kind which is appended moves no bit of a stored code


def sample_generator(
    seed: int, epoch: int, index: int, source: Source | Literal["pair"], split: str = "train"
) -> torch.Generator:
    """Make the generator of one sample: a pure function of its arguments.

    They are hashed (BLAKE2b), so that neighbouring samples, epochs and seeds share nothing. Torch's CPU generator
    keeps 32 bits of a seed: two samples coincide with a chance of one in four billion.

    Args:
        seed: Of the run.
        epoch: Fixed for validation and test, so that every method sees the same inputs.
        index: Position in the split.
        source: "visible", "infrared", or "pair" for what is drawn once for both.
        split: Salt that keeps equal positions of different splits apart.

    Returns:
        A fresh generator on the CPU.

    Raises:
        ValueError: If the source is none of these.
    """
    if source not in (*SOURCES, "pair"):
        raise ValueError(f"source: expected 'visible', 'infrared' or 'pair', got {source!r}")
    key = f"{int(seed)}/{int(epoch)}/{int(index)}/{source}/{split}"
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def applied(code: int) -> tuple[str, ...]:
    """Name the kinds in a degradation code, in the order of `ALL_KINDS`, and ``other`` for any that is not ours.

    Args:
        code: Bit mask: bit k stands for `ALL_KINDS[k]`, the one after these for `OTHER`, 0 for an untouched image.

    Raises:
        ValueError: If the code has a bit beyond the kinds there are.
    """
    if not 0 <= code < 1 << len(BITS):
        raise ValueError(f"code: expected 0 to {(1 << len(BITS)) - 1}, got {code}")
    return tuple(kind for bit, kind in enumerate(BITS) if code >> bit & 1)


def _in_order(kinds: Iterable[nn.Module], image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
    """Degrade an image by one kind after the other; the code of those that apply to it."""
    code = 0
    for kind in kinds:
        assert isinstance(kind, Degradation)  # ModuleList forgets the type
        if kind.applies_to(image):
            image = kind(image, kind.draw(generator, (image.shape[0], image.shape[1], image.shape[2])))
            code |= 1 << BITS.index(kind.name if kind.name in ALL_KINDS else OTHER)
    return image.float(), code


def _check(kind: object, name: str) -> None:
    if not isinstance(kind, Degradation):
        raise InputError(f"{name}: expected a degradation such as GaussianNoise, got {type(kind).__name__}")


class Composition(nn.Module, ABC):
    """Decides which degradations one image gets, and applies them."""

    def choose(self, generator: torch.Generator) -> tuple["Composition | None", "Composition | None"]:
        """Decide what the two images of one pair get.

        Args:
            generator: A CPU generator; the choice depends on nothing else.

        Returns:
            What to apply to the visible and to the infrared image, None to leave it; here `self` for both.
        """
        del generator
        return self, self

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
        kinds: What to choose from, each at most once per image; the paper's six with their default ranges if None. An
            image gets of them those that apply to its source.
        count: How many are applied to an image that is not left clean: a number, or (least, most), each as likely.
        clean: Probability that an image stays untouched, in [0, 1].
        local: Probability that each of the kinds of an image that is not left clean is confined to a region of its own,
            by `Local` with a random shape, in [0, 1].

    Raises:
        InputError: If `kinds` is empty or holds something else, or a number is out of range.
    """

    def __init__(
        self,
        kinds: Sequence[Degradation] | None = None,
        count: int | tuple[int, int] = (1, 2),
        clean: float = 0.2,
        local: float = 0.0,
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
        self.local = level_range("RandomDegradations.local", local, 0.0, 1.0)[0]

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image; see `Composition.forward`."""
        stays_clean = float(torch.rand((), generator=generator)) < self.clean
        if stays_clean:
            return image.float(), 0
        least, most = self.count
        count = least + int(torch.randint(most - least + 1, (), generator=generator))
        fitting = [kind for kind in self.kinds if isinstance(kind, Degradation) and kind.applies_to(image)]
        order = torch.randperm(len(fitting), generator=generator)[:count].tolist()
        chosen = [fitting[position] for position in order]
        if self.local and float(torch.rand((), generator=generator)) < self.local:
            chosen = [kind if isinstance(kind, Local) else Local(kind) for kind in chosen]
        return _in_order(chosen, image, generator)

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        return f"count={self.count}, clean={self.clean}, local={self.local}"


class FixedDegradation(Composition):
    """The same kind for every image, as in the paper's tables, or the same ones in the same order.

    A kind that applies to one source alone leaves the other as it is.

    Args:
        kind: For example `GaussianNoise(sigma=35)`, `Rain.at_level(2)`, or `[Haze(1.2), GaussianNoise(20)]` for haze
            that is then photographed with noise; None leaves every image untouched.

    Raises:
        InputError: If it is something else, holds nothing, or the same kind twice.
    """

    def __init__(self, kind: Degradation | list[Degradation] | None = None) -> None:
        super().__init__()
        kinds = list(kind) if isinstance(kind, (list, tuple)) else [] if kind is None else [kind]
        if not kinds and kind is not None:
            raise InputError("FixedDegradation.kind: expected one kind or several, got an empty list")
        for one in kinds:
            _check(one, "FixedDegradation.kind")
        names = [one.name for one in kinds]
        if len(set(names)) < len(names):
            raise InputError(f"FixedDegradation.kind: expected each kind once, got {', '.join(names)}")
        self.kinds = nn.ModuleList(kinds)

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image; see `Composition.forward`."""
        return _in_order(self.kinds, image, generator)


class Shift(Composition):
    """An infrared image that is not registered: moved to the right, its left border repeated.

    The visible one stays. The code is 0: nothing was done to the values.

    Args:
        pixels: By how many, from 0 to `MOST`.

    Raises:
        InputError: If it is something else.
    """

    MOST = 255

    def __init__(self, pixels: int) -> None:
        super().__init__()
        if isinstance(pixels, bool) or not isinstance(pixels, int) or not 0 <= pixels <= self.MOST:
            raise InputError(f"Shift.pixels: expected a whole number from 0 to {self.MOST}, got {pixels!r}")
        self.pixels = pixels

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Move one image; see `Composition.forward`.

        Raises:
            InputError: If the image is no wider than the shift.
        """
        del generator
        if image.shape[0] != 1:
            return image.float(), 0
        width = image.shape[-1]
        if self.pixels >= width:
            raise InputError(f"Shift.pixels: expected fewer than the {width} columns of an image, got {self.pixels}")
        columns = (torch.arange(width, device=image.device) - self.pixels).clamp(min=0)
        return image[..., columns].float(), 0


@torch.no_grad()
def degrade_batch(
    batch: dict[str, Any],
    composition: Composition | None,
    seed: int,
    epoch: int,
    split: str = "train",
    sources: Collection[Source] = SOURCES,
) -> dict[str, Any]:
    """Degrade a clean batch, each sample and each source on its own.

    The corruption of a sample depends on (seed, epoch, index, source, split) alone: not on the batch it is in, nor on
    the number of workers or devices. The arithmetic runs on the batch's device, in float32 even under autocast.

    Args:
        batch: With `visible` (B, 3, H, W) and `infrared` (B, 1, H, W), clean, in [0, 1], and `index` (B,) long.
        composition: What to do; its `choose` is asked once for each pair. None leaves all clean.
        seed: Of the run.
        epoch: Current epoch in training, a constant elsewhere.
        split: Salt, the split's name.
        sources: Those that may be degraded; the others stay clean.

    Returns:
        A new dict with everything in `batch`, where `visible` and `infrared` are degraded, `visible_clean` and
        `infrared_clean` hold the originals, and `visible_degradation` and `infrared_degradation`, (B,) long, the codes
        that `applied` names. All images are float32.

    Raises:
        ValueError: If there are not as many indices as images.
    """
    result = dict(batch)
    indices = batch["index"].tolist()
    chosen: list[tuple[Composition | None, Composition | None]] = [(None, None)] * len(indices)
    if composition is not None:
        chosen = [composition.choose(sample_generator(seed, epoch, index, "pair", split)) for index in indices]
    for position, source in enumerate(SOURCES):
        clean: Tensor = batch[source].float()
        if len(indices) != len(clean):
            raise ValueError(f"expected one index per {source} image, got {len(indices)} for {len(clean)}")
        degraded, codes = clean.clone(), [0] * len(clean)
        for sample, index in enumerate(indices):
            own = chosen[sample][position] if source in sources else None
            if own is not None:
                generator = sample_generator(seed, epoch, index, source, split)
                degraded[sample], codes[sample] = own(clean[sample], generator)
        result[source], result[f"{source}_clean"] = degraded, clean
        result[f"{source}_degradation"] = torch.tensor(codes, dtype=torch.long, device=clean.device)
    return result
