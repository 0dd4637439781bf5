"""Statistics of maps that are known, and the control with the maps of other images."""

import math

import pytest
import torch
import torch.nn.functional as F

from dream_if.dominance_statistics import STATISTICS, ShuffledMaps, dominance_statistics
from dream_if.models import DreamIF, FusionOutput
from tests.conftest import TINY_NET


def output_with(visible_map: torch.Tensor) -> FusionOutput:
    fused = torch.zeros(len(visible_map), 3, *visible_map.shape[-2:])
    return FusionOutput(fused, (visible_map,), (1 - visible_map,))


@pytest.fixture
def clean() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    visible = torch.rand(1, 3, 64, 64)
    visible[..., 32:] = 0.5  # structure on the left in the visible source, on the right in the infrared one
    infrared = torch.rand(1, 1, 64, 64)
    infrared[..., :32] = 0.5
    return visible, infrared


def test_of_clean_pairs_only_what_has_a_meaning(clean: tuple[torch.Tensor, torch.Tensor]) -> None:
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 0.8
    found = dominance_statistics(output_with(left), output_with(left), clean, clean)
    assert set(found) == set(STATISTICS)
    assert found["RD_visible"].item() == pytest.approx(0.4)
    assert found["RD_deviation"].item() == pytest.approx(0.4, rel=1e-3)
    assert found["RD_activity_rank"].item() > 0.8
    assert all(found[name].isnan() for name in ("RD_error_rank", "RD_fall", "RD_fall_inside", "RD_fall_outside"))


def test_a_map_that_falls_where_its_source_is_corrupted(clean: tuple[torch.Tensor, torch.Tensor]) -> None:
    visible, infrared = clean
    infrared_noisy = infrared.clone()
    infrared_noisy[..., 16:48, 16:48] += 0.4
    before = torch.full((1, 1, 64, 64), 0.5)
    after = before.clone()
    after[..., 16:48, 16:48] = 0.9  # the visible one's map rises, so the infrared one's falls by 0.4
    found = dominance_statistics(output_with(after), output_with(before), (visible, infrared_noisy), clean)
    assert found["RD_fall"].item() == pytest.approx(0.1)
    assert found["RD_fall_inside"].item() > 0.25  # the region is a little larger, by the smoothing of the error
    assert found["RD_fall_outside"].item() == pytest.approx(0, abs=0.02)
    assert found["RD_error_rank"].item() > 0.7
    wrong = dominance_statistics(output_with(1 - after), output_with(before), (visible, infrared_noisy), clean)
    assert wrong["RD_fall"].item() == pytest.approx(-0.1)
    assert wrong["RD_error_rank"].item() < -0.7


def test_where_both_are_corrupted_there_is_no_one_to_fall(clean: tuple[torch.Tensor, torch.Tensor]) -> None:
    noisy = clean[0] * 0.5, clean[1] * 0.5
    maps = output_with(torch.rand(1, 1, 64, 64))
    found = dominance_statistics(maps, maps, noisy, clean)
    assert math.isnan(found["RD_fall"].item())
    assert not math.isnan(found["RD_error_rank"].item())


def test_flat_maps_rank_nothing(clean: tuple[torch.Tensor, torch.Tensor]) -> None:
    maps = output_with(torch.full((1, 1, 64, 64), 0.5))
    found = dominance_statistics(maps, maps, clean, clean)
    assert found["RD_deviation"].item() == 0
    assert found["RD_activity_rank"].isnan()


class TestShuffledMaps:
    @pytest.fixture
    def net(self) -> DreamIF:
        torch.manual_seed(0)
        net = DreamIF(**TINY_NET, dominance="weighing").eval()
        with torch.no_grad():
            net.weigh.dominance.conv.weight.mul_(20)
        return net

    @torch.no_grad()
    def test_an_image_gets_the_maps_of_another(self, net: DreamIF) -> None:
        first, second = [(torch.rand(1, 3, 32, side), torch.rand(1, 1, 32, side)) for side in (48, 64)]
        shuffled = ShuffledMaps(net)
        for pair in (first, second):
            with shuffled.noting():
                plain = net(*pair)
            maps_of_first = shuffled.pool[0][1] if shuffled.pool else None
            changed = shuffled(*pair, str(pair[0].shape))
        assert changed.shape == (1, 3, 32, 64)
        assert not torch.allclose(changed, plain.fused, atol=1e-4)
        assert torch.equal(net(*second).fused, plain.fused)  # the network itself stays as it is
        assert maps_of_first is not None
        for module, maps in zip(shuffled.modules, maps_of_first, strict=True):
            module.forward = lambda features, maps=maps: F.interpolate(maps, features.shape[-2:], mode="bilinear")
        torch.testing.assert_close(net(*second).fused, changed)

    @torch.no_grad()
    def test_frozen_maps_are_the_same_for_all_images(self) -> None:
        torch.manual_seed(0)
        net = DreamIF(**TINY_NET, frozen_dominance=True).eval()
        shuffled = ShuffledMaps(net)
        for _ in range(2):
            pair = torch.rand(2, 3, 32, 48), torch.rand(2, 1, 32, 48)
            with shuffled.noting():
                plain = net(*pair)
            torch.testing.assert_close(shuffled(*pair, "one"), plain.fused)
