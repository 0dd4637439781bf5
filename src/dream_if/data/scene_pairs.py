"""Generated scenes as a source of pairs."""

from functools import lru_cache

import numpy as np

from dream_if.data.pairs import Image
from dream_if.data.scenes import generate_scene
from dream_if.data.splits import Split

__all__ = ["ScenePairs"]


@lru_cache(maxsize=256)  # a scene costs more to paint than a file to decode, and every epoch asks again
def _scene(seed: int, index: int, size: tuple[int, int]) -> tuple[Image, Image]:
    scene = generate_scene(seed, index, size)
    return scene.visible, scene.infrared[:, :, np.newaxis]


class ScenePairs:
    """Generated scenes as a source of pairs; the splits share no scene.

    Args:
        split: which split.
        count: how many scenes it has.
        seed: of the scenes.
        size: height and width in pixels.
    """

    FIRST: dict[Split, int] = {"train": 0, "val": 1_000_000, "test": 2_000_000}  # noqa: RUF012  (read only)

    def __init__(self, split: Split, count: int, seed: int, size: tuple[int, int]) -> None:
        self.first = self.FIRST[split]
        self.count = count
        self.seed = seed
        self.size = size

    def __len__(self) -> int:
        """How many scenes."""
        return self.count

    def read(self, position: int) -> tuple[Image, Image, str]:
        """Visible (H, W, 3), infrared (H, W, 1), both uint8, and the scene's name."""
        return *_scene(self.seed, self.first + position, self.size), f"scene_{position:05d}"
