"""Tests whether dominance maps mean anything: statistics that can fail, and a control with the maps of other images."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from scipy.stats import spearmanr
from torch import Tensor, nn

from dream_if.losses import activity_target, local_error, reliability_target, trusted_activity_target
from dream_if.models import FusionOutput
from dream_if.models.enhancement import RelativeDominance

__all__ = ["STATISTICS", "ShuffledMaps", "dominance_statistics"]

STATISTICS: Mapping[str, str] = {
    "RD_visible": "mean of the visible source's map",
    "RD_deviation": "standard deviation of the map within the image",
    "RD_activity_rank": "Spearman correlation with where the visible source has the stronger structure",
    "RD_error_rank": "Spearman correlation with the infrared source's local error less the visible one's",
    "RD_trust_rank": "Spearman correlation with both together: structure that can be believed",
    "RD_fall": "by how much the mean map of the one corrupted source lies below its map of the clean pair",
    "RD_fall_inside": "the same within the corrupted region, where only a region is corrupted",
    "RD_fall_outside": "the same outside of it",
}
"""Statistics of the first map of `FusionOutput`, by name; NaN for an image where one has no meaning."""

VISIBLE_ERROR = 2 / 255  # smoothed error from which on a pixel counts as corrupted
WHOLE = 0.95  # a region larger than this part of the image, or smaller than the rest, is no region


def dominance_statistics(
    output: FusionOutput, of_clean: FusionOutput, sources: tuple[Tensor, Tensor], clean: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """All of `STATISTICS` for a batch, each (B,) float64 on the CPU.

    Args:
        output: what the network made of the sources; it has dominance maps.
        of_clean: what it made of the clean sources.
        sources: visible (B, 3, H, W) and infrared (B, 1, H, W) in [0, 1], as the network saw them.
        clean: likewise, before they were corrupted.
    """
    with torch.autocast("cpu", enabled=False):
        luminance = [rgb_to_grayscale(clean[0].float().cpu()), clean[1].float().cpu()]
        received = [rgb_to_grayscale(sources[0].float().cpu()), sources[1].float().cpu()]
        errors = [local_error(source, original) for source, original in zip(received, luminance, strict=True)]
        activity = activity_target(luminance[0], luminance[1])
        trusted = trusted_activity_target(luminance[0], luminance[1], reliability_target(errors[0], errors[1]))
    difference = errors[1] - errors[0]
    maps = [levels[0].double().cpu() for levels in (output.dominance_visible, output.dominance_infrared)]
    before = [levels[0].double().cpu() for levels in (of_clean.dominance_visible, of_clean.dominance_infrared)]
    rows = []
    for place, own in enumerate(maps[0]):
        falls = [(before[m] - maps[m])[place] for m in range(2)]
        rows.append(
            {
                "RD_visible": own.mean().item(),
                "RD_deviation": own.std().item(),
                "RD_activity_rank": _rank_correlation(own, activity[place]),
                "RD_error_rank": _rank_correlation(own, difference[place]),
                "RD_trust_rank": _rank_correlation(own, trusted[place]),
                **_falls(falls, [error[place] > VISIBLE_ERROR for error in errors]),
            }
        )
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in STATISTICS}


def _rank_correlation(values: Tensor, others: Tensor) -> float:
    """Spearman's, of every second row and column; NaN if one of the two is the same everywhere."""
    values, others = values[..., ::2, ::2], others[..., ::2, ::2]
    if values.min() == values.max() or others.min() == others.max():
        return float("nan")
    return float(spearmanr(values.flatten().numpy(), others.flatten().numpy()).statistic)


def _falls(falls: list[Tensor], regions: list[Tensor]) -> dict[str, float]:
    """How far the map of the one corrupted source falls, everywhere, within the region and outside of it."""
    undefined = float("nan")
    found = dict.fromkeys(("RD_fall", "RD_fall_inside", "RD_fall_outside"), undefined)
    corrupted = [m for m, region in enumerate(regions) if region.any()]
    if len(corrupted) == 1:
        fall, region = falls[corrupted[0]], regions[corrupted[0]]
        found["RD_fall"] = fall.mean().item()
        if 1 - WHOLE < region.double().mean() < WHOLE:
            found["RD_fall_inside"], found["RD_fall_outside"] = fall[region].mean().item(), fall[~region].mean().item()
    return found


class ShuffledMaps:
    """Runs a network again with the dominance maps of another image in place of its own: a control.

    If the network fuses as well so, its maps are decoration. The maps come from one of the images before of another
    name, drawn by chance, under whichever condition that was seen; without any, as for the first, they are its own,
    mirrored. Of a batch, the first pair's maps are remembered and given.

    Args:
        net: any network; one without RD fuses as ever.
        remembered: how many images before are drawn from.
    """

    def __init__(self, net: nn.Module, remembered: int = 64) -> None:
        self.modules = [module for module in net.modules() if isinstance(module, RelativeDominance)]
        self.net = net
        self.remembered = remembered
        self.own: list[Tensor] = []
        self.pool: list[tuple[str, list[Tensor]]] = []
        self.random = random.Random(0)  # noqa: S311  (an experiment, not a secret)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within, the network is run once, as it is, and its maps are noted."""
        self.own = []
        with self._hooked(lambda _, found: self.own.append(found)):
            yield

    def __call__(self, visible: Tensor, infrared: Tensor, name: str) -> Tensor:
        """The fused image, (B, 3, H, W), of the pair of this name that was noted last, with maps of another one."""
        own = [torch.cat([half[:1] for half in found.chunk(2)]).cpu() for found in self.own]
        fitting = [maps for other, maps in self.pool if other != name]
        others = self.random.choice(fitting) if fitting else [found.flip(-1) for found in own]
        self.pool = [*self.pool, (name, own)][-self.remembered :]
        with self._hooked(lambda place, found: _resized(others[place], found)):
            fused: Tensor = self.net(visible, infrared).fused
        return fused

    @contextmanager
    def _hooked(self, replace: Callable[[int, Tensor], Tensor | None]) -> Iterator[None]:
        handles = [
            module.register_forward_hook(lambda _module, _given, found, place=place: replace(place, found))
            for place, module in enumerate(self.modules)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _resized(other: Tensor, own: Tensor) -> Tensor:
    """The map of another image, of the size and the number of images of this one."""
    resized = F.interpolate(other.to(own), size=own.shape[-2:], mode="bilinear")
    return torch.cat([half.expand(len(own) // 2, -1, -1, -1) for half in resized.chunk(2)])
