"""The folder of a run, ``<save_dir>/<name>/<version>`` of its first logger, whichever logger that is.

It is made by whoever writes into it first: the logger, or `RunConfig` with ``config.yaml``.
"""

import os
from pathlib import Path

from lightning.pytorch import Trainer

from dream_if.storage import make_folder

__all__ = ["METRICS_FILE", "make_parent_of_runs", "name_project", "run_directory"]

METRICS_FILE = "metrics.json"


def run_directory(trainer: Trainer) -> Path:
    """The folder of this run, on the first process; a logger on another may number it differently."""
    if not trainer.loggers:
        return Path(trainer.default_root_dir)
    logger = trainer.loggers[0]
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
    return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) / version


def name_project() -> None:
    """Call the project of trackers that have such a thing "dream-if", unless the environment names one.

    Lightning would call it "lightning_logs", and so the folder that runs go to.
    """
    os.environ.setdefault("WANDB_PROJECT", "dream-if")


def make_parent_of_runs(trainer: Trainer) -> None:
    """Make sure, before any work is done, that there is a folder for runs and that it can be written to.

    Raises:
        InputError: There is none and it cannot be made, or it is not for writing.
    """
    if not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
        make_folder(run_directory(trainer).parent)
