"""Which sources should not be trusted, by simple statistics: black, white, flat, fogged or frozen."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["Doubt", "FrameDoubts", "doubt"]

SIDE = 320  # pixels of the longer side at most: the noise of a sensor is averaged away
LEAST_CONTRAST = {"visible": 48, "infrared": 24}  # of 255 levels between the 1 and 99 percentiles
MOST_BLACK, MOST_WHITE = 0.75, 0.5  # shares of pixels within two levels of it: heat on black ground is normal

STILL = 0.1  # of 255 levels from frame to frame, on average: below it nothing changes, compression aside
MOVES = 1.0  # likewise: from it on something does
FROZEN = 10  # frames


class Doubt(NamedTuple):
    """A source that shows too little: its name, how much it is distrusted from 0 to 1, and why."""

    name: str
    amount: float
    reasons: str

    def __str__(self) -> str:
        return f"{self.name}: distrusted {self.by}"

    @property
    def by(self) -> str:
        """How much and why, in words."""
        return f"by {self.amount:.2f} of 1: {self.reasons}"


def doubt(grey: npt.NDArray[np.float32], role: Literal["visible", "infrared"], name: str) -> Doubt | None:
    """How far a source shows too little; None where it shows enough.

    Args:
        grey: (H, W) in [0, 1], as the network gets it.
        role: which source it is.
        name: what messages call it.
    """
    height, width = grey.shape
    scale = min(1, SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
    low, high = (float(end) * 255 for end in np.percentile(np.asarray(small), (1, 99)))
    black, white = float((grey <= 2 / 255).mean()), float((grey >= 253 / 255).mean())
    found = [
        (1 - (high - low) / LEAST_CONTRAST[role], f"its contrast is {high - low:.0f} of 255 levels"),
        ((black - MOST_BLACK) / (1 - MOST_BLACK), f"{black:.0%} of its pixels are black"),
        ((white - MOST_WHITE) / (1 - MOST_WHITE), f"{white:.0%} of its pixels are white"),
    ]
    amount = max(share for share, _ in found)
    return Doubt(name, amount, ", ".join(said for share, said in found if share > 0)) if amount > 0 else None


class FrameDoubts:
    """Counts the distrusted and the frozen frames of the two sources of a video.

    A source is frozen from the tenth frame on in which it stays as it was while the other moves: fewer are the repeats
    of a slower camera.
    """

    def __init__(self) -> None:
        self._frames = 0
        self._before: dict[str, npt.NDArray[np.float32]] = {}
        self._still: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, sources: Mapping[str, npt.NDArray[np.float32]], doubts: Iterable[Doubt]) -> None:
        """Take up the next pair of frames.

        Args:
            sources: name -> (H, W) in [0, 1].
            doubts: what `doubt` says of them.
        """
        self._frames += 1
        change = {name: _change(grey, self._before.get(name)) for name, grey in sources.items()}
        self._before = dict(sources)
        for name in sources:
            still = change[name] < STILL and max(change.values()) >= MOVES
            self._still[name] = self._still[name] + 1 if still else 0
            if self._still[name] >= FROZEN:
                self._count(f"{name}: frozen while the other source moves", f"{self._frames}")
        for found in doubts:
            self._count(f"{found.name}: distrusted", f"{self._frames} {found.by}")

    def _count(self, what: str, frame: str) -> None:
        self._found[what] += 1
        self._first.setdefault(what, frame)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each source and what is wrong with it."""
        return tuple(
            f"{what} in {count} of {self._frames} frames, first in frame {self._first[what]}"
            for what, count in self._found.items()
        )


def _change(grey: npt.NDArray[np.float32], before: npt.NDArray[np.float32] | None) -> float:
    """Mean change since the frame before, of 255 levels; 0 for the first."""
    return 0.0 if before is None else float(np.abs(grey - before).mean()) * 255
