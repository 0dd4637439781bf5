"""Pairs of crops per second that data loading delivers, in one run: PIL as is usual in the field, ours, and prepared.

    python benchmarks/loader.py [--root FOLDER] [--workers 2] [--seconds 3] [--config experiments/small.yaml] [--out F]

Every figure is that of a `DataLoader` with its workers, batches arriving in this process, and files in the system's
cache: it is decoding and copying that is measured, not a disk. The rows are measured in turn, several times over, and
the best time counts; what counts is the ratio. Without `--root`, generated scenes of 1280x1024 pixels are written as
JPEG files and read. With `--config`, the network of that file is then trained on them for a moment, to see whether it
or the data is the bottleneck.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from dream_if.cli.model_parser import ModelParser
from dream_if.data import FusionDataModule, PairedImages, RandomDegradations
from dream_if.data.datamodule import one_opencv_thread
from dream_if.data.degradations import degrade_batch
from dream_if.data.layouts import detect_layout, find_pairs
from dream_if.data.loader_timing import DataWait
from dream_if.data.pairs import collate
from dream_if.data.prepare import prepare_pairs
from dream_if.data.prepared import PreparedPairs
from dream_if.data.scenes import generate_scene
from dream_if.storage import Pair
from dream_if.task import FusionTask

QUALITY = 85  # of the JPEG files, which makes them about twice as large as those of LLVIP
CROPS = (1, 4, 8)
ROUNDS = 3
DISTINCT = 8  # scenes; painting one takes longer than anything that is measured
STEPS = 12  # of training in an epoch, the first of which is not counted


class PlainPairs(Dataset[Any]):
    """The way of many training scripts: PIL decodes, the whole image becomes floating point, then a crop is cut."""

    def __init__(self, pairs: Sequence[Pair], crop: int) -> None:
        self.pairs = pairs
        self.crop = crop

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """One crop of a pair, (3, crop, crop) and (1, crop, crop)."""
        epoch, position = key
        pair = self.pairs[position]
        tensors = []
        for path, mode in ((pair.visible, "RGB"), (pair.infrared, "L")):
            array = np.asarray(Image.open(path).convert(mode), np.float32) / 255
            tensors.append(torch.from_numpy(array.reshape(*array.shape[:2], -1)).permute(2, 0, 1))
        rng = np.random.default_rng([epoch, position])
        top, left = (int(rng.integers(0, side - self.crop + 1)) for side in tensors[0].shape[1:])
        visible, infrared = (tensor[:, top : top + self.crop, left : left + self.crop] for tensor in tensors)
        return visible, infrared


class Epochs(torch.utils.data.Sampler[Any]):
    """(epoch, position) of all pairs, epoch after epoch: no end, so that none is timed."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Positions in random order."""
        rng = np.random.default_rng(0)
        epoch = 0
        while True:
            yield from ((epoch, int(position)) for position in rng.permutation(self.pairs))
            epoch += 1


class Clock(Callback):
    """Times the steps of the last epoch."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Start with the end of the first step."""
        if batch_idx == 0:
            self.start, self.crops = time.perf_counter(), 0
        else:
            self.crops += len(batch["name"])
            self.seconds = time.perf_counter() - self.start


def write_scenes(folder: Path, size: tuple[int, int], count: int) -> list[Pair]:
    """Write JPEG pairs, the infrared in three equal channels, as LLVIP has it."""
    folder.mkdir()
    pairs = []
    for index in range(count):
        scene = generate_scene(0, index, size)
        pair = Pair(f"{index:04d}", folder / f"{index:04d}_vi.jpg", folder / f"{index:04d}_ir.jpg")
        visible = cv2.cvtColor(scene.visible, cv2.COLOR_RGB2BGR)
        infrared = cv2.cvtColor(scene.infrared, cv2.COLOR_GRAY2BGR)
        for path, picture in ((pair.visible, visible), (pair.infrared, infrared)):
            path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
        pairs.append(pair)
    return pairs


