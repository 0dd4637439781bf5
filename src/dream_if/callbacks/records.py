"""The settings of a run and what it scored, as files in its folder and for trackers."""

import csv
import io
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dream_if.callbacks.run_directory import METRICS_FILE, run_directory
from dream_if.messages import flat
from dream_if.storage import write_atomically

__all__ = ["RunConfig", "RunMetrics"]


class RunConfig(SaveConfigCallback):
    """Writes the resolved configuration to ``config.yaml`` in the run's folder, and hands it to the loggers.

    The file starts the run again: ``dream-if fit --config <run>/config.yaml``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Lightning would put it into the save directory, where with some loggers the next run finds it and stops.
        super().__init__(*args, **{**kwargs, "save_to_log_dir": False})

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file and log its content; Lightning calls this on the first process alone."""
        text = self.parser.dump(self.config, skip_none=False, format="yaml")
        write_atomically(run_directory(trainer) / "config.yaml", text.encode())
        settings = dict(flat(yaml.safe_load(text)))
        for logger in trainer.loggers:
            logger.log_hyperparams({key: value for key, value in settings.items() if key not in _known(logger)})


def _known(logger: Logger) -> Collection[str]:
    """Settings that a tracker has already: those of a sweep's point, which W&B lets nobody write to."""
    return dict(logger.experiment.config) if isinstance(logger, WandbLogger) else ()


class RunMetrics(Callback):
    """Keeps ``metrics.json`` in the run's folder, and of a test ``per_image.csv`` and a table on the terminal."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.trained = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say how large the network is and where everything goes."""
        count = _size(pl_module)
        place = "" if trainer.fast_dev_run else f"; this run's folder is {run_directory(trainer)}"  # type: ignore[attr-defined]  # set by a connector
        size = f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count}"
        rank_zero_info(f"The network has {size} parameters{place}")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier training."""
        self.trained = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that there is something to train."""
        self.trained = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last epoch's losses and metrics, and which checkpoint was best by what.

        A training that was resumed behind its last epoch has none: the record of the training that had stays.
        """
        if not self.trained and "fit" in _record(run_directory(trainer)):
            return
        checkpoint = trainer.checkpoint_callback
        self._write(
            trainer,
            "fit",
            {
                "epochs": trainer.current_epoch,
                "steps": trainer.global_step,
                "best_checkpoint": getattr(checkpoint, "best_model_path", "") or None,
                "best_by": getattr(checkpoint, "monitor", None),
                "best_value": _plain(getattr(checkpoint, "best_model_score", None)),
                "hardware": _hardware(pl_module.device, trainer.world_size),
                "versions": {name: version(name) for name in ("torch", "lightning", "dream-if")},
            },
        )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the validation's results with the weights that they are of."""
        values = {name: _plain(value) for name, value in trainer.callback_metrics.items()}
        checkpoint["validation"] = {name: value for name, value in values.items() if name.startswith("val/")}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the metrics of ``dream-if validate``."""
        if trainer.state.fn == "validate":
            self._write(trainer, "validate", {"checkpoint": trainer.ckpt_path and str(trainer.ckpt_path)})

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the images of an earlier test."""
        self.rows = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note each image's metrics, for the network and what it is compared with."""
        name = trainer.datamodule.test_sets[dataloader_idx]  # type: ignore[attr-defined]  # lightning's
        for method, scores in outputs["scores"].items():
            columns = {metric: values.tolist() for metric, values in scores.items()}
            for place, image in enumerate(batch["name"]):
                row = {"set": name, "method": "network" if method == "fused" else method, "name": image}
                self.rows.append(row | {metric: values[place] for metric, values in columns.items()})

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the metrics, and print them as a table: a row for each set and method."""
        self._write_images(trainer)
        metrics: Any = pl_module.val_metrics  # which are those of a test
        directions = {name: metric.higher_is_better for name, metric in metrics.items(keep_base=True)}
        self._write(
            trainer,
            "test",
            {
                "checkpoint": trainer.ckpt_path and str(trainer.ckpt_path),
                "parameters": _size(pl_module),  # these two for tables, which import no code of others
                "higher_is_better": directions,
            },
        )
        if trainer.is_global_zero and trainer.callback_metrics:
            sets = trainer.datamodule.test_sets  # type: ignore[attr-defined]  # lightning's
            table = _table(trainer.callback_metrics, pl_module.metric_names, sets)  # type: ignore[arg-type]  # our task's
            console = Console()
            # A pipe or a file counts as 80 columns wide, into which a long table would be squeezed.
            console.width = (
                max(console.width, console.measure(table).maximum) if not console.is_terminal else console.width
            )
            console.print(table)

    def _write_images(self, trainer: Trainer) -> None:
        """Write ``per_image.csv``, the images of all processes in the order of sets, methods and names."""
        shares = [self.rows]
        if trainer.world_size > 1:
            shares = [[] for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(shares, self.rows)
        rows = [row for share in shares for row in share]
        if not trainer.is_global_zero or trainer.fast_dev_run or not rows:  # type: ignore[attr-defined]  # see _write
            return
        sets = list(dict.fromkeys(row["set"] for row in rows))
        methods = list(dict.fromkeys(row["method"] for row in rows))
        rows.sort(key=lambda row: (sets.index(row["set"]), methods.index(row["method"]), row["name"]))
        table = io.StringIO()
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(run_directory(trainer) / "per_image.csv", table.getvalue().encode())

    @rank_zero_only
    def _write(self, trainer: Trainer, stage: str, facts: Mapping[str, Any]) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
            return
        record = _record(run_directory(trainer))
        # "loss", without a stage, is the last step's: for the progress bar alone.
        metrics = {name: _plain(value) for name, value in sorted(trainer.callback_metrics.items()) if "/" in name}
        record[stage] = {**facts, "metrics": metrics}
        write_atomically(run_directory(trainer) / METRICS_FILE, (json.dumps(record, indent=2) + "\n").encode())


def _record(folder: Path) -> dict[str, Any]:
    """What a run's folder holds of its stages so far."""
    path = folder / METRICS_FILE
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return record


