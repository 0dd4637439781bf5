"""What a run leaves behind: its configuration, metrics, pictures, and fused images.

Everything goes into the run's own folder, ``<save_dir>/<name>/<version>`` of its first logger, whichever logger that
is: there Lightning keeps the checkpoints too. No other file of the package knows a tracker such as W&B.
"""

import csv
import io
import json
import os
import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter, ModelCheckpoint
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.plugins import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dream_if.errors import InputError
from dream_if.figures import panel
from dream_if.pixels import image_png, to_8_bit
from dream_if.storage import make_folder, write_atomically

__all__ = [
    "BestCheckpoint",
    "FusedImages",
    "ImagePanels",
    "LastCheckpoint",
    "RunConfig",
    "RunMetrics",
    "WholeCheckpoints",
    "make_output_folder",
    "name_project",
    "run_directory",
]

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


def make_output_folder(trainer: Trainer) -> None:
    """Make sure, before any work is done, that there is a folder for runs and that it can be written to.

    Raises:
        InputError: There is none and it cannot be made, or it is not for writing.
    """
    if not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by a connector, unseen by mypy
        make_folder(run_directory(trainer).parent)


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
        settings = dict(_flat(yaml.safe_load(text)))
        for logger in trainer.loggers:
            logger.log_hyperparams({key: value for key, value in settings.items() if key not in _known(logger)})


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting by its full name, such as ``model.net.dim``."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


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
        count = sum(parameter.numel() for parameter in pl_module.parameters())
        place = "" if trainer.fast_dev_run else f"; this run's folder is {run_directory(trainer)}"  # type: ignore[attr-defined]  # set by a connector
        rank_zero_info(f"The network has {count / 1e6:.2f} M parameters{place}")

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
        self._write(trainer, "test", {"checkpoint": trainer.ckpt_path and str(trainer.ckpt_path)})
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


class ImagePanels(Callback):
    """Draws sources as the network saw them, fused images and dominance maps, into ``panels/`` of the run's folder.

    Validations give pictures of the first validation samples, every test one of the first images of each set, next to
    the methods the network is compared with. Loggers that take images get them as well.

    Args:
        count: scenes in a picture; 0 draws none.
        every_n_epochs: how many epochs lie between two pictures in training. The next validation draws; so does the
            last one of the training.
    """

    def __init__(self, count: int = 3, every_n_epochs: int = 1) -> None:
        if every_n_epochs < 1:
            raise InputError(f"panels.every_n_epochs must be 1 or more, got {every_n_epochs}.")
        self.count = count
        self.every_n_epochs = every_n_epochs
        self.rows: list[dict[str, Tensor]] = []
        self.notes: list[str] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first samples."""
        if self._due(trainer) and not trainer.sanity_checking:
            self._keep(batch, outputs)

    def _due(self, trainer: Trainer) -> bool:
        done, between = trainer.current_epoch + 1, trainer.check_val_every_n_epoch or 1
        last = trainer.max_epochs is not None and 0 < trainer.max_epochs < done + between
        return last or done // self.every_n_epochs > (done - between) // self.every_n_epochs

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them."""
        self._draw(trainer, f"epoch_{trainer.current_epoch:04d}", "validation")

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images of this set, and draw them after the last."""
        self._keep(batch, outputs)
        if batch_idx + 1 == trainer.num_test_batches[dataloader_idx]:
            name = trainer.datamodule.test_sets[dataloader_idx]  # type: ignore[attr-defined]  # lightning's
            self._draw(trainer, f"test_{name}", name)

    def _keep(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        for place in range(min(len(batch["name"]), self.count - len(self.rows))):
            row = {"visible": batch["visible"][place], "infrared": batch["infrared"][place]}
            row |= {name: images[place] for name, images in outputs["fused"].items()}
            maps = outputs["dominance_visible"]
            row |= {"dominance of visible": maps[0][place]} if maps else {}
            self.rows.append({name: picture.detach().float().cpu() for name, picture in row.items()})
            self.notes.append(_told({name: float(values[place]) for name, values in outputs["statistics"].items()}))

    def _draw(self, trainer: Trainer, file: str, title: str) -> None:
        rows, self.rows = self.rows, []
        notes, self.notes = self.notes, []
        if not rows or trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        picture = panel(rows, title, notes)
        write_atomically(run_directory(trainer) / "panels" / f"{file}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"panels/{title}", [Image.open(io.BytesIO(picture))])


def _told(statistics: Mapping[str, float]) -> str:
    """Statistics of a dominance map that an image has, a line each."""
    return "\n".join(f"{name} {value:.2f}" for name, value in statistics.items() if value == value)


class FusedImages(BasePredictionWriter):
    """Writes what `predict` fuses as 8-bit PNG files, ``fused/<set>/<name>.png`` in the run's folder."""

    def __init__(self) -> None:
        super().__init__(write_interval="batch")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Settle where the images go; the folder is made with the first of them."""
        if stage == "predict":
            self.folder: Path = trainer.strategy.broadcast(run_directory(trainer) / "fused")

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the batch's images."""
        folder = self.folder / trainer.datamodule.test_sets[dataloader_idx]  # type: ignore[attr-defined]  # lightning's
        for name, fused in zip(batch["name"], prediction.fused, strict=True):
            write_atomically(folder / f"{name}.png", image_png(to_8_bit(fused).permute(1, 2, 0).cpu().numpy()))
