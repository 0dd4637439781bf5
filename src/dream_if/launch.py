"""The processes of a run: whether there are as many as the trainer counts on, and what cores each may use."""

import os

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info

from dream_if.errors import InputError
from dream_if.threads import choose_threads, use_threads

__all__ = ["check_processes", "share_cores"]


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
    rank_zero_info(f"Computing with {chosen.reason}")
