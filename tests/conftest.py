"""What tests of the command line, the task and the data share: a tiny network, generated pairs, and a way to run."""

import logging
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tiny tensors gain nothing from threads
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # about calls in lightning 2.6 (its issue 21900)

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dream_if.cli.main import HINT, main
from dream_if.metrics import METRICS

torch.set_num_threads(1)

TINY_NET = {"dim": 4, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "num_heads": [1, 1, 1, 1]}

TINY = {
    "model": {"net": TINY_NET, "metrics": ["AG", "Qabf"], "loss": {"warmup_epochs": 1}},
    "data": {"layout": "folder", "root": "pairs", "crop": 16, "crops_per_pair": 2, "batch_size": 4, "num_workers": 0},
    "trainer": {"max_epochs": 1, "accelerator": "cpu", "devices": 1, "num_sanity_val_steps": 0},
}


@pytest.fixture(autouse=True)
def _metrics_stay_ours() -> Iterator[None]:
    """What a test registers is gone after it."""
    kept = dict(METRICS)
    yield
    METRICS.clear()
    METRICS.update(kept)


def scene(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth colour image and a smooth grey one with an edge, uint8: (H, W, 3) and (H, W)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / rng.uniform(2, 6) + y / rng.uniform(2, 6) + rng.uniform(0, 6)) for _ in range(4)]
    visible = np.stack([120 + 60 * wave for wave in waves[:3]], axis=-1) + rng.normal(0, 4, (height, width, 3))
    infrared = 90 + 40 * waves[3]
    infrared[height // 3 : height // 2, width // 4 : width // 2] = 230
    return np.clip(visible, 0, 255).astype(np.uint8), np.clip(infrared, 0, 255).astype(np.uint8)


def write_pairs(root: Path, counts: Mapping[str, int], size: tuple[int, int] = (32, 40), seed: int = 0) -> Path:
    """Write `<root>/<split>/{vi,ir}/<split>_<n>.png`; sizes in one split differ a little, as in real sets."""
    for salt, (split, count) in enumerate(counts.items()):
        for part in ("vi", "ir"):
            (root / split / part).mkdir(parents=True)
        for number in range(count):
            pictures = scene(size[0] + number % 3, size[1] + number % 2, seed + 1000 * salt + number)
            for part, picture in zip(("vi", "ir"), pictures, strict=True):
                Image.fromarray(picture).save(root / split / part / f"{split}_{number:02d}.png")
    return root


def files_below(folder: Path) -> set[str]:
    """Every file and empty folder, as paths relative to the folder."""
    leaves = [path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir())]
    return {str(path.relative_to(folder)) for path in leaves}


@pytest.fixture(name="write_pairs")
def _write_pairs() -> Callable[..., Path]:
    return write_pairs


@pytest.fixture(name="files_below")
def _files_below() -> Callable[[Path], set[str]]:
    return files_below


@pytest.fixture(name="tiny_net", scope="session")
def _tiny_net() -> dict:
    return dict(TINY_NET)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with `tiny.yaml` and generated `pairs`; it is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    write_pairs(tmp_path / "pairs", {"train": 4, "val": 3, "test": 3})
    return tmp_path


@dataclass
class Outcome:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The one error line, without its prefix; asserts that there is just one, and no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("dream-if: error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err + self.out
        assert self.status == 2
        assert lines[0].endswith(f" {HINT}")
        return lines[0].removeprefix("dream-if: error: ").removesuffix(f" {HINT}")


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("fit", "--config", "tiny.yaml")` is `dream-if fit --config tiny.yaml`, in this process."""
    # Lightning's handler holds on to the stderr of the test that imported it first, which is closed by now.
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True

    def call(*args: object) -> Outcome:
        capsys.readouterr()
        status = main([str(arg) for arg in args])
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture
def trained(workspace: Path, run: Run) -> Path:
    """The folder of a finished run of one epoch in the workspace."""
    outcome = run("fit", "--config", "tiny.yaml")
    assert outcome.status == 0, outcome.err
    return workspace / "runs" / "dream-if" / "version_0"
