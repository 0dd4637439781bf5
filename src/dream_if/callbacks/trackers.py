"""What trackers such as Weights & Biases and MLflow get besides settings and metrics: best values, tables and files."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, WandbLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from dream_if.callbacks.run_directory import run_directory
from dream_if.runs.tracked import ARTIFACT, RECORDS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TrackerRecords"]


class TrackerRecords(Callback):
    """Hands trackers what a run came to.

    While it trains: the best value of each validation metric so far, as ``val/Qabf.max`` or ``val/loss.min``, and the
    epoch it is of, counted from 0, as ``val/Qabf.max_epoch``. W&B gets them in its summary, other trackers as metrics.

    After training and after a test: ``config.yaml``, ``metrics.json``, ``per_image.csv`` and ``best.ckpt``, to W&B as
    one artifact of the run with a new version each time, to MLflow as artifacts; and to W&B the scores of single
    images as a table. TensorBoard holds no files.

    Args:
        checkpoints: ``best``, or ``none`` to hand over the records without ``best.ckpt``.
        requeue: have W&B give a sweep's run to an agent again if it was asked to end by SIGTERM, as machines that are
            taken away ask. Not for sweeps that end poor runs early, which ask in the same way.
    """

    def __init__(self, checkpoints: Literal["best", "none"] = "best", requeue: bool = False) -> None:
        self.checkpoints = checkpoints
        self.requeue = requeue
        self.best: dict[str, tuple[float, int]] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on has to know."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best values so far."""
        self.best = dict(state_dict["best"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the best values so far."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        metrics: Any = pl_module.val_metrics
        directions = {f"val/{name}": metric.higher_is_better for name, metric in metrics.items(keep_base=True)}
        told: dict[str, float] = {}
        for name, higher in {**directions, "val/loss": False}.items():
            value = float(trainer.callback_metrics.get(name, math.nan))
            before = self.best.get(name, (-math.inf if higher else math.inf, 0))[0]
            if value > before if higher else value < before:
                self.best[name] = value, trainer.current_epoch
            if name in self.best:
                key = f"{name}.{'max' if higher else 'min'}"
                told |= dict(zip((key, f"{key}_epoch"), self.best[name], strict=True))
        for logger in trainer.loggers if trainer.is_global_zero else ():
            if isinstance(logger, WandbLogger):
                logger.experiment.summary.update(told)
            elif not isinstance(logger, CSVLogger):  # its file has every epoch
                logger.log_metrics(told, trainer.global_step - 1)  # the step of the metrics

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Tell W&B that the run has failed, and whether it is to be queued again."""
        if not trainer.is_global_zero or not any(isinstance(logger, WandbLogger) for logger in trainer.loggers):
            return
        import wandb

        if wandb.run is not None:
            if self.requeue and isinstance(exception, SIGTERMException) and wandb.run.sweep_id:
                wandb.run.mark_preempting()
            # W&B looks for the status in sys.exit, and not in the one that the command had taken hold of before.
            wandb.finish(exit_code=1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Hand over the files."""
        if stage == "predict" or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
            return
        folder = run_directory(trainer)
        files = [folder / name for name in RECORDS]
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")  # none after a test alone
        if best and self.checkpoints == "best":
            files.append(Path(best))
        files = [path.absolute() for path in files if path.is_file()]  # `wandb sync` may be called from elsewhere
        for logger in trainer.loggers:
            if isinstance(logger, MLFlowLogger):
                for path in files:
                    logger.experiment.log_artifact(logger.run_id, path)
            elif isinstance(logger, WandbLogger):
                _log_artifact(logger, files)
                if stage == "test":
                    logger.log_table("test/images", dataframe=_scores(folder / "per_image.csv"))


def _log_artifact(logger: WandbLogger, files: list[Path]) -> None:
    import wandb  # a second, which a run without it need not wait

    artifact = wandb.Artifact(f"{ARTIFACT}-{logger.experiment.id}", type=ARTIFACT)
    for path in files:
        # A checkpoint may be large, and is not written to any more: it needs no copy on this machine.
        large = path.suffix == ".ckpt"
        artifact.add_file(str(path), policy="immutable" if large else "mutable", skip_cache=large)
    logger.experiment.log_artifact(artifact)


def _scores(path: Path) -> "pd.DataFrame":
    """The scores of single images; a name such as 007 or NA is text."""
    import pandas as pd  # when it is used: a mistyped setting need not wait for it

    return pd.read_csv(path, converters=dict.fromkeys(("set", "method", "name"), str))
