"""Every kind of method, and what is said of one that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dream_if.baselines import BASELINES
from dream_if.errors import InputError
from dream_if.methods.method import PairId
from dream_if.methods.rows import make_method
from dream_if.models import DreamIF

CPU = torch.device("cpu")
PLACE = PairId("road", "clean", "0001")

FOREIGN = """
import torch


class Mixed(torch.nn.Module):
    def __init__(self, share=0.5):
        super().__init__()
        self.share = share

    def forward(self, visible, infrared):
        assert not self.training
        return self.share * visible + (1 - self.share) * infrared, "more"


class Plain:
    def __call__(self, visible, infrared):
        return infrared


class Wrong:
    def __call__(self, visible, infrared):
        return visible[..., 1:]


class Failing:
    def __call__(self, visible, infrared):
        raise ValueError("too many channels")


class Undefined:
    def __call__(self, visible, infrared):
        return visible / 0 * 0


class Nothing:
    pass


class Late(Plain):
    def __init__(self):
        import foreign_late
"""


class Mean(nn.Module):
    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        return (visible + infrared) / 2


@pytest.fixture
def sources() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(1, 3, 24, 31, generator=generator), torch.rand(1, 1, 24, 31, generator=generator)


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's in the folder that the command is called in."""
    monkeypatch.chdir(tmp_path)
    Path("foreign_fusion.py").write_text(FOREIGN)


@pytest.mark.parametrize("name", BASELINES)
def test_a_classical_method(sources: tuple[Tensor, Tensor], name: str) -> None:
    assert torch.equal(make_method("m", name, CPU).fuse(*sources, PLACE), BASELINES[name]()(*sources))


def test_the_sources(sources: tuple[Tensor, Tensor]) -> None:
    for index, name in enumerate(("visible", "infrared")):
        assert torch.equal(make_method("m", name, CPU).fuse(*sources, PLACE), sources[index])


