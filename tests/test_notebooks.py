"""The notebooks run from top to bottom, leave nothing behind, and are stored without outputs."""

import json
import os
import resource
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
MOST_SECONDS = 120  # of processor time, which a busy machine does not stretch as it does the wall clock
SLOW = {
    *("ablation", "fuse_your_own", "gallery", "new_degradation", "new_network", "score_methods"),
    *("train_and_look", "train_on_your_own"),
}
RUNS = [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW)) for path in NOTEBOOKS]


def cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"degradations", *SLOW}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_stored(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert cells
    for number, cell in enumerate(cells, start=1):
        assert cell["outputs"] == [], f"code cell {number} of {path.name} stores outputs: clear them"
        assert cell["execution_count"] is None, f"code cell {number} of {path.name} stores its execution count"


@pytest.mark.parametrize("path", RUNS)
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install -e '.[notebooks]'")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install -e '.[notebooks]'")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install -e '.[notebooks]'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # `dream-if`
    before = cpu_seconds_of_children()
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs), "no picture"
    python = [output for cell in cells if not cell.source.startswith("%%sh") for output in cell.outputs]
    complaints = [output.text for output in python if output.output_type == "stream" and output.name == "stderr"]
    assert not complaints, "a reader would see this on stderr"
    assert os.listdir(tmp_path) == []
    assert cpu_seconds_of_children() - before < MOST_SECONDS
