"""The processes of a run: whether there are as many as the trainer expects, how each computes, and its bar."""

import logging
import os
import sys

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info

from dream_if.callbacks.epoch_lines import epoch_number
from dream_if.compat import describe_epochs
from dream_if.errors import InputError
from dream_if.machine import choose_threads, use_threads

__all__ = ["check_processes", "set_arithmetic", "set_bar", "share_cores"]


def check_processes(trainer: Trainer) -> None:
    """Make sure that torchrun or SLURM has started one process for each device.

    With too many, Lightning would run the same training several times over, and with too few leave devices idle.

    Raises:
        InputError: The numbers differ.
    """
    if TorchElasticEnvironment.detect():
        started, what = TorchElasticEnvironment().world_size(), "torchrun (--nnodes times --nproc-per-node)"
    elif SLURMEnvironment.detect():
        started, what = int(os.environ["SLURM_NTASKS"]), "SLURM (--nodes times --ntasks-per-node, through srun)"
    else:
        return
    if started != trainer.num_devices * trainer.num_nodes:
        raise InputError(
            f"{what} counts {started} process(es), but trainer.num_nodes is {trainer.num_nodes} with "
            f"{trainer.num_devices} device(s) each (trainer.devices): there must be one process for each device."
        )


def share_cores(trainer: Trainer, threads: int | None) -> None:
    """Let this process compute with its share of the machine's cores, and say so once.

    Args:
        trainer: whose processes share them.
        threads: what the user asked for; None to choose.

    Raises:
        InputError: Fewer than one was asked for.
    """
    # Under srun each process has cores of its own; else those of one node share what there is.
    alone = SLURMEnvironment.detect() and "SLURM_CPUS_PER_TASK" in os.environ
    chosen = choose_threads(threads, 1 if alone else trainer.num_devices)
    use_threads(chosen)
    if chosen.number == 1:
        # oneDNN of torch 2.15 divides by zero in a bfloat16 gradient where it has AMX and one thread: the process dies.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
    rank_zero_info(f"Computing with {chosen.reason}")


def set_arithmetic(trainer: Trainer) -> None:
    """Choose how a CUDA device multiplies, and say so once.

    Unless ``trainer.precision`` asks for 32 or 64 bits throughout, what is left in float32 beside mixed precision may
    use TF32, of 10 bits instead of 23, on tensor cores. ``trainer.benchmark``, which has cuDNN try its algorithms on
    each new size, stays the user's choice: crops have one size, test images many.
    """
    if trainer.strategy.root_device.type != "cuda":
        return
    exact = trainer.precision in ("32-true", "64-true")
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    rank_zero_info(
        f"Precision {trainer.precision}, TF32 {'off' if exact else 'on'}, "
        f"cuDNN benchmark {'on' if torch.backends.cudnn.benchmark else 'off'}"
    )


def set_bar(trainer: Trainer) -> None:
    """Have the bar agree with the epochs' lines, and those stand above it; in a file there are the lines alone."""
    bar = trainer.progress_bar_callback
    if bar is None:
        return
    if not sys.stdout.isatty():
        trainer.callbacks.remove(bar)  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
        return
    # Without v_num, which says nothing that the run's folder does not.
    bar.get_metrics = lambda *_: dict(trainer.progress_bar_metrics)  # type: ignore[method-assign]
    describe_epochs(bar, lambda _: f"epoch {epoch_number(trainer)}")
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and sys.stderr.isatty():
                handler.setStream(_StandardError())


class _StandardError:
    """`sys.stderr` as it is at each time: a bar that is drawn takes its place, to show lines above itself."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
