"""Which pairs make up an epoch, and which process sees which of them."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch.utils.data import Dataset, DistributedSampler

__all__ = ["Mix", "TrainingSampler", "WithoutDuplicates", "spread_evenly"]

Mix: TypeAlias = Literal["proportional", "equal"]

ROUND = 1 << 20
"""More epochs than any training has: what keeps the repetitions of a pair within one epoch apart from later epochs."""


class TrainingSampler(DistributedSampler[Any]):
    """Positions of training pairs in random order, the same order for any number of processes.

    The order is a pure function of (seed, epoch), and process ``r`` of ``n`` takes every n-th position from ``r`` on.
    So the pairs that ``n`` processes see in one step are those that one process sees with an n-fold batch. A remainder
    that the processes cannot share is left out of the epoch.

    It is a `DistributedSampler` so that Lightning leaves it as it is, and tells it the epoch.

    Args:
        dataset: the pairs of all sets, one set after the other.
        lengths: how many pairs each set has; they sum to ``len(dataset)``.
        mix: ``"proportional"``: every pair once an epoch. ``"equal"``: as many in all, but every set equally often,
            small ones repeated, each time cut anew, and large ones spread over epochs.
        seed: of the order.
        processes: how many share the pairs.
        rank: which of them this is.
    """

    def __init__(
        self, dataset: Dataset[Any], lengths: Sequence[int], mix: Mix, seed: int, processes: int, rank: int
    ) -> None:
        super().__init__(dataset, num_replicas=processes, rank=rank, shuffle=True, seed=seed, drop_last=True)
        self.lengths = list(lengths)
        self.mix = mix
        self.num_samples = sum(self.lengths) // processes
        self.total_size = self.num_samples * processes

    def __iter__(self) -> Iterator[tuple[int, int]]:  # our datasets take (epoch, position)
        """(epoch, position) of this process's share.

        The epoch is what crops are drawn from. Where a set comes round again within an epoch, its n-th round counts as
        epoch ``epoch + n * ROUND``, so that a pair that comes twice is not cut the same way twice.
        """
        generator = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
        mixed = self._equal if self.mix == "equal" else self._proportional
        share = mixed(generator)[: self.total_size][self.rank :: self.num_replicas]
        return iter([(self.epoch + turn * ROUND, position) for turn, position in share.tolist()])

    def _proportional(self, generator: torch.Generator) -> torch.Tensor:
        """(N, 2): how often the set has come round before, 0, and the position."""
        order = torch.randperm(sum(self.lengths), generator=generator)
        return torch.stack([torch.zeros_like(order), order], dim=1)

    def _equal(self, generator: torch.Generator) -> torch.Tensor:
        """(N, 2): how often the set has come round before, and the position."""
        total, count = sum(self.lengths), len(self.lengths)
        chosen, first = [], 0
        for place, length in enumerate(self.lengths):
            wanted = total // count + (place < total % count)
            rounds = [torch.randperm(length, generator=generator) for _ in range(-(-wanted // length))]
            positions = first + torch.cat(rounds)[:wanted]
            chosen.append(torch.stack([torch.arange(wanted) // length, positions], dim=1))
            first += length
        return torch.cat(chosen)[torch.randperm(total, generator=generator)]


class WithoutDuplicates(DistributedSampler[Any]):
    """Every position once over all processes, in order: no image is scored twice to even out the shares.

    Args:
        dataset: the pairs.
        processes: how many share them.
        rank: which of them this is.
    """

    def __init__(self, dataset: Dataset[Any], processes: int, rank: int) -> None:
        super().__init__(dataset, num_replicas=processes, rank=rank, shuffle=False)
        self.positions = range(rank, len(dataset), processes)  # type: ignore[arg-type]  # ours have a length
        self.num_samples = len(self.positions)

    def __iter__(self) -> Iterator[int]:
        """Positions of this process's share."""
        return iter(self.positions)


def spread_evenly(count: int, of: int) -> list[int]:
    """So many of the positions 0 to ``of`` - 1, at even distances; all of them where there are no more.

    >>> spread_evenly(3, 10)
    [1, 5, 8]
    """
    count = min(count, of)
    return [(2 * k + 1) * of // (2 * count) for k in range(count)]
