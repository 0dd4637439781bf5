"""One pair of a test set and everything computed from it, each once."""

import hashlib

import torch
from torch import Tensor

from dream_if.data.conditions import CLEAN, Condition, under
from dream_if.data.pairs import Sample
from dream_if.methods.method import PairId
from dream_if.methods.rows import Row

__all__ = ["ScoredPair", "sample_digest"]


def sample_digest(sample: Sample) -> str:
    """Hash of both clean images, and of the position that seeds their corruption."""
    found = hashlib.sha256(str(sample["index"].tolist()).encode())
    for image in (sample["visible"], sample["infrared"]):
        found.update(str(tuple(image.shape)).encode())
        found.update(image.numpy().tobytes())
    return found.hexdigest()


class ScoredPair:
    """One pair under conditions, restored and fused.

    Args:
        sample: the pair, clean, as a batch of one.
        set_name: of which set.
        device: where everything is computed.
    """

    def __init__(self, sample: Sample, set_name: str, device: torch.device) -> None:
        self.sample = sample
        self.set_name = set_name
        self.name = sample["name"][0]
        self.digest = sample_digest(sample)
        self.device = device
        self.clean = sample["visible"].to(device), sample["infrared"].to(device)
        self._sources: dict[str, tuple[Tensor, Tensor]] = {}
        self._restored: dict[tuple[str, str], tuple[Tensor, Tensor]] = {}
        self._fused: dict[tuple[str, str], Tensor] = {}

    def sources(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Visible (1, 3, H, W) and infrared (1, 1, H, W) under a condition."""
        if condition.name not in self._sources:
            visible, infrared = under(self.sample, condition)
            self._sources[condition.name] = visible.to(self.device), infrared.to(self.device)
        return self._sources[condition.name]

    def fused(self, row: Row, condition: Condition = Condition()) -> Tensor:  # noqa: B008  (frozen)
        """What a row makes of the pair under a condition, (1, 1 or 3, H, W)."""
        known = row.name, condition.name
        if known not in self._fused:
            self._fused[known] = row.method.fuse(*self.given_to(row, condition), self.under(condition))
        return self._fused[known]

    def given_to(self, row: Row, condition: Condition) -> tuple[Tensor, Tensor]:
        """Both sources as a row's method gets them."""
        if row.restorer is None:
            return self.sources(condition)
        known = row.restorer.key, condition.name
        if known not in self._restored:
            self._restored[known] = row.restorer(*self.sources(condition), self.under(condition))
        return self._restored[known]

    def under(self, condition: Condition) -> PairId:
        """Which pair it is under a condition."""
        return PairId(self.set_name, condition.name, self.name)

    def forget(self, condition: Condition) -> None:
        """Free what was made under a condition, but for the clean one."""
        if condition.name == CLEAN:
            return
        self._sources.pop(condition.name, None)
        self._restored = {key: value for key, value in self._restored.items() if key[1] != condition.name}
        self._fused = {key: value for key, value in self._fused.items() if key[1] != condition.name}
