import math
from collections import Counter

import pytest
import torch
from torch.utils.data import TensorDataset

from dream_if.data.sampling import TrainingSampler, WithoutDuplicates


def training(lengths, mix="proportional", seed=0, processes=1, rank=0, epoch=0) -> list[tuple[int, int]]:
    sampler = TrainingSampler(TensorDataset(torch.zeros(sum(lengths))), lengths, mix, seed, processes, rank)
    sampler.set_epoch(epoch)
    drawn = list(sampler)
    assert len(drawn) == len(sampler)
    return drawn


class TestTrainingSampler:
    def test_every_pair_comes_once_an_epoch(self) -> None:
        drawn = training([5, 8])
        assert sorted(position for _, position in drawn) == list(range(13))
        assert {epoch for epoch, _ in drawn} == {0}

    def test_the_order_is_a_function_of_seed_and_epoch(self) -> None:
        orders = {(seed, epoch): training([30], seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1, 2)}
        for (seed, epoch), order in orders.items():
            assert training([30], seed=seed, epoch=epoch) == order
            assert {key for key, _ in order} == {epoch}
        assert len({tuple(position for _, position in order) for order in orders.values()}) == 6

    @pytest.mark.parametrize("mix", ["proportional", "equal"])
    @pytest.mark.parametrize("processes", [2, 3, 4])
    def test_processes_take_in_one_step_what_one_takes_with_a_larger_batch(self, mix: str, processes: int) -> None:
        lengths = [7, 16]
        alone = training(lengths, mix, epoch=3)
        shares = [training(lengths, mix, epoch=3, processes=processes, rank=rank) for rank in range(processes)]
        assert len({len(share) for share in shares}) == 1  # else a process would wait for ever
        for step, together in enumerate(zip(*shares, strict=True)):
            assert list(together) == alone[step * processes : (step + 1) * processes]
        assert len(shares[0]) == 23 // processes

    @pytest.mark.parametrize("lengths", [[3, 20], [20, 3], [1, 5, 40], [4, 4]])
    def test_equal_mix_draws_every_set_equally_often(self, lengths: list[int]) -> None:
        drawn = training(lengths, "equal")
        assert len(drawn) == sum(lengths)
        starts = [sum(lengths[:place]) for place in range(len(lengths))]
        members = [range(start, start + length) for start, length in zip(starts, lengths, strict=True)]
        counts = [sum(position in positions for _, position in drawn) for positions in members]
        assert max(counts) - min(counts) <= 1
        for positions, count in zip(members, counts, strict=True):
            each = Counter(position for _, position in drawn if position in positions)
            # As even within a set as can be.
            assert set(each.values()) <= {count // len(positions), math.ceil(count / len(positions))}

    def test_a_pair_that_comes_again_is_cut_anew(self) -> None:
        """Every (epoch, position) stands for other crops, in one epoch and over epochs."""
        drawn = [key for epoch in range(3) for key in training([2, 30], "equal", epoch=epoch)]
        assert len(set(drawn)) == len(drawn)

    def test_equal_mix_reaches_all_of_a_large_set_over_epochs(self) -> None:
        seen = {position for epoch in range(12) for _, position in training([2, 30], "equal", epoch=epoch)}
        assert seen == set(range(32))


class TestWithoutDuplicates:
    @pytest.mark.parametrize("count", [1, 5, 6, 7])
    @pytest.mark.parametrize("processes", [1, 2, 3])
    def test_shares_cover_everything_once_and_in_order(self, count: int, processes: int) -> None:
        dataset = TensorDataset(torch.zeros(count))
        shares = []
        for rank in range(processes):
            sampler = WithoutDuplicates(dataset, processes, rank)
            shares.append(list(sampler))
            assert len(sampler) == len(shares[-1])
            assert shares[-1] == sorted(shares[-1])
        assert sorted(position for share in shares for position in share) == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
