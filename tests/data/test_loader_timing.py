"""How long a training waits for its data, by a clock that stands still but for what the test does."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from dream_if.data import loader_timing
from dream_if.data.loader_timing import DataWait, TimedLoader


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loader_timing, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


class Slow(Dataset):
    """Takes three seconds to read, or none."""

    def __init__(self, clock: Clock, seconds: float = 3.0) -> None:
        self.clock = clock
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def __getitem__(self, position: int) -> torch.Tensor:
        self.clock.pass_(self.seconds)
        return torch.ones(1)


class Busy(LightningModule):
    """Takes a second for a step, and far more for validation."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.clock = clock

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.clock.pass_(1)
        return self.layer(batch).sum()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.clock.pass_(50)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(clock: Clock, loader: DataLoader, **options: int) -> dict[str, torch.Tensor]:
    """What is logged in the second of two epochs."""
    trainer = Trainer(
        max_epochs=2,
        callbacks=[DataWait()],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(Busy(clock), loader, DataLoader(Slow(clock)))
    return trainer.callback_metrics


def test_a_loader_adds_up_what_was_waited(clock: Clock) -> None:
    loader = TimedLoader(Slow(clock), batch_size=2)
    for _ in range(2):
        for _ in loader:
            clock.pass_(7)
    assert loader.waited == 2 * 8 * 3


def test_batches_are_those_of_a_plain_loader() -> None:
    pairs = list(range(10))
    for options in ({}, {"num_workers": 1, "persistent_workers": True}):
        timed, plain = TimedLoader(pairs, 3, **options), DataLoader(pairs, 3)
        for _ in range(2):
            assert [batch.tolist() for batch in timed] == [batch.tolist() for batch in plain]
        assert len(timed) == len(plain)


@pytest.mark.parametrize("checks", [{"val_check_interval": 4}, {}])
def test_share_of_an_epoch(clock: Clock, checks: dict[str, int]) -> None:
    found = fit(clock, TimedLoader(Slow(clock)), **checks)
    assert found["train/data_wait"].item() == 0.75  # three seconds of four, whatever validation takes


def test_no_wait(clock: Clock) -> None:
    assert fit(clock, TimedLoader(Slow(clock, 0.0)))["train/data_wait"].item() == 0


def test_nothing_is_said_of_other_loaders(clock: Clock) -> None:
    assert "train/data_wait" not in fit(clock, DataLoader(Slow(clock)))
