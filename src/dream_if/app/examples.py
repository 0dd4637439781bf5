"""Example pairs: generated road scenes, so that the page needs nobody's data."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from dream_if.app.display import Shown, shown_infrared, shown_visible
from dream_if.data.scenes import save_scenes
from dream_if.inference.intensity import InfraredRange
from dream_if.inference.pictures import read_picture

__all__ = ["Example", "make_examples"]

COUNT = 4
SEED = 14  # of whose scenes the first four are day, night, day, night, with people and vehicles in each
SIZE = (384, 512)


class Example(NamedTuple):
    """Files of one pair, and both side by side for its thumbnail, (H, 2W, 3) of uint8."""

    visible: Path
    infrared: Path
    thumbnail: Shown


def make_examples(folder: Path, count: int = COUNT, size: tuple[int, int] = SIZE) -> list[Example]:
    """Write generated pairs into a new folder. The same ones every time.

    Args:
        folder: to make.
        count: of pairs.
        size: height and width in pixels.

    Raises:
        InputError: The folder is in use or cannot be written to.
    """
    save_scenes(folder, {"examples": count}, seed=SEED, size=size)
    return [_example(file, folder / "examples" / "ir" / file.name) for file in sorted(folder.glob("examples/vi/*.png"))]


def _example(visible: Path, infrared: Path) -> Example:
    sides = shown_visible(read_picture(visible)), shown_infrared(read_picture(infrared), InfraredRange())
    return Example(visible, infrared, np.concatenate(sides, axis=1))
