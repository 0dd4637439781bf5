"""Checkpoints: written whole, the best one even across a resume, and the last one."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_info

from dream_if.storage import write_atomically

__all__ = ["BestCheckpoint", "LastCheckpoint", "WholeCheckpoints"]


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints whole or not at all.

    Lightning's own writer goes by a temporary file in the system's folder for such. On another disk than the run's the
    last step is then a copy, which a full disk or a kill cuts short, leaving a broken file in place of a good one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; a path with a protocol, such as ``s3://``, is left to Lightning.

        Raises:
            InputError: The folder cannot be written to, or the disk is full.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomically(Path(path), buffer.getbuffer())


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best checkpoint by a metric, also of a training that was resumed.

    A resumed run has a folder of its own. Lightning's class forgets there how good the best was, and would keep the
    best since then; this one goes on, so that `best_model_path` may lie in the folder of the run that was resumed.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what the checkpoint knows, whichever folder it was written to."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so if there is no best one."""
        super().on_train_end(trainer, pl_module)
        if self.monitor and not self.best_model_path and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # see _write
            rank_zero_info(
                f"No validation took place, so there is no {self.filename}.ckpt; last.ckpt in the run's checkpoints "
                "has the last whole epoch."
            )


class LastCheckpoint(BestCheckpoint):
    """Keeps ``last.ckpt``, the state after the last whole epoch, to resume from.

    `ModelCheckpoint(save_last=True)` renews that file only in epochs that it saves for another reason, such as a new
    best.
    """

    def __init__(self) -> None:
        super().__init__(filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
