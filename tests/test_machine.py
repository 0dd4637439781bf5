"""How many threads compute and how much memory there is, on machines made up of files."""

import os
from pathlib import Path

import cv2
import pytest
import torch

from dream_if.errors import InputError
from dream_if.machine import Threads, choose_threads, free_memory, use_threads, used_memory

CPU = torch.device("cpu")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a machine: its processors, how busy each is (0 to 1), its load of the last minute."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def make(cpus: int, busy=(), load: float = 0.0, twins: bool = False) -> Path:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
        monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
        if twins:  # processors 0 and 1 are one core, 2 and 3 another, ...
            for cpu in range(cpus):
                pair = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}\n"
                write(f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", pair)
        seconds = [0.0]

        def stat() -> None:
            shares = [*busy, *[0.0] * (cpus - len(busy))]
            worked = [100 * seconds[0] * share for share in shares]
            ticks = [
                f"cpu{cpu} {1000 + work:.0f} 0 0 {5000 + 100 * seconds[0] - work:.0f} 7 0 0 0"
                for cpu, work in enumerate(worked)
            ]
            write("proc/stat", "\n".join(["cpu 1 2 3 4 5 6 7 8", *ticks, "intr 12 0 4"]) + "\n")

        def sleep(duration: float) -> None:
            seconds[0] += duration
            stat()

        stat()
        monkeypatch.setattr("dream_if.machine.time.sleep", sleep)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("cpus", "busy", "load", "processes", "number"),
    [
        (8, (), 0.0, 1, 8),
        (8, (1, 1, 1), 3.0, 1, 5),
        (8, (1, 1, 1), 0.4, 1, 8),  # they have only begun
        (8, (), 7.0, 1, 8),  # they have just ended
        (8, (1, 1, 1), 6.0, 1, 5),  # some of them have
        (8, (0.4,), 2.0, 1, 8),
        (8, (1,) * 8, 30.0, 1, 1),
        (2, (1,), 1.0, 1, 1),
        (8, (), 0.0, 4, 2),
        (8, (1, 1), 2.0, 4, 1),
        (8, (), 0.0, 3, 2),
        (2, (), 0.0, 8, 1),
    ],
)
def test_it_takes_what_others_leave(machine, cpus, busy, load, processes, number) -> None:
    assert choose_threads(None, processes, machine(cpus, busy, load)).number == number


def test_two_processors_of_one_core_count_once(machine) -> None:
    assert choose_threads(root=machine(8, twins=True)).number == 4


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "400000 100000\n"}, 4),
        ({"proc/self/cgroup": "3:cpu:/x\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "500000\n"}, 16),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "500000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            5,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 16),
    ],
)
def test_it_keeps_to_the_limit_of_a_control_group(machine, files, number) -> None:
    root = machine(16)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert choose_threads(root=root).number == number


def test_a_limit_leaves_room_for_others_elsewhere(machine) -> None:
    """A container of 2 on 16 processors, 10 of them busy with something else."""
    root = machine(16, (1,) * 10, 10.0)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text("200000 100000\n")
    assert choose_threads(root=root).number == 2


def test_it_keeps_to_the_share_of_a_task_of_slurm(machine, monkeypatch) -> None:
    root = machine(64)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    assert choose_threads(root=root).number == 8


def test_what_was_asked_for_comes_first_and_the_environment_second(machine, monkeypatch) -> None:
    root = machine(8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    assert choose_threads(root=root) == (3, "3 threads, by OMP_NUM_THREADS")
    assert choose_threads(5, 4, root) == (5, "5 threads, as asked for")
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert choose_threads(root=root).number == 8
    with pytest.raises(InputError, match="threads must be 1 or more, got 0"):
        choose_threads(0)


def test_it_says_why(machine) -> None:
    reason = choose_threads(None, 2, machine(8, (1, 0.5), 3.0)).reason
    assert reason == "3 threads in each of 2 processes (8 cores, others keep 1.5 busy); --threads N sets it"
    assert choose_threads(root=machine(1)).reason == "1 thread (1 core); --threads N sets it"


@pytest.fixture
def _as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_as_before")
def test_torch_and_opencv_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cv2.setNumThreads(2)
    use_threads(Threads(3, ""))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 1)
    assert os.environ["OMP_NUM_THREADS"] == "3"  # what the processes get that Lightning starts
    use_threads(Threads(2, ""))
    assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (2, "3")


@pytest.mark.usefixtures("_as_before")
class TestCommand:
    def test_a_number_is_kept_and_said(self, run, workspace: Path) -> None:
        outcome = run("fit", "--config", "tiny.yaml", "--threads", 2, "--trainer.fast_dev_run", 1)
        assert outcome.status == 0, outcome.err
        assert torch.get_num_threads() == 2

    def test_none_is_refused(self, run, workspace: Path) -> None:
        assert "threads must be 1 or more, got 0" in run("fit", "--config", "tiny.yaml", "--threads", 0).message
        assert not (workspace / "runs").exists()


def test_a_control_group_limits_what_is_free(tmp_path: Path):
    without = free_memory(CPU, tmp_path)
    assert without > 0
    groups = tmp_path / "sys/fs/cgroup"
    groups.mkdir(parents=True)
    (groups / "memory.max").write_text("max\n")
    (groups / "memory.current").write_text("1\n")
    assert free_memory(CPU, tmp_path) > 2**20
    (groups / "memory.max").write_text(f"{3 * 2**20}\n")
    (groups / "memory.current").write_text(f"{2 * 2**20}\n")
    assert free_memory(CPU, tmp_path) == int(0.8 * 2**20)


def test_what_this_process_holds_grows_with_what_it_takes():
    before = used_memory(CPU)
    held = torch.ones(64 * 2**20, dtype=torch.uint8)
    assert used_memory(CPU) - before > 0.9 * len(held)
