"""A few steps of training on fixed crops, whose losses are compared between devices and precisions."""

from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, Trainer, seed_everything
from torch.utils.data import DataLoader, default_collate

from benchmarks.network_case import build
from dream_if.data.scenes import generate_scene
from dream_if.losses import FusionLoss, LossWeights
from dream_if.task import FusionTask

__all__ = ["EXPERIMENTS", "steps_of_training"]

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


class Losses(Callback):
    """The loss of each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, *args: Any) -> None:
        """Keep it."""
        self.values.append(float(args[2]["loss"] if isinstance(args[2], dict) else args[2]))


def steps_of_training(
    device: torch.device, precision: Any, steps: int, compiled: Any = False, **trainer: Any
) -> list[float]:
    """Losses of the first steps of the small network on four crops of generated scenes, by Lightning's Trainer."""
    seed_everything(0, verbose=False)
    settings = yaml.safe_load((EXPERIMENTS / "small.yaml").read_text())["model"]["net"]
    task = FusionTask(
        build(settings, torch.device("cpu")),
        loss=FusionLoss(warmup_weights=LossWeights()),
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, fused=True),
        compile=compiled,
    )
    losses = Losses()
    samples: Any = [sample(index) for index in range(4)] * steps
    Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu", devices=1, precision=precision, max_steps=steps,
        gradient_clip_val=1.0, callbacks=[losses], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0, **trainer,
    ).fit(task, DataLoader(samples, batch_size=4, collate_fn=default_collate))  # fmt: skip
    return losses.values


def sample(index: int, side: int = 96) -> dict[str, Any]:
    """A crop of a generated scene with noise, as a data module hands it over."""
    scene = generate_scene(0, index)
    visible = torch.from_numpy(scene.visible.copy()).permute(2, 0, 1).float()[:, :side, :side] / 255
    infrared = torch.from_numpy(scene.infrared.copy())[None].float()[:, :side, :side] / 255
    generator = torch.Generator().manual_seed(index)
    noisy = [image + 0.1 * torch.randn(image.shape, generator=generator) for image in (visible, infrared)]
    return {
        "visible": noisy[0].clamp(0, 1), "infrared": noisy[1].clamp(0, 1), "visible_clean": visible,
        "infrared_clean": infrared, "visible_degradation": 0, "infrared_degradation": 0,
        "index": index, "name": str(index),
    }  # fmt: skip
