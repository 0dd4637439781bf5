"""The user's own YOLO program, played by a script that keeps what it was told and finds every box."""

import json
import sys
from pathlib import Path

import pytest
import torch

from dream_if.downstream.files import write_data_yaml, write_labels
from dream_if.downstream.labels import Boxes
from dream_if.downstream.yolo import find_program, train_and_detect
from dream_if.errors import InputError

CPU = torch.device("cpu")
SIZES = {"a": (90, 120), "b": (60, 80)}
BOXES = {"a": Boxes.make([(10, 20, 30, 60)], [1], SIZES["a"]), "b": Boxes.make([], [], SIZES["b"])}

PROGRAM = """\
#!{python}
import json, pathlib, sys
given = dict(word.split("=", 1) for word in sys.argv[3:])
out = pathlib.Path(given["project"]) / given["name"]
(out / "weights").mkdir(parents=True)
(out / "told.json").write_text(json.dumps([sys.argv[1:3], given]))
print("working")
if sys.argv[2] == "train":
    if given["model"] == "broken":
        sys.exit(3)
    if given["model"] != "forgetful":
        (out / "weights" / "last.pt").touch()
else:
    (out / "labels").mkdir()
    labels = pathlib.Path(given["source"]).parents[1] / "labels" / "test"
    for file in labels.glob("*.txt"):
        lines = [line + " 0.75" for line in file.read_text().splitlines()]
        if lines:
            (out / "labels" / file.name).write_text("\\n".join(lines))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program `yolo` on the path."""
    file = tmp_path / "bin" / "yolo"
    file.parent.mkdir()
    file.write_text(PROGRAM.format(python=sys.executable))
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(file.parent))
    return find_program()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_labels(tmp_path / "set", "test", {name: (SIZES[name], BOXES[name]) for name in SIZES}, ("person", "car"))
    write_data_yaml(tmp_path / "set", ("person", "car"))
    return tmp_path / "set"


def test_it_trains_and_what_it_finds_is_read(program: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # what an earlier run left is in nobody's way
        found = train_and_detect(program, folder, SIZES, {"epochs": 3, "imgsz": 640}, seed=7, device=CPU)
    torch.testing.assert_close(found[0]["boxes"], BOXES["a"].corners, atol=1e-3, rtol=0)
    assert found[0]["labels"].tolist() == [2]
    assert found[0]["scores"].tolist() == [0.75]
    assert tuple(found[1]["boxes"].shape) == (0, 4)
    what, given = json.loads((folder / "yolo_7/train/told.json").read_text())
    assert what == ["detect", "train"]
    assert (given["epochs"], given["seed"], given["device"]) == ("3", "7", "cpu")
    assert Path(given["data"]) == folder / "data.yaml"
    what, given = json.loads((folder / "yolo_7/test/told.json").read_text())
    assert what == ["detect", "predict"]
    assert given["imgsz"] == "640"
    assert Path(given["model"]).name == "last.pt"
    assert "working" not in capfd.readouterr().out


@pytest.mark.parametrize(("model", "message"), [("broken", "ended with status 3"), ("forgetful", "left no .*last.pt")])
def test_a_program_that_fails(program: str, folder: Path, model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_and_detect(program, folder, SIZES, {"model": model}, seed=0, device=CPU)


def test_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no program 'yolo' on this machine"):
        find_program()