def link_pairs(root: Path, pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Make a set of links to pairs, which repeat where there are fewer; its training pairs."""
    for split, number in (("train", count), ("val", 2)):
        for part in ("vi", "ir"):
            (root / split / part).mkdir(parents=True)
        for index in range(number):
            pair = pairs[index % len(pairs)]
            for part, path in (("vi", pair.visible), ("ir", pair.infrared)):
                (root / split / part / f"{index:05d}{path.suffix}").symlink_to(path.resolve())
    return find_pairs("folder", root, "train")


def rate(loader: DataLoader[Any], crops: int, seconds: float) -> float:
    """Pairs of crops per second, once the workers run and what they had ready is used up."""
    batches = iter(loader)
    for _ in range(2 * loader.num_workers + 2):
        next(batches)
    start, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        next(batches)
        count += crops
    return count / elapsed


def loaders(files: Sequence[Pair], prepared: Path, options: argparse.Namespace) -> dict[str, DataLoader[Any]]:
    """What is compared, by name; the first is what the others are measured against."""
    kept = {"num_workers": options.workers, "worker_init_fn": one_opencv_thread if options.workers else None}
    made = {
        "PIL, whole image to float, 1 crop": DataLoader(
            PlainPairs(files, options.crop), options.batch, sampler=Epochs(len(files)), **kept
        )
    }
    for name, source in (("ours, files", files), ("ours, prepared", PreparedPairs(prepared, "train"))):
        for crops in CROPS:
            pairs = PairedImages(source, options.crop, crops, flip=True)
            made[f"{name}, {crops} crop{'s' if crops > 1 else ''} a pair"] = DataLoader(
                pairs, options.batch // crops, sampler=Epochs(len(pairs)), collate_fn=collate, **kept
            )
    return made


def degradation_rate(batch: Any, seconds: float) -> float:
    """Pairs of crops per second that this process degrades."""
    degradation = RandomDegradations()
    start, count, epoch = time.perf_counter(), 0, 0
    while (elapsed := time.perf_counter() - start) < seconds:
        degrade_batch(batch, degradation, seed=0, epoch=epoch)
        if batch["visible"].is_cuda:
            torch.cuda.synchronize()
        count, epoch = count + len(batch["name"]), epoch + 1
    return count / elapsed


def training(config: Path, root: Path, workers: int) -> tuple[float, float]:
    """Train the network of a configuration for two short epochs; pairs of crops per second, share of data wait."""
    settings = yaml.safe_load(config.read_text())
    data = settings.get("data", {}) | {"layout": "folder", "root": str(root), "num_workers": workers}
    parser = ModelParser()
    parser.add_lightning_class_args(FusionTask, "model")
    parser.add_lightning_class_args(FusionDataModule, "data")
    made = parser.instantiate(parser.parse_object({"model": settings.get("model", {}), "data": data}))
    clock = Clock()
    trainer = Trainer(
        max_epochs=2,
        limit_train_batches=STEPS,
        limit_val_batches=0,
        precision=settings.get("trainer", {}).get("precision"),
        benchmark=settings.get("trainer", {}).get("benchmark"),
        callbacks=[DataWait(), clock],
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(made.model, made.data)
    return clock.crops / clock.seconds, float(trainer.callback_metrics["train/data_wait"])


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures, in a folder for files that are needed meanwhile."""
    if options.root is None:
        width, height = map(int, options.size.split("x"))
        pairs = write_scenes(folder / "scenes", (height, width), min(DISTINCT, options.pairs))
    else:
        pairs = find_pairs(detect_layout(options.root), options.root, "train")
    root = folder / "links"
    files = link_pairs(root, pairs, options.pairs)
    prepare_pairs(root, folder / "prepared", "folder", ["train"])
    with Image.open(files[0].visible) as picture:
        size = "x".join(map(str, picture.size))
    weights = [
        np.mean([getattr(pair, source).stat().st_size for pair in files]) / 1e3 for source in ("visible", "infrared")
    ]
    print(
        f"{len(files)} pairs of {size}, files of {weights[0]:.0f} and {weights[1]:.0f} kB; crops of {options.crop}, "
        f"batches of {options.batch}, {options.workers} workers, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    compared = loaders(files, folder / "prepared", options)
    rates = dict.fromkeys(compared, 0.0)
    for _ in range(ROUNDS):
        for name, loader in compared.items():
            crops = loader.dataset.crops_per_pair if isinstance(loader.dataset, PairedImages) else 1
            rates[name] = max(rates[name], rate(loader, (loader.batch_size or 0) * crops, options.seconds))
    plain = next(iter(rates.values()))
    print(f"{'loading':36}{'pairs/s':>9}{'ratio':>8}")
    for name, value in rates.items():
        print(f"{name:36}{value:9.0f}{value / plain:8.1f}")
    result = {
        "size": size,
        "kilobytes": weights,
        "crop": options.crop,
        "batch": options.batch,
        "workers": options.workers,
        "machine": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "torch": torch.__version__,
        "pairs_per_second": rates,
        "degraded_pairs_per_second": {},
    }
    batch = collate([PairedImages(files, options.crop, options.batch)[0]])
    print(f"degrading, {torch.get_num_threads()} thread(s)")
    for device in ["cpu", "cuda"][: 1 + torch.cuda.is_available()]:
        moved = {name: value.to(device) if torch.is_tensor(value) else value for name, value in batch.items()}
        value = max(degradation_rate(moved, options.seconds) for _ in range(ROUNDS))
        result["degraded_pairs_per_second"][device] = value
        print(f"{f'both sources, {device}':36}{value:9.0f}")
    if options.config:
        value, wait = training(options.config, root, options.workers)
        result["training"] = {"config": options.config.name, "pairs_per_second": value, "data_wait": wait}
        print(
            f"training by {options.config.name}: {value:.1f} pairs/s; it waited for data for {wait:.1%} of the time, "
            f"so {'the data' if wait > 0.5 else 'the network'} is the bottleneck"
        )
    return result


def main(args: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a set with training pairs, in place of generated scenes")
    parser.add_argument("--size", default="1280x1024", help="of the scenes, WIDTHxHEIGHT")
    parser.add_argument("--pairs", type=int, default=48, help="how many are read, again and again")
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16, help="crops in a batch, a multiple of 8")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of this process")
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--config", type=Path, help="train its network for a moment")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args(args)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
