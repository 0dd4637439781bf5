"""One value per method, image and metric."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dream_if import metrics as metrics_package
from dream_if.data.pairs import read_image, to_tensor
from dream_if.errors import InputError
from dream_if.evaluation.folders import ImageFile, ImageSet
from dream_if.evaluation.journal import Entry, Journal
from dream_if.evaluation.shares import Share, Unfinished, one_torch_thread, spread
from dream_if.metrics import FusionMetrics
from dream_if.metrics.functional import shared_work

__all__ = ["Scores", "score_images"]


@dataclass(frozen=True)
class Scores:
    """Scores of an evaluation.

    Attributes:
        methods: M names.
        names: N stems of images.
        metrics: K symbols.
        values: (M, N, K) float64; not finite where a metric is undefined for an image.
        date: when the last of them was computed, ISO 8601 in UTC.
    """

    methods: tuple[str, ...]
    names: tuple[str, ...]
    metrics: tuple[str, ...]
    values: npt.NDArray[np.float64]
    date: str


def _digest_of_metrics() -> str:
    """Digest of the source of the metrics, so that scores do not outlive a change of a definition."""
    digest = hashlib.sha256()
    for file in sorted(Path(metrics_package.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _batches(images: ImageSet, batch_size: int) -> Iterator[list[int]]:
    """Positions of images of one size, at most `batch_size` of them."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for position, source in enumerate(images.visible):
        by_size.setdefault(source.size, []).append(position)
    for positions in by_size.values():
        for start in range(0, len(positions), batch_size):
            yield positions[start : start + batch_size]


def _read(file: ImageFile, channels: Literal[1, 3], size: tuple[int, int]) -> Tensor:
    """An image, (C, H, W) float32 in [0, 1], scaled to `size` if it has another one."""
    image = to_tensor(read_image(file.path, channels))
    if file.size == size:
        return image
    # Antialiased, so that making an image smaller leaves no false detail to be scored.
    width, height = size
    scaled = F.interpolate(image[None], (height, width), mode="bicubic", align_corners=False, antialias=True)
    return scaled[0].clamp(0, 1)


def score_images(
    images: ImageSet,
    metrics: FusionMetrics,
    *,
    symbols: Sequence[str],
    convention: str,
    lpips_weights: Path | None = None,
    devices: Sequence[torch.device],
    batch_size: int,
    share: Share,
    journal: Journal,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score every fused image against its sources, except what the journal already has.

    A value may differ in its last digits with the images that share its batch, and with the number of cores that work
    on one operation. Batches are therefore always formed alike and computed whole, on the CPU by one core each: a run
    that was stopped and continued, or split, gives the numbers of one that was not.

    Args:
        images: what is scored. A fused image of another size than its sources is scaled to theirs (bicubic).
        metrics: keep one value per image; every device gets a copy.
        symbols: the metrics, in the order wanted.
        convention: theirs.
        lpips_weights: theirs, where they have any.
        devices: where they are computed, all of one kind, each one batch at a time; the CPU as often as it has cores
            for this.
        batch_size: images of equal size that are scored together, at least 1.
        share: which of the batches are scored; the others are looked up.
        journal: earlier scores; new ones are added to it batch by batch.
        progress: called with (fused images done, fused images in all), of this share.

    Returns:
        All scores.

    Raises:
        InputError: a file cannot be read any more, or the device's memory is too small.
        Unfinished: scores of other shares are not there.
    """
    settings = [convention, devices[0].type, torch.__version__, _digest_of_metrics()]
    if lpips_weights is not None:
        settings.append(hashlib.sha256(lpips_weights.read_bytes()).hexdigest())
    methods = tuple(images.fused)
    keys = {
        (method, position): _key(settings, images.visible[position], images.infrared[position], fused)
        for method in methods
        for position, fused in enumerate(images.fused[method])
    }

    def missing(method: str, positions: list[int]) -> list[str]:
        return [
            metric
            for metric in symbols
            if any(journal.value(keys[method, position], metric) is None for position in positions)
        ]

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as readers:

        def stacked(files: Sequence[ImageFile], channels: Literal[1, 3], positions: list[int]) -> Tensor:
            sizes = [images.visible[position].size for position in positions]
            chosen = [files[position] for position in positions]
            return torch.stack(list(readers.map(_read, chosen, [channels] * len(chosen), sizes)))

        def score(positions: list[int], worker: tuple[torch.device, FusionMetrics]) -> int:
            device, own = worker
            sources: tuple[Tensor, Tensor] | None = None
            for method in methods:
                wanted = missing(method, positions)
                if not wanted:
                    continue
                if sources is None:  # read once for all methods
                    visible, infrared = stacked(images.visible, 3, positions), stacked(images.infrared, 1, positions)
                    sources = visible.to(device), infrared.to(device)
                fused = stacked(images.fused[method], 3, positions).to(device)
                values = _score(own, wanted, fused, *sources)
                date = datetime.now(UTC).isoformat(timespec="seconds")
                journal.add(
                    [
                        Entry(keys[method, position], method, images.names[position], date, row)
                        for position, row in zip(positions, values, strict=True)
                    ]
                )
            return len(positions) * len(methods)

        batches = share.of_all(_batches(images, batch_size))
        done, total = 0, sum(map(len, batches)) * len(methods)
        workers = [(device, deepcopy(metrics).to(device)) for device in devices[: max(1, len(batches))]]
        with one_torch_thread() if devices[0].type == "cpu" else nullcontext():
            for count in spread(score, batches, workers):
                done += count
                if progress is not None:
                    progress(done, total)
    if share.of > 1:
        journal.read()  # others may be done by now
    unscored = sum(bool(missing(method, [position])) for method, position in keys)
    if unscored:
        raise Unfinished(unscored, len(keys))
    # Looked up by key once more: two methods with the same file share an entry, whichever was computed last.
    values_by_key = {key: [journal.value(key, metric) for metric in symbols] for key in keys.values()}
    table = [[values_by_key[keys[method, position]] for position in range(len(images.names))] for method in methods]
    dates = [journal.date(key, metric) for key in keys.values() for metric in symbols]
    return Scores(methods, images.names, tuple(symbols), np.array(table, np.float64), max(dates))


def _key(settings: Sequence[str], *files: ImageFile) -> str:
    """Digest of all that a score depends on. Whether scaling was allowed is not in it: the sizes decide that."""
    return hashlib.sha256(json.dumps([*settings, *(file.digest for file in files)]).encode()).hexdigest()


def _score(
    metrics: FusionMetrics, chosen: Sequence[str], fused: Tensor, visible: Tensor, infrared: Tensor
) -> list[dict[str, float]]:
    """The chosen values of each image of a batch, by metric."""
    columns: dict[str, list[float]] = {}
    try:
        with shared_work():
            for symbol in chosen:
                metric = metrics[symbol]
                metric.reset()
                metric.update(fused, visible, infrared)
                # torchmetrics returns a single value as a scalar.
                columns[symbol] = metric.compute().reshape(-1).tolist()
    except torch.OutOfMemoryError as error:
        count, _, height, width = fused.shape
        raise InputError(
            f"--batch-size: the device's memory is too small for {count} image(s) of {width}x{height}; give a smaller "
            "one, or --device cpu."
        ) from error
    return [{symbol: columns[symbol][row] for symbol in chosen} for row in range(fused.shape[0])]
