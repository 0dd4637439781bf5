"""The graph to be exported: its padding against torch's own, its free sizes, and what it leaves as it was."""

import pytest
import torch
import torch.nn.functional as F

from dream_if.export import ExportedFusion, trace
from dream_if.export.graph import mirrored
from dream_if.models import DreamIF
from tests.versions import EXPORT


@pytest.mark.parametrize("step", [8, 16])
@pytest.mark.parametrize("size", range(16, 33))
def test_mirrored_is_reflection_padding(size: int, step: int) -> None:
    image = torch.rand(2, 3, size, 19)
    assert torch.equal(mirrored(image, dim=2, step=step), F.pad(image, (0, 0, 0, -size % step), mode="reflect"))
    turned = image.transpose(2, 3)
    assert torch.equal(mirrored(turned, dim=3, step=step), F.pad(turned, (0, -size % step, 0, 0), mode="reflect"))


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 33, 26)], ids=str)
def test_the_numbers_are_those_of_the_network(net, shape) -> None:
    count, height, width = shape
    visible, infrared = torch.rand(count, 3, height, width), torch.rand(count, 1, height, width)
    with torch.no_grad():
        fused, seen, heated = ExportedFusion(net, dominance=True)(visible, infrared)
        alone = ExportedFusion(net)(visible, infrared)
        output = net(visible, infrared)
    assert torch.equal(fused, output.fused.clamp(0, 1))
    assert torch.equal(seen, output.dominance_visible[0])
    assert torch.equal(heated, output.dominance_infrared[0])
    assert len(alone) == 1
    assert torch.equal(alone[0], fused)


def test_strips_and_sizes_of_the_example_are_not_in_the_trace(program) -> None:
    taken = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert any("conv2d" in name for name in taken)
    assert not any(source.any() for source in program.example_inputs[0])  # a .pt2 keeps them: the same in each
    assert not [name for name in taken if "copy_" in name or "new_zeros" in name or "empty_like" in name]
    sources = [node for node in program.graph.nodes if node.name in ("visible", "infrared")]
    assert len(sources) == 2
    for node in sources:
        batch, channels, height, width = node.meta["val"].shape
        assert isinstance(channels, int)
        assert not any(isinstance(size, int) for size in (batch, height, width))


@EXPORT
def test_a_network_of_stride_2_that_weighs_is_traced() -> None:
    torch.manual_seed(0)
    net = DreamIF(4, [1, 0, 0, 0], 1, [1, 1, 1, 1], stride=2, dominance="weighing").eval()
    traced = trace(net, dominance=True).module()
    for height, width in ((17, 17), (33, 26), (64, 32)):
        visible, infrared = torch.rand(1, 3, height, width), torch.rand(1, 1, height, width)
        with torch.no_grad():
            fused, of_visible, of_infrared = traced(visible, infrared)
            expected = net(visible, infrared)
        torch.testing.assert_close(fused, expected.fused.clamp(0, 1))
        torch.testing.assert_close(of_visible, expected.dominance_visible[0])
        torch.testing.assert_close(of_infrared, expected.dominance_infrared[0])
