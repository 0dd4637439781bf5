"""Relative enhancement: Eqs. 4 to 7 for each source by itself, where the code works on both at once."""

import pytest
import torch
import torch.nn.functional as F

from dream_if.models.enhancement import (
    CrossEnhancement,
    PromptGenerator,
    RelativeDominance,
    RelativeEnhancement,
    SelfEnhancement,
    WeighedSum,
    swap_sources,
)


@pytest.fixture
def features() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(4, 8, 10, 12)  # two pairs: visible, visible, infrared, infrared


def test_swapping_twice_is_the_identity(features: torch.Tensor) -> None:
    swapped = swap_sources(features)
    assert torch.equal(swapped[:2], features[2:])
    assert torch.equal(swap_sources(swapped), features)


def test_dominance_is_one_channel_between_zero_and_one(features: torch.Tensor) -> None:
    dominance = RelativeDominance(8)(5 * features)
    assert dominance.shape == (4, 1, 10, 12)
    assert dominance.min() > 0
    assert dominance.max() < 1


def test_joint_dominances_sum_to_one_and_look_at_both_sources(features: torch.Tensor) -> None:
    module = RelativeDominance(8, joint=True)
    visible, infrared = module(5 * features).chunk(2)
    torch.testing.assert_close(visible + infrared, torch.ones_like(visible))
    assert visible.std() > 0.1
    changed = torch.cat([features[:2], features[2:] + torch.randn_like(features[2:])])
    assert not torch.allclose(module(5 * changed)[:2], visible)
    alone = RelativeDominance(8)
    assert torch.equal(alone(changed)[:2], alone(features)[:2])


def test_frozen_dominance_is_one_half_and_learns_nothing(features: torch.Tensor) -> None:
    module = RelativeDominance(8, joint=True, frozen=True)
    assert torch.equal(module(features), torch.full((4, 1, 10, 12), 0.5))
    assert list(module.parameters()) == []


def test_a_weighed_sum_is_by_its_dominance_alone(features: torch.Tensor) -> None:
    module = WeighedSum(8)
    total, dominance = module(features)
    visible, infrared = features.chunk(2)
    weight = dominance[:2]
    torch.testing.assert_close(total, 2 * (weight * visible + (1 - weight) * infrared), atol=1e-5, rtol=1e-5)
    with torch.no_grad():  # a source that counts for nothing leaves no trace
        module.dominance.conv.weight.zero_()
        module.dominance.conv.weight[:, 0, 1, 1] = 1e4
        features[2:, 0] -= 50
    torch.testing.assert_close(module(features)[0], 2 * visible)
    frozen = WeighedSum(8, frozen=True)
    torch.testing.assert_close(frozen(features)[0], visible + infrared)


@pytest.mark.parametrize(("use_ce", "use_se"), [(True, True), (True, False), (False, True)])
def test_near_identity_starts_as_the_features_themselves(features: torch.Tensor, use_ce: bool, use_se: bool) -> None:
    module = RelativeEnhancement(
        8, 2, 2.0, prompt_dim=8, prompt_size=4, use_ce=use_ce, use_se=use_se, near_identity=True
    )
    torch.testing.assert_close(module(features)[0], features)
    module(features)[0].square().mean().backward()
    silent = [name for name, p in module.named_parameters() if p.grad is None]
    assert silent == []


def test_cross_enhancement_takes_from_the_other_source(features: torch.Tensor) -> None:
    module = CrossEnhancement(8)
    dominance = torch.rand(4, 1, 10, 12)
    out = module(features, dominance)
    for place, other in ((0, 2), (1, 3), (2, 0), (3, 1)):
        gained = F.conv2d(features[other : other + 1], module.conv.weight, padding=1) * dominance[other]
        torch.testing.assert_close(out[place], features[place] + gained[0], atol=1e-5, rtol=1e-5)


def test_prompt_is_a_convex_mixture_of_its_components(features: torch.Tensor) -> None:
    module = PromptGenerator(8, prompt_dim=8, prompt_size=5)
    torch.nn.init.dirac_(module.conv.weight)  # look at the mixture itself
    prompt = module(features, torch.rand(4, 1, 10, 12))
    assert prompt.shape == (4, 8, 10, 12)
    assert prompt.min() >= module.components.min()
    assert prompt.max() <= module.components.max()
    with torch.no_grad():  # a certain choice gives that component
        module.weights.weight.zero_()
        module.weights.bias.copy_(torch.tensor([0.0, 100.0, 0.0, 0.0, 0.0]))
    chosen = F.interpolate(module.components[1:2], size=(10, 12), mode="bilinear")
    torch.testing.assert_close(module(features, torch.rand(4, 1, 10, 12)), chosen.expand(4, -1, -1, -1))


def test_self_enhancement_sees_only_its_own_source(features: torch.Tensor) -> None:
    module = SelfEnhancement(8, 2, 2.0, prompt_dim=8, prompt_size=4)
    dominance = torch.rand(4, 1, 10, 12)
    before = module(features, dominance)
    changed = features.clone()
    changed[2:] += 1
    torch.testing.assert_close(module(changed, dominance)[:2], before[:2])


@pytest.mark.parametrize(("use_ce", "use_se"), [(True, True), (True, False), (False, True)])
def test_join_convolves_the_paths(features: torch.Tensor, use_ce: bool, use_se: bool) -> None:
    module = RelativeEnhancement(8, 2, 2.0, 8, 4, use_ce=use_ce, use_se=use_se)
    out, dominance = module(features)
    paths = [path(features, dominance) for path in (module.cross, module.self_) if path is not None]
    assert len(paths) == use_ce + use_se
    torch.testing.assert_close(out, module.join(torch.cat(paths, dim=1)))


def test_dominance_alone_gates(features: torch.Tensor) -> None:
    module = RelativeEnhancement(8, 2, 2.0, 8, 4, use_ce=False, use_se=False)
    out, dominance = module(features)
    torch.testing.assert_close(out, features * dominance)
    assert module.join is None
