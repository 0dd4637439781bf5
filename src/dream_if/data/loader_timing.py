"""How long a training waits for its data."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

__all__ = ["DataWait", "TimedLoader"]


class TimedLoader(DataLoader[Any]):
    """A `DataLoader` that adds up, in ``waited``, the seconds for which whoever asked for a batch had to wait."""

    waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names the class of its own iterators
        """The batches."""
        start = time.perf_counter()
        batches = super().__iter__()  # at once: the workers begin
        self.waited += time.perf_counter() - start
        return self._timed(batches)

    def _timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        start = time.perf_counter()
        for batch in batches:
            self.waited += time.perf_counter() - start
            yield batch
            start = time.perf_counter()


class DataWait(Callback):
    """Logs ``train/data_wait``: the share of an epoch's time, validation left out, spent waiting for the next batch.

    Near 0 the network is the bottleneck; where it is large, more workers, more crops per pair or a prepared set make
    the training faster. The wait of the first batch counts, with the start of the workers in the first epoch. The
    share is that of the process: on a GPU, which may still be at work meanwhile, it is an upper bound. Over several
    processes it is the mean.
    """

    def __init__(self) -> None:
        self._start = 0.0
        self._waited = 0.0
        self._paused = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        loader = trainer.train_dataloader
        if isinstance(loader, TimedLoader):
            self._start, self._waited = time.perf_counter(), loader.waited

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it."""
        self._paused = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let it go on, as if no time had passed."""
        self._start += time.perf_counter() - self._paused

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the share."""
        loader = trainer.train_dataloader
        if isinstance(loader, TimedLoader):
            share = (loader.waited - self._waited) / (time.perf_counter() - self._start)
            pl_module.log("train/data_wait", torch.tensor(share, device=pl_module.device), sync_dist=True)
