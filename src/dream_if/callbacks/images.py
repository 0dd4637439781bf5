"""Pictures of a run: panels of what it fuses, and the fused images of a prediction."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_info
from PIL import Image
from torch import Tensor

from dream_if.callbacks.run_directory import run_directory
from dream_if.errors import InputError
from dream_if.figures import panel
from dream_if.pixels import image_png, to_8_bit
from dream_if.storage import write_atomically

__all__ = ["FusedImages", "ImagePanels"]


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
        path = run_directory(trainer) / "panels" / f"{file}.png"
        write_atomically(path, picture)
        key, image = f"panels/{title}", Image.open(io.BytesIO(picture))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(key, [image])
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(key, np.asarray(image), trainer.global_step, dataformats="HWC")
            elif isinstance(logger, MLFlowLogger):
                logger.experiment.log_artifact(logger.run_id, path, "panels")


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

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where they are."""
        rank_zero_info(f"The fused images are in {self.folder}")
