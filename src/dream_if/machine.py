"""The threads and memory that this process may use and that others leave free.

With more threads than free cores, threads wait for each other: two threads on one free core are many times slower than
one. torch counts cores, but ignores a container's limit and other processes.
"""

import ctypes
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # its types are a package of their own
import torch

from dream_if.errors import InputError

__all__ = [
    "Threads",
    "choose_threads",
    "forget_peak",
    "free_memory",
    "peak_memory",
    "return_what_was_freed",
    "use_threads",
    "used_memory",
]

SECONDS = 0.2  # for which others are watched
SHARE = 0.8  # of the free memory: others on the machine want to breathe


class Threads(NamedTuple):
    """How many threads compute in this process, and a sentence that says why."""

    number: int
    reason: str


def choose_threads(asked: int | None = None, processes: int = 1, root: Path = Path("/")) -> Threads:
    """Choose a number of threads: what was asked for, else ``OMP_NUM_THREADS``, else this process's share.

    The share is the cores of the machine that the process may use, by its affinity, the limit of its control group and
    SLURM's ``--cpus-per-task``, less those at which others have been busy for a minute and still are, divided among
    the processes.

    Args:
        asked: what the user asked for.
        processes: how many processes of this run there are on these cores.
        root: where ``proc`` and ``sys`` are.

    Raises:
        InputError: Fewer than one was asked for.
    """
    if asked is not None:
        if asked < 1:
            raise InputError(f"threads must be 1 or more, got {asked}.")
        return Threads(asked, f"{_counted(asked, 'thread')}, as asked for")
    kept = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list is for nested regions
    if kept.isdecimal() and int(kept) > 0:
        return Threads(int(kept), f"{_counted(int(kept), 'thread')}, by OMP_NUM_THREADS")
    cpus = _cpus()
    cores = len({_siblings(cpu, root) for cpu in cpus})
    limit = min(cores, *_quotas(root), float(os.environ.get("SLURM_CPUS_PER_TASK", cores)))
    busy = _busy(cpus, root) if limit > 1 else 0.0
    count = max(1, round(min(limit, cores - busy)) // processes)
    shared = f" in each of {processes} processes" if processes > 1 else ""
    others = f", others keep {busy:.1f} busy" if busy >= 0.1 else ""
    return Threads(
        count, f"{_counted(count, 'thread')}{shared} ({_counted(round(limit), 'core')}{others}); --threads N sets it"
    )


def use_threads(threads: Threads) -> None:
    """Let torch compute with so many, and the processes that this one starts; OpenCV with one.

    OpenCV's are for the processes that load data, of which there are several already.
    """
    import cv2  # half a second, which fusing a picture can do without

    torch.set_num_threads(threads.number)
    cv2.setNumThreads(1)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads.number))  # else Lightning chooses for a node's processes


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _cpus() -> list[int]:
    """The logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _siblings(cpu: int, root: Path) -> str:
    """Name of the core that a logical processor is part of; the processor's own where that is not known."""
    try:
        return (root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _quotas(root: Path) -> Iterable[float]:
    """Processor time by the second that control groups (version 2, then 1) leave to this process."""
    groups = root / "sys/fs/cgroup"
    own = next((word[4:] for word in _words(root / "proc/self/cgroup") if word.startswith("0::/")), "")
    for folder in (groups / own, *(groups / own).parents):
        if folder.is_relative_to(groups):
            yield from _quota(_words(folder / "cpu.max"))
    yield from _quota(_words(groups / "cpu/cpu.cfs_quota_us") + _words(groups / "cpu/cpu.cfs_period_us"))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _quota(words: list[str]) -> Iterable[float]:
    """Quota and period, unless there is no limit, which is written "max" or -1."""
    if len(words) == 2 and words[0].isdecimal():
        yield max(1.0, int(words[0]) / int(words[1]))


def _busy(cpus: list[int], root: Path) -> float:
    """How many of these processors others use: both over the last minute and now.

    The load of the last minute alone would count what this user ran just before, the moment alone any flicker.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5:
        return 0.0
    before = _times(cpus, root)
    time.sleep(SECONDS)
    after = _times(cpus, root)
    if not before:
        return load
    shares = [
        (worked - worked_before) / max(1, total - total_before)
        for (worked_before, total_before), (worked, total) in zip(before, after, strict=True)
    ]
    return min(load, sum(shares))


def _times(cpus: list[int], root: Path) -> list[tuple[int, int]]:
    """For each processor the ticks since the machine started: those at work, and all; empty where not known."""
    times = []
    for line in (root / "proc/stat").read_text().splitlines() if (root / "proc/stat").exists() else []:
        name, *ticks = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cpus:
            counts = [int(tick) for tick in ticks[:8]]  # user, nice, system, idle, iowait, irq, softirq, steal
            times.append((sum(counts) - counts[3] - counts[4], sum(counts)))
    return times


def used_memory(device: torch.device) -> int:
    """Bytes that this process holds: in main memory for the CPU, of torch's tensors on another device."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return_what_was_freed()
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Bytes of main memory that this process has held at most, or since `forget_peak`.

    Linux says it of this program alone; `getrusage` there starts with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource  # Windows has none

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> bool:
    """Count the peak of this process anew; whether the system can, as Linux does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def return_what_was_freed() -> None:
    """Have the C library give freed memory back to the system, where it keeps some for later: GNU's on Linux.

    After a fusion that is hundreds of MiB, which would count as held when the next one is planned.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        ctypes.CDLL(None).malloc_trim(0)


def free_memory(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that may be taken: four fifths of what is free on the device, within the limits of control groups.

    Args:
        device: where.
        root: where ``sys`` is.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(SHARE * (free + cached))
    return int(SHARE * min([psutil.virtual_memory().available, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> list[int]:
    """What the limits of a container leave, by control groups of version 2, then 1."""
    groups = root / "sys/fs/cgroup"
    left = []
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            left.append(max(0, int((groups / limit).read_text()) - int((groups / used).read_text())))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return left
