"""`dream-if export` as a user meets it, and the examples of docs/export.md."""

# ruff: noqa: F811  (tests take the fixtures that are imported here)

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.cli.verbs import export
from dream_if.export import formats
from dream_if.models import DreamIF
from tests.conftest import scene
from tests.export.conftest import kind, net, weights  # noqa: F401  (fixtures)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "export.md"
NAMES = {"onnx": "fused.onnx", "torch": "fused.pt2"}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(1)


@pytest.mark.slow  # the fixture of tests/export exports both kinds, too
def test_the_file_runs_as_the_page_says(run, net, weights, kind) -> None:
    outcome = run("export", "--weights", weights, "-o", NAMES[kind], "--format", kind, "--threads", "1")
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert len(lines) == 6
    assert lines[-1].startswith(f"Wrote {NAMES[kind]}, ")
    for line in lines[:-1]:
        assert float(line.rsplit(" by ")[1].split()[0]) < 1e-4
    assert "2 pair(s) of 131x97" in outcome.out
    assert [path.name for path in Path().iterdir()] == [NAMES[kind]]

    visible, infrared = scene(45, 58, seed=3)
    Image.fromarray(visible).save("visible.jpg")
    Image.fromarray(infrared).save("infrared.png")
    sources = (
        torch.from_numpy(np.array(Image.open("visible.jpg"))).permute(2, 0, 1)[None] / 255,
        torch.from_numpy(infrared)[None, None] / 255,
    )
    with torch.inference_mode():
        wanted = net(*sources).fused.clamp(0, 1)
    example = next(code for code in examples() if NAMES[kind] in code)
    found = {"visible": sources[0], "infrared": sources[1]}
    exec(example, found)
    assert np.abs(np.asarray(found["fused"]) - wanted.numpy()).max() < 1e-4
    if kind == "onnx":
        picture = np.asarray(Image.open("fused.png")).astype(float)
        assert np.abs(picture - wanted[0].permute(1, 2, 0).numpy() * 255).max() < 0.52


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


class Sum(torch.nn.Module):
    """What an exporter that goes wrong might leave of a network."""

    def forward(self, visible: torch.Tensor, infrared: torch.Tensor) -> tuple[torch.Tensor]:
        return (visible + infrared,)


def test_a_file_that_computes_something_else_is_not_written(run, weights, monkeypatch) -> None:
    sizes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    example = torch.rand(2, 3, 20, 30), torch.rand(2, 1, 20, 30)
    program = torch.export.export(Sum(), example, dynamic_shapes=dict.fromkeys(("visible", "infrared"), sizes))
    monkeypatch.setattr(export, "trace", lambda *_: program)
    Path("fused.pt2").write_text("of yesterday")
    message = run("export", "--weights", weights, "-o", "fused.pt2").message
    assert re.match(r"the exported \w+ differs from the network's by \S+ for 1 pair\(s\) of 16x16", message)
    assert Path("fused.pt2").read_text() == "of yesterday"
    assert [path.name for path in Path().iterdir()] == ["fused.pt2"]


def test_a_missing_package_is_named_with_the_way_to_get_it(run, weights, monkeypatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else there(name))
    message = run("export", "--weights", weights, "-o", "fused.onnx").message
    assert "onnxscript" in message
    assert message.endswith("pip install onnx onnxscript onnxruntime")
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-o", "fused.pt"), "fused.pt: expected a file that ends in .onnx for onnx or .pt2 for torch, got '.pt'"),
        (("-o", "fused"), "got 'no ending'"),
        (("-o", "fused.onnx", "--format", "torch"), "expected a file that ends in .pt2 for torch, got '.onnx'"),
        (("-o", "fused.pt2", "--weights", "nothing.ckpt"), "nothing.ckpt"),
    ],
)
def test_mistakes(run, args, said) -> None:
    assert said in run("export", *args).message
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("picture.jpg/fused.pt2", "picture.jpg: this output folder cannot be made (File exists)"),
        ("picture.jpg/deep/fused.pt2", "this output folder cannot be made (Not a directory)"),
        ("folder.pt2", "folder.pt2: is a folder; name a file to write."),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(run, weights, monkeypatch, out, said) -> None:
    Path("picture.jpg").touch()
    Path("folder.pt2").mkdir()
    monkeypatch.setattr(export, "trace", lambda *_: pytest.fail("traced"))
    assert said in run("export", "--weights", weights, "-o", out).message
    assert {path.name for path in Path().iterdir()} == {"picture.jpg", "folder.pt2"}


def test_maps_that_the_network_has_not_are_not_promised(run, tiny_net, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("base")
    DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False).save_pretrained(folder)
    message = run("export", "-o", "fused.pt2", "--weights", folder, "--dominance").message
    assert "no dominance maps" in message


def test_endings_in_capitals() -> None:
    assert formats.find_format(Path("A.ONNX"), None) == "onnx"
