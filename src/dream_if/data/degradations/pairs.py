"""Compositions that decide about both images of a pair: which of them is corrupted, and how."""

from abc import abstractmethod
from bisect import bisect
from itertools import accumulate

import torch
from torch import Tensor, nn

from dream_if.data.degradations.base import SOURCES, Source, level_range, source_of
from dream_if.data.degradations.compose import Composition
from dream_if.errors import InputError

__all__ = ["Mixed", "OneSided"]


class _Pairwise(Composition):
    """A composition that chooses another one for each pair."""

    @abstractmethod
    def choose(self, generator: torch.Generator) -> tuple[Composition | None, Composition | None]:
        """Decide what the two images of one pair get; see `Composition.choose`."""

    def forward(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
        """Degrade one image without its partner, by what is chosen for its source; see `Composition.forward`."""
        chosen = self.choose(generator)[SOURCES.index(source_of(image))]
        return (image.float(), 0) if chosen is None else chosen(image, generator)


class OneSided(_Pairwise):
    """Corrupts one source of each pair and leaves the other as it is.

    A kind that does not apply to the source drawn leaves it too: name such a source by `source`.

    Args:
        of: What the source gets.
        source: Which one: "visible" or "infrared"; drawn for each pair, each as likely, if None.

    Raises:
        InputError: If `of` is no composition, or there is no such source.
    """

    def __init__(self, of: Composition, source: Source | None = None) -> None:
        super().__init__()
        if not isinstance(of, Composition):
            raise InputError(f"OneSided.of: expected a composition such as RandomDegradations, got {_kind(of)}")
        if source not in (None, *SOURCES):
            raise InputError(f"OneSided.source: expected {' or '.join(SOURCES)}, or null for either; got {source!r}")
        self.of = of
        self.source = source

    def choose(self, generator: torch.Generator) -> tuple[Composition | None, Composition | None]:
        """Draw the source, and leave the other; see `Composition.choose`."""
        source = self.source or SOURCES[int(torch.randint(len(SOURCES), (), generator=generator))]
        visible, infrared = self.of.choose(generator)
        return (visible, None) if source == "visible" else (None, infrared)

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        return f"source={self.source}"


class Mixed(_Pairwise):
    """Gives each pair one of several compositions.

    Args:
        of: What to choose from; `FixedDegradation()` leaves a pair clean.
        shares: How often each is chosen, relative to the others: [2, 1] is two thirds and one third. Each as likely if
            None.

    Raises:
        InputError: If `of` is empty or holds something else, or the shares are not one number from 0 up for each, one
            of them above 0.
    """

    def __init__(self, of: list[Composition], shares: list[float] | None = None) -> None:
        super().__init__()
        wrong = [one for one in of if not isinstance(one, Composition)]
        if wrong or not of:
            got = _kind(wrong[0]) if wrong else "an empty list"
            raise InputError(f"Mixed.of: expected compositions such as RandomDegradations, got {got}")
        each = [1.0] * len(of) if shares is None else [level_range("Mixed.shares", one, 0.0)[0] for one in shares]
        if len(each) != len(of) or not sum(each):
            raise InputError(f"Mixed.shares: expected {len(of)} numbers, not all 0; got {shares!r}")
        self.of = nn.ModuleList(of)
        self.shares = each

    def choose(self, generator: torch.Generator) -> tuple[Composition | None, Composition | None]:
        """Draw the composition, and let it choose; see `Composition.choose`."""
        edges = list(accumulate(self.shares))
        chosen = self.of[bisect(edges, float(torch.rand((), generator=generator)) * edges[-1])]
        assert isinstance(chosen, Composition)  # ModuleList forgets the type
        return chosen.choose(generator)

    def extra_repr(self) -> str:
        """Show the settings where the module is printed."""
        return f"shares={self.shares}"


def _kind(found: object) -> str:
    return type(found).__name__