def test_our_network(sources: tuple[Tensor, Tensor], tiny_net: dict, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = DreamIF(**tiny_net).eval()
    net.save_pretrained(tmp_path / "mine")
    with torch.inference_mode():
        expected = net(*sources).fused.clamp(0, 1)
    for given, weights in ((str(tmp_path / "mine"), None), ("{weights}", str(tmp_path / "mine"))):
        method = make_method("m", given, CPU, weights)
        assert torch.equal(method.fuse(*sources, PLACE), expected)
        assert method.module is not None
    assert sum(p.numel() for p in method.module.parameters()) == sum(p.numel() for p in net.parameters())


@pytest.mark.usefixtures("foreign")
def test_a_class_of_the_users(sources: tuple[Tensor, Tensor]) -> None:
    mixed = make_method("m", {"class_path": "foreign_fusion.Mixed", "init_args": {"share": 0.25}}, CPU)
    torch.testing.assert_close(mixed.fuse(*sources, PLACE), 0.25 * sources[0] + 0.75 * sources[1])
    plain = make_method("m", {"class_path": "foreign_fusion.Plain"}, CPU)
    assert torch.equal(plain.fuse(*sources, PLACE), sources[1])
    other = make_method("m", {"class_path": "foreign_fusion.Mixed", "init_args": {"share": 0.5}}, CPU)
    assert len({mixed.key(PLACE), plain.key(PLACE), other.key(PLACE)}) == 3


@pytest.mark.usefixtures("foreign")
def test_a_class_may_import_its_neighbours_when_it_is_made(sources: tuple[Tensor, Tensor]) -> None:
    Path("foreign_late.py").touch()
    late = make_method("m", {"class_path": "foreign_fusion.Late"}, CPU)
    assert torch.equal(late.fuse(*sources, PLACE), sources[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_torchscript_file(sources: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    torch.jit.trace(Mean(), sources).save(str(tmp_path / "mean.pt"))
    method = make_method("m", str(tmp_path / "mean.pt"), CPU)
    torch.testing.assert_close(method.fuse(*sources, PLACE), Mean()(*sources))
    smaller = tuple(source[..., 1:] for source in sources)
    torch.testing.assert_close(method.fuse(*smaller, PLACE), Mean()(*smaller))


def test_an_exported_program(sources: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    torch.export.save(torch.export.export(Mean(), sources), tmp_path / "mean.pt2")
    torch.testing.assert_close(
        make_method("m", str(tmp_path / "mean.pt2"), CPU).fuse(*sources, PLACE), Mean()(*sources)
    )


def test_an_onnx_file(sources: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    """Written by hand: its inputs have names of their own, and count by their order."""
    pytest.importorskip("onnxruntime", reason="ONNX files need onnxruntime")
    onnx = pytest.importorskip("onnx", reason="the file is made with onnx")
    float_type = onnx.TensorProto.FLOAT
    infos = [
        onnx.helper.make_tensor_value_info(name, float_type, [1, channels, "h", "w"])
        for name, channels in (("rgb", 3), ("heat", 1), ("out", 3))
    ]
    nodes = [onnx.helper.make_node("Max", ["rgb", "heat"], ["out"])]
    graph = onnx.helper.make_graph(nodes, "maximum", infos[:2], infos[2:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "maximum.onnx")
    method = make_method("m", str(tmp_path / "maximum.onnx"), CPU)
    assert torch.equal(method.fuse(*sources, PLACE), torch.maximum(*sources))


def test_images_made_elsewhere(sources: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    folder = tmp_path / "road" / "clean"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 31, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "0001.png")
    method = make_method("m", f"{tmp_path}/{{set}}/{{condition}}", CPU)
    method.check("m", [PLACE, PairId("road", "clean", "0001")])
    fused = method.fuse(*sources, PLACE)
    assert torch.equal((fused[0] * 255).round().permute(1, 2, 0), torch.from_numpy(pixels).float())
    before = method.key(PLACE)
    Image.fromarray(255 - pixels).save(folder / "0001.png")
    assert method.key(PLACE) != before
    Image.fromarray(pixels[1:]).save(folder / "0001.png")
    with pytest.raises(InputError, match="is 31x23, but its source is 31x24"):
        method.fuse(*sources, PLACE)
    with pytest.raises(InputError, match="for the pair 0002 there is none of its 1 images"):
        method.check("m", [PairId("road", "clean", "0002")])
    with pytest.raises(InputError, match="is not a folder"):
        method.check("m", [PairId("sea", "clean", "0001")])
    single = make_method("m", f"{tmp_path}/{{set}}/clean", CPU)
    with pytest.raises(InputError, match=r"write \{condition\} where its name stands"):
        single.check("m", [PLACE, PairId("road", "rain", "0001")])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("laplace", "Classical methods are average"),
        ("nowhere/best.ckpt", "there is no such file"),
        ("./nowhere", "no shipped weights of this name"),
        ("{weights}", "--weights"),
        ("missing.onnx", "there is no such file"),
        (3, "expected text or a mapping"),
        ({"method": "average", "class_path": "x.Y"}, "expected text, or a mapping with method or class_path"),
        ({"class_path": "foreign_fusion.Absent"}, "has no attribute 'Absent'"),
        ({"class_path": "no_such_module.Thing"}, "No module named"),
        ({"class_path": "foreign_fusion.Mixed", "init_args": {"shard": 1}}, "unexpected keyword argument"),
        ({"class_path": "foreign_fusion.Nothing"}, "needs a forward"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("foreign")
def test_one_that_cannot_be_had(given: object, message: str) -> None:
    with pytest.raises(InputError, match=r"^methods\.m: ") as error:
        make_method("m", given, CPU)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", ["junk", "weights"])
@pytest.mark.parametrize("ending", [".pt", ".pt2", ".onnx"])
def test_a_file_that_is_something_else(
    tmp_path: Path, ending: str, content: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    if ending == ".onnx":
        pytest.importorskip("onnxruntime", reason="ONNX files need onnxruntime")
    path = tmp_path / f"broken{ending}"
    path.write_bytes(b"no network at all")
    if content == "weights":
        torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(InputError, match="cannot be loaded as") as error:
        make_method("m", str(path), CPU)
    said = str(error.value)
    assert "miniz" not in said
    assert len(said) < 300 + len(str(path))
    assert "Traceback" not in "".join(capsys.readouterr()) + caplog.text
    if ending != ".onnx":
        assert ("by class_path" if content == "weights" else "which is a ZIP archive") in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Wrong", r"expected a float image .* got torch.float32 \(1, 3, 24, 30\)"),
        ("Failing", "failed, called with visible .*: too many channels"),
        ("Undefined", "NaN or infinite values"),
    ],
)
@pytest.mark.usefixtures("foreign")
def test_one_that_returns_no_image(sources: tuple[Tensor, Tensor], name: str, message: str) -> None:
    method = make_method("m", {"class_path": f"foreign_fusion.{name}"}, CPU)
    with pytest.raises(InputError, match=message) as error:
        method.fuse(*sources, PLACE)
    assert "0001 of road, clean" in str(error.value)


@pytest.mark.parametrize("text", ["laplacian", "small"])
def test_a_bug_of_this_package_is_no_mistake_of_the_user(
    sources: tuple[Tensor, Tensor], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = make_method("m", text, CPU)
    assert method.module is not None
    monkeypatch.setattr(method.module, "forward", lambda *_: [][0])
    with pytest.raises(IndexError):
        method.fuse(*sources, PLACE)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=repr)
def test_too_little_memory_names_row_and_picture(
    sources: tuple[Tensor, Tensor], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise error

    method = make_method("m", "laplacian", CPU)
    assert method.module is not None
    monkeypatch.setattr(method.module, "forward", exhausted)
    said = "laplacian.*: 0001 of road, clean: 31x24 pixels did not fit into the memory of cpu; leave out"
    with pytest.raises(InputError, match=said):
        method.fuse(*sources, PLACE)