def _size(pl_module: LightningModule) -> int:
    """The number of the network's parameters, without those of losses and metrics."""
    network: torch.nn.Module = pl_module.net  # type: ignore[assignment]  # our task's
    return sum(parameter.numel() for parameter in network.parameters())


def _hardware(device: torch.device, processes: int) -> str:
    """What a run ran on, in words."""
    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    return f"{processes} x {platform.processor() or platform.machine()} CPU, {torch.get_num_threads()} thread(s)"


def _plain(value: Tensor | float | None) -> float | None:
    """A number as JSON can hold it: what is undefined becomes null."""
    number = None if value is None else float(value)
    return number if number == number else None


def _table(metrics: Mapping[str, Tensor], columns: Sequence[str], sets: Sequence[str]) -> Table:
    """Rows for each set and method from keys ``test/<set>/<metric>`` and ``test/<set>/<method>/<metric>``.

    The name of a set may have a / in it: a condition's name may.
    """
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for key, value in metrics.items():
        place = key.removeprefix("test/")
        name = max((name for name in sets if place.startswith(f"{name}/")), key=len)
        *method, metric = place.removeprefix(f"{name}/").split("/")
        rows.setdefault((name, method[0] if method else "network"), {})[metric] = float(value)
    table = Table(title="Means over the images of each test set, against the clean sources")
    table.add_column("set")
    table.add_column("method")
    for column in columns:
        table.add_column(column, justify="right")
    previous = None
    for (name, scored), row in rows.items():
        if previous not in (None, name):
            table.add_section()
        table.add_row(name if name != previous else "", scored, *(f"{row[column]:.3f}" for column in columns))
        previous = name
    return table
