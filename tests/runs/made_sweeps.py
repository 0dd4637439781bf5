"""A sweep of two seeds, and a `dream-if` that stands in for the real one: it notes how it was called, and obeys."""

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

STAND_IN = """\
#!{python} -S
import json, os, pathlib, sys, time
words = sys.argv[1:]
root = [word.partition("=")[2] for word in words if word.startswith("--trainer.logger.save_dir=")][-1]
run = os.environ["WANDB_RUN_ID"]
folder = pathlib.Path(root, os.environ["WANDB_PROJECT"], run)
variables = {{name: os.environ.get(name) for name in
    ("WANDB_MODE", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}}
with open("calls.jsonl", "a") as file:
    file.write(json.dumps({{"run": run, "words": words, "at": time.time(), **variables}}) + "\\n")
print("this is", run, flush=True)
orders = pathlib.Path("orders", run)
order = orders.read_text() if orders.exists() else ""
if order.startswith("sleep"):
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(float(order.split()[1]))
if order == "fail":
    print("it went wrong", flush=True)
    sys.exit(3)
if order == "leave nothing":
    sys.exit(0)
(folder / "metrics.json").write_text('{{"fit": {{}}, "test": {{}}}}')
"""

SWEEP = """\
method: grid
project: here
command:
  - ${env}
  - dream-if
  - fit
  - --config=tiny.yaml
  - --trainer.logger=WandbLogger
  - --trainer.logger.save_dir=runs/table
  - --then_test=true
  - ${args}
parameters:
  seed_everything: {values: [0, 1]}
"""


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of W&B and GPUs."""
    for name in ("WANDB_PROJECT", "WANDB_MODE", "WANDB_RUN_ID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stand_in(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `dream-if` that lies beside what `sys.executable` then names."""
    tool = workspace / "bin" / "dream-if"
    tool.parent.mkdir()
    tool.write_text(STAND_IN.format(python=sys.executable))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(tool.with_name("python")))
    return tool.parent


@pytest.fixture
def two_seeds(workspace: Path) -> str:
    """A sweep of two points on the tiny network."""
    (workspace / "two.yaml").write_text(SWEEP)
    return "two.yaml"


@pytest.fixture
def calls(workspace: Path) -> Callable[[], list[dict]]:
    """How the stand-in was called, in the order of the calls."""

    def read() -> list[dict]:
        path = workspace / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def order(workspace: Path) -> Callable[[str, str], None]:
    """Tells the stand-in what to do in the run of this name."""

    def write(run: str, what: str) -> None:
        (workspace / "orders").mkdir(exist_ok=True)
        (workspace / "orders" / run).write_text(what)

    return write
