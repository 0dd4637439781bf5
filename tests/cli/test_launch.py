"""What is made of the processes that torchrun or SLURM start."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from dream_if.cli import launch
from dream_if.machine import Threads

FIT = ("fit", "--config", "tiny.yaml", "--trainer.fast_dev_run", 1)
TORCHRUN = {"TORCHELASTIC_RUN_ID": "run", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}
SLURM = {
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch):
    """Sets variables of the environment, and none that this machine's own launcher may have set."""
    for name in (*TORCHRUN, *SLURM, "SLURM_JOB_NAME", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)

    def put(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(("variables", "name"), [(TORCHRUN, "torchrun"), (SLURM, "SLURM")])
def test_more_processes_than_devices_are_refused(run, inside, variables, name) -> None:
    inside(variables)
    message = run(*FIT).message
    assert message.startswith(f"{name} (")
    assert "counts 2 process(es), but trainer.num_nodes is 1 with 1 device(s) each" in message


@pytest.mark.usefixtures("workspace")
def test_fewer_processes_than_devices_are_refused(run, inside) -> None:
    inside(SLURM | {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"})
    assert "counts 1 process(es), but" in run(*FIT, "--trainer.devices", 2).message


@pytest.mark.parametrize(
    "variables",
    [
        {},
        TORCHRUN | {"WORLD_SIZE": "1"},
        SLURM | {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"},
        SLURM | {"SLURM_JOB_NAME": "interactive"},
    ],
)
def test_one_for_each_device_is_accepted(inside, variables) -> None:
    inside(variables)
    launch.check_processes(SimpleNamespace(num_devices=1, num_nodes=1))


def test_nodes_count(inside) -> None:
    inside(TORCHRUN | {"WORLD_SIZE": "6"})
    launch.check_processes(SimpleNamespace(num_devices=2, num_nodes=3))


@pytest.mark.parametrize(
    ("variables", "processes"),
    [({}, 4), (SLURM, 4), (SLURM | {"SLURM_CPUS_PER_TASK": "8"}, 1), ({"SLURM_CPUS_PER_TASK": "8"}, 4)],
)
def test_processes_share_cores_unless_slurm_has_dealt_them_out(inside, monkeypatch, variables, processes) -> None:
    inside(variables)
    seen = []
    monkeypatch.setattr(launch, "choose_threads", lambda *given: seen.append(given) or Threads(1, "1 thread"))
    launch.share_cores(SimpleNamespace(num_devices=4), None)
    launch.share_cores(SimpleNamespace(num_devices=4), 3)
    assert seen == [(None, processes), (3, processes)]


@pytest.mark.slow
def test_one_thread_trains_in_bfloat16(tmp_path: Path) -> None:
    """In a process of its own: on processors with AMX oneDNN divided by zero, which no Python sees."""
    limits = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1")
    words = ["fit", "--config", "demo", "--threads=1", "--panels.count=0", *limits, "--data.num_workers=0"]
    code = "import sys; from dream_if.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.slow
def test_in_a_terminal_each_line_stands_above_the_bar(workspace: Path) -> None:
    """And the bar counts as the lines do, without v_num."""
    main, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "240"}
    script = "import sys; from dream_if.cli import main; sys.exit(main(sys.argv[1:]))"
    words = (*FIT[:3], "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu")
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stdin=other, stdout=other, stderr=other, cwd=workspace, env=environment
    ) as process:
        os.close(other)
        written = b""
        with suppress(OSError):  # the end
            while read := os.read(main, 4096):
                written += read
    os.close(main)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())
    assert process.returncode == 0, text
    assert re.findall(r"[\r\n](epoch \d of 2) \| loss", text) == ["epoch 1 of 2", "epoch 2 of 2"]
    assert set(re.findall(r"[\r\n](\w+ \d.*?) +━", text)) == {"epoch 1 of 2", "epoch 2 of 2"}
    assert "v_num" not in text
