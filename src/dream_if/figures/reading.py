"""The pairs of a figure, and their pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.figures.grid import SceneRow
from dream_if.inference.engine import check_pair
from dream_if.inference.intensity import InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import read_picture
from dream_if.storage import Pair, match

__all__ = ["MOST", "SOURCES", "choose_pairs", "read_scenes", "read_sources"]

MOST = 3  # scenes, where none are named
SOURCES = ("visible", "infrared")  # names of their columns


def choose_pairs(visible: Path, infrared: Path, scenes: str | None) -> list[Pair]:
    """The pairs that are asked for, in that order."""
    matches = match(visible, infrared)
    found = {pair.name: pair for pair in matches.pairs}
    if not found:
        raise InputError(f"no pair of images in {visible} and {infrared}; partners have the same stem.")
    if scenes is None:
        return list(found.values())[:MOST]
    wanted = list(dict.fromkeys(name.strip() for name in scenes.split(",") if name.strip()))
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        known = ", ".join(list(found)[:5]) + (", ..." if len(found) > 5 else "")
        raise InputError(
            f"--scenes: {', '.join(missing) or 'no name given'}: no pair of this stem in {visible} and {infrared}; "
            f"there are {known}."
        )
    return [found[name] for name in wanted]


def read_sources(pair: Pair) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Visible (H, W, 3) and infrared (H, W), in [0, 1]."""
    visible, infrared = read_picture(pair.visible), read_picture(pair.infrared)
    check_pair(visible, infrared)
    return _coloured(visible_values(visible)), infrared_values(infrared, InfraredRange())[0]


def _coloured(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.array(np.broadcast_to(values, (*values.shape[:2], 3)))  # to be written to, as torch wants it


def read_scenes(pairs: Sequence[Pair], methods: Mapping[str, Path], visible: Path) -> list[SceneRow]:
    """The rows of a comparison.

    Raises:
        InputError: A method has no image of a scene, or one of another size.
    """
    files = {
        name: {pair.name: pair.infrared for pair in match(visible, folder).pairs} for name, folder in methods.items()
    }
    scenes = []
    for pair in pairs:
        pictures = dict(zip(SOURCES, read_sources(pair), strict=True))
        for name, found in files.items():
            if pair.name not in found:
                raise InputError(f"{name}: no image of the stem {pair.name} in {methods[name]}.")
            values = _coloured(visible_values(read_picture(found[pair.name])))
            if values.shape[:2] != pictures["visible"].shape[:2]:
                raise InputError(
                    f"{found[pair.name]} is {values.shape[1]}x{values.shape[0]}, and its sources are "
                    f"{pictures['visible'].shape[1]}x{pictures['visible'].shape[0]} (width x height); boxes would show "
                    "other places. Scale it first."
                )
            pictures[name] = values
        scenes.append(SceneRow(pair.name, pictures))
    return scenes
