"""A tiny network whose pictures use the range, and files exported from it, made once."""

from pathlib import Path

import pytest
import torch
from torch.export import ExportedProgram

from dream_if.export import encode, trace
from dream_if.export.formats import Runner, describe, runner
from dream_if.models import DreamIF, strips
from tests.versions import TRACES_FREE_SIZES


@pytest.fixture(scope="session")
def net() -> DreamIF:
    """Blocks at one level and in the enhancement alone, as a trace takes its time for each.

    Untrained networks return values around zero, which clamping would hide: this one's are between 0 and 1.
    """
    torch.manual_seed(0)
    net = DreamIF(dim=4, num_blocks=[1, 0, 0, 0], num_refinement_blocks=1, num_heads=[1, 1, 1, 1]).eval()
    with torch.no_grad():
        sources = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
        last = net.fusion[1]
        values = net(*sources).fused
        spread = values.std(dim=(0, 2, 3))
        last.weight *= (0.2 * values.mean(dim=(0, 2, 3)).sign() / spread)[:, None, None, None]
    return net


@pytest.fixture(scope="session")
def weights(net: DreamIF, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    net.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", params=["onnx", "torch"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason=f"{package} of the extra 'export' is not installed")
    return request.param


@pytest.fixture(scope="session")
def program(net: DreamIF) -> ExportedProgram:
    """The trace with dominance maps, from a network that goes by strips of rows wherever it may."""
    if not TRACES_FREE_SIZES:
        pytest.skip("export needs a newer torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP", 1)
        return trace(net, dominance=True)


@pytest.fixture(scope="session")
def exported(net: DreamIF, program: ExportedProgram, kind: str) -> bytes:
    """The content of a file with dominance maps."""
    return encode(program, kind, describe(net))


@pytest.fixture(scope="session")
def loaded(exported: bytes, kind: str) -> Runner:
    """What runs that file."""
    return runner(exported, kind)
