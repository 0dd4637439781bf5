"""What a training prints: a line for each epoch, the same in a terminal and in a log file."""

import time
from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from dream_if.callbacks.run_directory import run_directory

__all__ = ["EpochLines", "duration", "epoch_number"]


def duration(seconds: float) -> str:
    """A time in words: ``8 s``, ``3 min 05 s``, ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def epoch_number(trainer: Trainer) -> str:
    """Which epoch runs, counted from 1, and of how many if that is settled: ``3 of 15``."""
    most = trainer.max_epochs
    number = trainer.current_epoch + 1
    return f"{number:{len(str(most))}d} of {most}" if most and most > 0 else str(number)


class EpochLines(Callback):
    """Prints a line after each epoch: loss, validation metrics, data wait, time gone and time left.

    A validation metric that ``best.ckpt`` is chosen by has a ``*`` behind it where it is a new best. At the end it says
    where the best checkpoint lies and what to do next.
    """

    def __init__(self) -> None:
        self._start: float | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier training."""
        self._start = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; a training that goes on knows its best so far."""
        self._start = time.monotonic()
        self._steps_before = trainer.global_step
        self._validated = False
        best = getattr(trainer.checkpoint_callback, "best_model_score", None)
        self._best: float | None = None if best is None else float(best)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this epoch has validation metrics of its own."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line."""
        metrics = trainer.callback_metrics  # asked for by every process, as it may have to meet the others for them
        parts = [f"epoch {epoch_number(trainer)}", f"loss {metrics['train/loss']:.4f}"]
        if self._validated:
            parts.append(self._scores(trainer, pl_module, metrics))
        if "train/data_wait" in metrics:
            parts.append(f"waited for data {100 * float(metrics['train/data_wait']):.0f} %")
        parts.append(self._times(trainer))
        rank_zero_info(" | ".join(parts))
        self._validated = False

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what there is now, and what comes next; nothing where no epoch was left to train."""
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if self._start is not None and best and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
            trust = " --trust-code" if "class_path" in pl_module.hparams.get("net", {}) else ""
            rank_zero_info(
                f"Trained for {duration(time.monotonic() - self._start)}; the best checkpoint is {best}. Next:\n"
                f"  dream-if test --config {run_directory(trainer) / 'config.yaml'} --ckpt_path {best}\n"
                f"  dream-if fuse VISIBLE INFRARED -o FUSED --weights {best}{trust}"
            )

    def _scores(self, trainer: Trainer, pl_module: LightningModule, metrics: Mapping[str, Tensor]) -> str:
        """The validation metrics, with a mark at a new best."""
        monitor = getattr(trainer.checkpoint_callback, "monitor", None)
        lower = getattr(trainer.checkpoint_callback, "mode", "max") == "min"
        names = [f"val/{name}" for name in getattr(pl_module, "metric_names", ())]
        told = []
        for name in dict.fromkeys([*names, *([monitor] if monitor else [])]):
            if name not in metrics:
                continue
            value, mark = float(metrics[name]), ""
            if name == monitor and (self._best is None or (value < self._best if lower else value > self._best)):
                self._best, mark = value, "*"
            told.append(f"{name} {value:.4f}{mark}")
        return "  ".join(told)

    def _times(self, trainer: Trainer) -> str:
        """Time gone since it was started or went on, and what the steps left will take at this rate."""
        assert self._start is not None  # since the training has started
        gone = time.monotonic() - self._start
        done, left = trainer.global_step - self._steps_before, trainer.estimated_stepping_batches - trainer.global_step
        if not done or left == float("inf"):
            return duration(gone)
        return f"{duration(gone)}, {duration(gone * left / done)} left"
