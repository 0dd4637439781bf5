"""Exported files against the network, at sizes of the test's own, and what they say of themselves."""

import io
import json
from importlib.metadata import version

import numpy as np
import pytest
import torch

from dream_if.export.formats import METADATA_FILE
from dream_if.inference.weights import digest

OUTPUTS = ("fused", "dominance_visible", "dominance_infrared")


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 17, 40), (2, 71, 23), (3, 24, 90), (1, 201, 303)], ids=str)
def test_any_size_gives_what_the_network_gives(net, loaded, shape) -> None:
    torch.manual_seed(1)
    count, height, width = shape
    sources = torch.rand(count, 3, height, width), torch.rand(count, 1, height, width)
    with torch.inference_mode():
        output = net(*sources)
        found = loaded(*sources)
    wanted = (output.fused.clamp(0, 1), output.dominance_visible[0], output.dominance_infrared[0])
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-4
    inside = ((wanted[0] > 0) & (wanted[0] < 1)).float().mean()
    assert inside > 0.5  # so clamping has hidden little
    assert wanted[0].std() > 0.05


@pytest.mark.parametrize("kind", ["onnx"], indirect=True)
def test_an_onnx_file_describes_itself(net, exported) -> None:
    import onnx

    model = onnx.load_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    assert kept["dream_if.version"] == version("dream-if")
    assert kept["dream_if.weights"] == digest(net)
    assert json.loads(kept["dream_if.config"]) == net.config
    sizes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    free = {"visible": 3, "infrared": 1, "fused": 3, "dominance_visible": 1, "dominance_infrared": 1}
    assert sizes == {name: ["batch", channels, "height", "width"] for name, channels in free.items()}
    assert {entry.domain for entry in model.opset_import} == {""}
    assert not [tensor for tensor in model.graph.initializer if tensor.external_data]


@pytest.mark.parametrize("kind", ["torch"], indirect=True)
def test_a_torch_file_describes_itself(net, exported) -> None:
    files = {METADATA_FILE: ""}
    program = torch.export.load(io.BytesIO(exported), extra_files=files)
    kept = json.loads(files[METADATA_FILE])
    assert kept["dream_if.weights"] == digest(net)
    assert json.loads(kept["dream_if.config"]) == net.config
    named = [node.name for node in program.graph.nodes if node.op == "placeholder"]
    assert named[-2:] == ["visible", "infrared"]


def test_sources_of_different_sizes_are_refused(loaded) -> None:
    with pytest.raises(Exception, match=r"(?i)shape|dim|size|guard"):
        loaded(torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 40))


def test_pictures_are_in_range(loaded) -> None:
    fused = loaded(torch.ones(1, 3, 32, 32) * 5, torch.zeros(1, 1, 32, 32))[0].detach().numpy()
    assert np.isfinite(fused).all()
    assert fused.min() >= 0
    assert fused.max() <= 1
