"""The whole network: sizes, switches, what each source may influence, saving and loading."""

import copy
import pickle
from itertools import product
from pathlib import Path

import einops._backends
import pytest
import torch

from dream_if.errors import InputError
from dream_if.models import DreamIF

TINY = {
    "dim": 4,
    "num_blocks": [1, 1, 1, 1],
    "num_refinement_blocks": 1,
    "num_heads": [1, 1, 2, 2],
    "ffn_expansion": 2.0,
}
VALID = [(False, False, False), (True, False, False), (True, True, False), (True, False, True), (True, True, True)]
INVALID = sorted(set(product([False, True], repeat=3)) - set(VALID))


def pair(height: int, width: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 23), (17, 31), (40, 24), (33, 64)])
def test_any_size_in_the_same_size_out(height: int, width: int) -> None:
    output = DreamIF(**TINY)(*pair(height, width, batch=2))
    assert output.fused.shape == (2, 3, height, width)
    for maps in (output.dominance_visible, output.dominance_infrared):
        sizes = [(-(-height // scale), -(-width // scale)) for scale in (1, 2, 4)]
        assert [tuple(level.shape) for level in maps] == [(2, 1, *size) for size in sizes]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (40, 24)])
@pytest.mark.parametrize("dominance", ["paper", "weighing"])
def test_at_stride_2_sizes_are_the_same(height: int, width: int, dominance: str) -> None:
    output = DreamIF(**TINY, stride=2, dominance=dominance)(*pair(height, width, batch=2))
    assert output.fused.shape == (2, 3, height, width)
    scales = (1, 1, 2, 4) if dominance == "weighing" else (1, 2, 4)
    for maps in (output.dominance_visible, output.dominance_infrared):
        assert [tuple(level.shape[-2:]) for level in maps] == [(-(-height // s), -(-width // s)) for s in scales]


def test_stride_2_works_at_half_the_size() -> None:
    net = DreamIF(**TINY, stride=2)
    seen = []
    net.encoder.embed.register_forward_hook(lambda _module, given, _found: seen.append(tuple(given[0].shape)))
    net(*pair(32, 48))
    assert seen == [(2, 12, 16, 24)]


def test_the_fusion_weight_is_the_first_map_and_rules_what_is_fused() -> None:
    net = DreamIF(**TINY, dominance="weighing").eval()
    visible, infrared = pair(24, 32)
    with torch.no_grad():
        net.weigh.dominance.conv.weight.zero_()
        output = net(visible, infrared)
    assert torch.equal(output.dominance_visible[0], torch.full((1, 1, 24, 32), 0.5))
    for visible_map, infrared_map in zip(output.dominance_visible, output.dominance_infrared, strict=True):
        torch.testing.assert_close(visible_map + infrared_map, torch.ones_like(visible_map))


def test_frozen_maps_are_one_half_everywhere() -> None:
    output = DreamIF(**TINY, dominance="weighing", frozen_dominance=True)(*pair(24, 32))
    assert all((level == 0.5).all() for level in (*output.dominance_visible, *output.dominance_infrared))


def test_without_dominance_nothing_is_weighed() -> None:
    net = DreamIF(**TINY, use_rd=False, use_ce=False, use_se=False, dominance="weighing")
    assert net.weigh is None
    assert net(*pair(16, 16)).dominance_visible == ()


def test_the_old_name_of_joint_dominance_is_read() -> None:
    torch.manual_seed(0)
    old = DreamIF(**TINY, joint_dominance=True)
    assert old.config["dominance"] == "joint"
    assert "joint_dominance" not in old.config
    new = DreamIF(**old.config)
    new.load_state_dict(old.state_dict())
    assert torch.equal(new(*pair(16, 16)).fused, old(*pair(16, 16)).fused)
    assert DreamIF(**TINY, joint_dominance=False).config["dominance"] == "paper"
    with pytest.raises(ValueError, match="give dominance alone"):
        DreamIF(**TINY, joint_dominance=True, dominance="weighing")


@pytest.mark.parametrize("wrong", [{"dominance": "mine"}, {"stride": 3}, {"stride": True}])
def test_unknown_forms_and_strides_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"paper, joint, weighing and stride 1 or 2"):
        DreamIF(**TINY, **wrong)


@pytest.mark.parametrize("switches", VALID)
def test_every_parameter_of_a_valid_row_gets_a_gradient(switches: tuple[bool, bool, bool]) -> None:
    use_rd, use_ce, use_se = switches
    net = DreamIF(**TINY, use_rd=use_rd, use_ce=use_ce, use_se=use_se)
    output = net(*pair(24, 16, batch=2))
    assert len(output.dominance_visible) == 3 * use_rd
    (output.fused**2).mean().backward()
    dead = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.slow
def test_the_second_call_of_a_compiled_network_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(einops._backends, "_type2backend", {})  # as in a process that has not used einops yet
    net = DreamIF(**TINY).eval()
    net.compile(backend="eager")
    with torch.inference_mode():
        first = net(*pair(16, 24)).fused
        with torch.compiler.set_stance("fail_on_recompile"):
            torch.testing.assert_close(net(*pair(16, 24)).fused, first)


@pytest.mark.slow
def test_a_copy_of_a_compiled_network_fuses_with_its_own_weights() -> None:
    net = DreamIF(**TINY).eval()
    net.compile(backend="eager")
    with torch.inference_mode():
        fused = net(*pair(16, 24)).fused
        copied, pickled = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
        torch.testing.assert_close(pickled(*pair(16, 24)).fused, fused)
        for weight in copied.parameters():
            weight.zero_()
        assert copied(*pair(16, 24)).fused.unique().numel() == 1
        torch.testing.assert_close(net(*pair(16, 24)).fused, fused)


@pytest.mark.parametrize("switches", INVALID)
def test_enhancement_without_dominance_is_refused(switches: tuple[bool, bool, bool]) -> None:
    use_rd, use_ce, use_se = switches
    with pytest.raises(ValueError, match="needs use_rd"):
        DreamIF(**TINY, use_rd=use_rd, use_ce=use_ce, use_se=use_se)


def test_what_is_off_is_not_built() -> None:
    sizes = {}
    for use_rd, use_ce, use_se in VALID:
        net = DreamIF(**TINY, use_rd=use_rd, use_ce=use_ce, use_se=use_se)
        sizes[use_rd, use_ce, use_se] = sum(p.numel() for p in net.parameters())
    assert sorted(sizes, key=sizes.__getitem__) == VALID


def test_the_bare_backbone_has_as_many_parameters_as_restormer() -> None:
    with torch.device("meta"):
        net = DreamIF(use_rd=False, use_ce=False, use_se=False)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(26.13e6, rel=1e-3)  # Restormer's own figure


def test_pairs_of_a_batch_do_not_influence_each_other() -> None:
    net = DreamIF(**TINY).eval()
    visible, infrared = pair(24, 32, batch=3)
    together = net(visible, infrared)
    for place in range(3):
        alone = net(visible[place : place + 1], infrared[place : place + 1])
        torch.testing.assert_close(together.fused[place : place + 1], alone.fused, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            together.dominance_infrared[0][place : place + 1], alone.dominance_infrared[0], atol=1e-4, rtol=1e-4
        )


def test_both_sources_reach_the_fused_image() -> None:
    net = DreamIF(**TINY)
    visible, infrared = (image.requires_grad_() for image in pair(16, 16))
    net(visible, infrared).fused.sum().backward()
    assert visible.grad is not None
    assert visible.grad.abs().sum() > 0
    assert infrared.grad is not None
    assert infrared.grad.abs().sum() > 0


def test_recomputed_blocks_give_the_same_gradients() -> None:
    torch.manual_seed(0)
    net = DreamIF(**TINY).double()
    sources = torch.rand(1, 3, 16, 24, dtype=torch.float64), torch.rand(1, 1, 16, 24, dtype=torch.float64)
    block = net.encoder.levels[0][0].attention
    runs, gradients = [], []
    block.register_forward_hook(lambda *_: runs.append(1))
    for recompute in (False, True):
        net.recompute_blocks(recompute)
        net.zero_grad()
        net(*sources).fused.square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None])
    assert len(runs) == 1 + 2
    for kept, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, kept)


