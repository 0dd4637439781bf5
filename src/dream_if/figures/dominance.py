"""Dominance maps over the levels of the decoder: which source the network trusts where, from coarse to fine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dream_if.figures.drawing import GAP, HEAD, SIDE, Box, Page
from dream_if.models import FusionNetwork

__all__ = ["MappedScene", "draw_dominance", "map_scene"]


@dataclass(frozen=True)
class MappedScene:
    """Two rows of the figure: the visible source and its maps, the infrared one and its maps.

    Attributes:
        name: as it stands at the left.
        visible: (H, W, 3) in [0, 1].
        infrared: (H, W) in [0, 1].
        dominance_visible: (h, w) in [0, 1], the maps of `dream_if.models.FusionOutput` in their order.
        dominance_infrared: likewise.
    """

    name: str
    visible: npt.NDArray[np.float32]
    infrared: npt.NDArray[np.float32]
    dominance_visible: tuple[npt.NDArray[np.float32], ...]
    dominance_infrared: tuple[npt.NDArray[np.float32], ...]


@torch.inference_mode()
def map_scene(
    net: FusionNetwork, name: str, visible: npt.NDArray[np.float32], infrared: npt.NDArray[np.float32]
) -> MappedScene:
    """Run the network on a pair, whole and in float32, and keep its maps.

    Args:
        net: a network with dominance maps, on the CPU.
        name: of the scene.
        visible: (H, W, 3) in [0, 1].
        infrared: (H, W) in [0, 1].
    """
    found = net(torch.from_numpy(visible).permute(2, 0, 1)[None], torch.from_numpy(infrared)[None, None])
    maps = [
        tuple(level[0, 0].float().numpy() for level in levels)
        for levels in (found.dominance_visible, found.dominance_infrared)
    ]
    return MappedScene(name, visible, infrared, *maps)


def draw_dominance(scenes: Sequence[MappedScene], out: Path, *, width: float = 1.4, dpi: float = 300) -> None:
    """Draw sources and maps, coarse to fine, and write them.

    The two maps of a level and scene share one scale of colours, from the least to the largest value of both, which
    are printed on them: so the sources can be compared, and a level that hardly varies is seen to hardly vary.

    Args:
        scenes: two rows each.
        out: PNG, PDF or SVG file.
        width: of a column, in inches.
        dpi: dots per inch.

    Raises:
        InputError: The file cannot be written, or would be too large.
    """
    levels = len(scenes[0].dominance_visible)
    heights = [width * scene.infrared.shape[0] / scene.infrared.shape[1] for scene in scenes]
    page = Page(SIDE + (levels + 1) * (width + GAP), HEAD + 2 * sum(height + GAP for height in heights), out)
    for column, title in enumerate(["source", *reversed(_titles(scenes[0].dominance_visible))]):
        page.text(title, SIDE + column * (width + GAP) + width / 2, HEAD / 2)
    top = HEAD
    for scene, height in zip(scenes, heights, strict=True):
        page.text(scene.name, SIDE / 2, top + height, rotation=90)
        spans = [
            (float(min(one.min(), other.min())), float(max(one.max(), other.max())))
            for one, other in zip(scene.dominance_visible, scene.dominance_infrared, strict=True)
        ]
        rows = (scene.visible, scene.dominance_visible), (scene.infrared, scene.dominance_infrared)
        for source, maps in rows:
            page.picture(source, Box(SIDE, top, width, height))
            for column, level in enumerate(reversed(range(levels)), start=1):
                low, high = spans[level]
                place = Box(SIDE + column * (width + GAP), top, width, height)
                axes = page.picture(maps[level], place, cmap="viridis", vmin=low, vmax=high)
                own = f"{maps[level].min():.3f} to {maps[level].max():.3f}"
                box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.0}
                axes.text(0.02, 0.03, own, transform=axes.transAxes, fontsize=5, va="bottom", bbox=box)
            top += height + GAP
    page.save(dpi)


def _titles(maps: Sequence[npt.NDArray[np.float32]]) -> list[str]:
    """What each map is; the first of two at full size is the fusion weight."""
    height = maps[0].shape[0]
    scales = [round(height / level.shape[0]) for level in maps]
    titles = [f"1/{scale} of the size" if scale > 1 else "full size" for scale in scales]
    return ["fusion weight", *titles[1:]] if scales.count(1) > 1 else titles
