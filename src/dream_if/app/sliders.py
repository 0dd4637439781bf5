"""What the sliders of the page do to the sources: kinds of degradation at chosen levels, the same for the same seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import torch

from dream_if.data.degradations import ALL_KINDS, KIND_CLASSES, Degradation, sample_generator
from dream_if.errors import InputError
from dream_if.inference.intensity import InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import Picture

__all__ = ["CHAIN", "DEGRADED", "MOST", "TITLES", "Sliders", "Source"]

Source: TypeAlias = Literal["visible", "infrared"]
Degraded: TypeAlias = Literal["both", "visible", "infrared"]
DEGRADED: tuple[str, ...] = get_args(Degraded)

TITLES = {
    "haze": "Haze (visible)",
    "low_light": "Low light (visible)",
    "over_exposure": "Over-exposure (visible)",
    "rain": "Rain",
    "blur": "Blur",
    "resize": "Low resolution",
    "poisson": "Photon noise",
    "speckle": "Speckle noise",
    "gaussian": "Gaussian noise",
    "stripes": "Stripe noise (infrared)",
    "low_contrast": "Low contrast (infrared)",
    "jpeg": "JPEG compression",
}
"""Kind -> what its slider is called, in the order in which a picture meets them: before the lens, in it, on the sensor,
in the file."""

CHAIN: Mapping[str, type[Degradation]] = {name: KIND_CLASSES[name] for name in TITLES}
"""The kinds by name, in this order."""

MOST = min(len(kind.LEVELS) for kind in CHAIN.values())
"""The highest level that there is of every kind; the lowest is 1."""


@dataclass(frozen=True)
class Sliders:
    """Which degradations the sources suffer.

    Attributes:
        levels: name of the kind -> level, 0 for none; kinds left out are none.
        sources: ``both``, ``visible`` or ``infrared``.
        seed: of what a level leaves to chance. It is drawn for each kind and source on its own, so that moving one
            slider changes nothing of what the others do.

    Raises:
        InputError: A kind, a level or the sources are not known, or the seed is no whole number.
    """

    levels: Mapping[str, int] = field(default_factory=dict)
    sources: Degraded = "both"
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, level in self.levels.items():
            if kind not in CHAIN or level not in range(MOST + 1):
                raise InputError(
                    f"degradation {kind} at level {level}: expected one of {', '.join(CHAIN)}, at 0 to {MOST}."
                )
        if self.sources not in DEGRADED:
            raise InputError(f"degraded source: expected {', '.join(DEGRADED)}, got {self.sources!r}.")
        if not isinstance(self.seed, int):
            raise InputError(f"seed: expected a whole number, got {self.seed!r}.")

    @property
    def kinds(self) -> dict[str, int]:
        """Names and levels of the kinds that are used, in the order in which they come."""
        return {kind: int(self.levels[kind]) for kind in CHAIN if self.levels.get(kind)}

    def degrades(self, source: Source) -> bool:
        """Whether this source suffers anything."""
        suits = any(source in CHAIN[kind].SOURCES for kind in self.kinds)
        return suits and self.sources in ("both", source)

    @torch.no_grad()
    def degrade(self, picture: Picture, source: Source, span: InfraredRange) -> Picture:
        """What becomes of a source.

        Args:
            picture: the source as it was read.
            source: which of the two it is.
            span: which infrared values become black and white.

        Returns:
            The picture itself if it suffers nothing. Else one with float32 pixels in [0, 1], without colours where it
            had none, and with everything else as it was.

        Raises:
            InputError: Its values cannot be used, see `visible_values` and `infrared_values`.
        """
        if not self.degrades(source):
            return picture
        notes = picture.notes
        if source == "infrared":
            grey, said = infrared_values(picture, span)
            image, notes = torch.from_numpy(grey)[None], (*notes, *said)
        else:
            image = torch.from_numpy(visible_values(picture)).permute(2, 0, 1)
            if (image == image[:1]).all():  # grey stored as colours: noise is not to give it any
                image = image[:1]
        for kind, level in self.kinds.items():
            if source not in CHAIN[kind].SOURCES:
                continue
            chance = sample_generator(self.seed, 0, ALL_KINDS.index(kind), source, "app")
            degradation = CHAIN[kind].at_level(level)
            image = degradation(image, degradation.draw(chance, (image.shape[0], image.shape[1], image.shape[2])))
        return replace(picture, pixels=image.permute(1, 2, 0).contiguous().numpy(), notes=notes)