def test_under_autocast_the_fused_image_keeps_full_precision() -> None:
    net = DreamIF(**TINY)
    visible, infrared = pair(16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(visible, infrared)
    assert output.fused.dtype == torch.float32
    assert not torch.equal(output.fused, output.fused.bfloat16().float())
    torch.testing.assert_close(output.fused, net(visible, infrared).fused, atol=3e-2, rtol=3e-2)


def test_study_options_build_what_they_say() -> None:
    visible, infrared = pair(16, 24)
    two = DreamIF(**TINY, shared_encoder=False)
    assert two.encoder_infrared is not None
    assert two(visible, infrared).fused.shape == visible.shape
    without = DreamIF(**TINY, skip_connections=False)
    assert without(visible, infrared).fused.shape == visible.shape
    assert sum(p.numel() for p in without.parameters()) < sum(p.numel() for p in DreamIF(**TINY).parameters())


@pytest.mark.parametrize(
    ("visible", "infrared"),
    [
        ((1, 3, 15, 16), (1, 1, 15, 16)),
        ((1, 3, 16, 16), (1, 3, 16, 16)),
        ((1, 3, 16, 16), (1, 1, 16, 17)),
        ((3, 16, 16), (1, 16, 16)),
    ],
)
def test_wrong_shapes_are_refused_with_both_named(visible: tuple[int, ...], infrared: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 16") as caught:
        DreamIF(**TINY)(torch.rand(visible), torch.rand(infrared))
    assert str(visible) in str(caught.value)
    assert str(infrared) in str(caught.value)


def test_lists_of_other_than_four_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="four levels"):
        DreamIF(dim=4, num_blocks=[1, 1, 1])


def test_saved_network_loads_as_it_was(tmp_path: Path) -> None:
    net = DreamIF(**TINY, use_se=False)
    net.save_pretrained(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} >= {".safetensors", ".json"}
    loaded = DreamIF.from_pretrained(tmp_path)
    assert loaded.config == net.config
    assert loaded.config["use_se"] is False
    images = pair(16, 16)
    torch.testing.assert_close(loaded(*images).fused, net.eval()(*images).fused)


@pytest.mark.parametrize("name", ["dim", "num_blocks", "num_refinement_blocks", "num_heads", "ffn_expansion", "stride"])
def test_null_is_no_size(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: expected a value, got null"):
        DreamIF(**{name: None})
