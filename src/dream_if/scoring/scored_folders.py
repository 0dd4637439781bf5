"""Scores folders of fused images, of any method, against their sources."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from dream_if import metrics as metrics_package
from dream_if.cache_keys import package_digest, source_digest
from dream_if.data.pairs import read_image, to_tensor
from dream_if.errors import InputError
from dream_if.inference.fuser import find_device
from dream_if.metrics import DEFAULT_CONVENTION, METRICS, TABLE_METRICS, find_metric, fusion_metrics
from dream_if.scoring.engine import Group, ImageBatch, Item, score_groups
from dream_if.scoring.image_folders import READERS, ImageFile, ImageSet, find_images
from dream_if.scoring.journal import ScoreJournal
from dream_if.scoring.parallel import JOURNALS, Share, one_torch_thread
from dream_if.scoring.statistics import compare, summarise
from dream_if.storage import cache_key, file_digest, make_folder

__all__ = ["Evaluation", "EvaluationSettings", "evaluate"]


@dataclass(frozen=True)
class EvaluationSettings:
    """What was asked for; see `evaluate`."""

    visible: Path
    infrared: Path
    fused: Mapping[str, Path]
    metrics: tuple[str, ...]
    convention: str
    lpips_weights: Path | None
    device: str
    batch_size: int
    resize: bool


@dataclass(frozen=True)
class Evaluation:
    """Scores of several methods and what follows from them.

    Attributes:
        settings: what was asked for.
        images: the files.
        scores: as `score_groups` returns them.
    """

    settings: EvaluationSettings
    images: ImageSet
    scores: pd.DataFrame

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in their order."""
        return list(self.settings.fused)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Symbols, in the order wanted."""
        return self.settings.metrics

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Means, deviations and ranks; see `summarise`."""
        return summarise(self.scores)

    @cached_property
    def tests(self) -> pd.DataFrame:
        """The first method against each other one; see `compare`."""
        return compare(self.scores)

    @property
    def average_ranks(self) -> dict[str, float]:
        """Method -> mean of its ranks over the metrics with ranked images; NaN if there is none."""
        ranks = {method: part["rank"].dropna() for method, part in self.summary.groupby("method", sort=False)}
        return {method: float(np.mean(own)) if len(own) else math.nan for method, own in ranks.items()}

    @property
    def family_size(self) -> int:
        """Number of tests that could be made: what Holm's method corrects for."""
        return int(self.tests["p"].notna().sum())

    def undefined(self, method: str, metric: str) -> list[str]:
        """Names of the images of a method for which a metric is undefined."""
        of_cell = (self.scores["method"] == method) & (self.scores["metric"] == metric)
        return list(self.scores["name"][of_cell & ~np.isfinite(self.scores["value"])])

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers must know, a sentence each: scaled, surplus and undefined images."""
        notes = []
        total = len(self.images.names)
        for method in self.methods:
            resized = self.images.resized(method)
            if resized:
                few = ", ".join(f"{name} from {size[0]}x{size[1]}" for name, size in list(resized.items())[:3])
                notes.append(
                    f"{method}: {len(resized)} of {total} images were scaled to the size of their sources (bicubic, "
                    f"antialiased) before scoring: {few}{_rest(resized)}."
                )
        for method, extra in self.images.extra.items():
            if extra:
                few = ", ".join(extra[:3])
                notes.append(f"{method}: {len(extra)} image(s) without sources were not scored: {few}{_rest(extra)}.")
        for method in self.methods:
            for metric in self.metrics:
                count = len(self.undefined(method, metric))
                if count == total:
                    notes.append(f"{method}: {metric} is undefined for all {count} images.")
                elif count:
                    notes.append(
                        f"{method}: {metric} is undefined for {count} of {total} images; mean and deviation are over "
                        "the others."
                    )
        ranked = self.summary.groupby("metric", sort=False)["ranked"].first()
        unranked = [m for m in self.metrics if METRICS[m].higher_is_better is not None and ranked[m] == 0]
        if unranked and len(self.methods) > 1:
            notes.append(f"Ranks leave out {', '.join(unranked)}: no image has a score of every method there.")
        return notes


def _rest(things: Sized) -> str:
    return f" and {len(things) - 3} more" if len(things) > 3 else ""


def evaluate(
    visible: Path,
    infrared: Path,
    fused: Mapping[str, Path],
    *,
    metrics: Sequence[str] = TABLE_METRICS,
    convention: str = DEFAULT_CONVENTION,
    lpips_weights: Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    batch_size: int | None = None,
    resize: bool = False,
    out: Path | None = None,
    share: Share = Share(),  # noqa: B008  (a plain tuple)
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Score the fused images of one or more methods against their sources.

    Files pair by stem. Scores are those of `dream_if.metrics`: on luminance, with the levels of 8-bit files.

    Args:
        visible: folder of visible sources.
        infrared: folder of infrared sources.
        fused: method -> folder of its fused images. The first method is tested against each other one. The source
            folders may be among them: rows of the sources alone belong into every table.
        metrics: as `dream_if.metrics.find_metric` takes them.
        convention: one for all metrics.
        lpips_weights: AlexNet weights, should an LPIPS metric be among them; None for torch's cache, or a download.
        device: where metrics are computed, such as cpu, cuda, or cuda:1; several GPUs with commas between them.
        threads: images that are scored at the same time on the CPU, by one core each. They, as the number of GPUs and
            shares, change no value.
        batch_size: images of equal size that are scored together; None for 1 on the CPU, whose caches hold no more,
            and 8 elsewhere.
        resize: scale fused images that have another size than their sources (bicubic); else they are refused.
        out: folder for the journal of scores: with it, what an earlier run computed is not computed again unless
            files, convention, device or the metrics' definitions changed. Nothing else is written to it; see
            `write_report`.
        share: score this part alone; the other parts' scores are read from ``out``, where other jobs put theirs.
        progress: called with ("reading" or "scoring", images done, images in all).

    Returns:
        Scores and statistics.

    Raises:
        InputError: naming every file that is missing, unreadable or of the wrong size, or the setting that cannot be
            used.
        Unfinished: this share is done, and scores of others are not there yet.
    """
    symbols = _known(metrics, convention, lpips_weights)
    devices = _devices(device, threads)
    if share.of > 1 and out is None:
        raise InputError("--share: needs --out, a folder that all shares write to.")
    if batch_size is None:
        batch_size = 1 if devices[0].type == "cpu" else 8
    if batch_size < 1:
        raise InputError(f"--batch-size: expected at least 1, got {batch_size}.")
    if not fused:
        raise InputError("--fused: expected at least one method, as NAME=FOLDER.")
    inputs = {"--visible": visible, "--infrared": infrared, **{f"--fused {name}": path for name, path in fused.items()}}
    for option, folder in inputs.items():
        if not folder.is_dir():
            raise InputError(f"{option}: {folder} is not a folder; name the folder that holds the images.")
        if out is not None and out.resolve() == folder.resolve():
            raise InputError(f"--out: {out} is also the folder of {option}; results need a folder of their own.")
    if out is not None:
        make_folder(out)
    images = find_images(
        visible, infrared, fused, resize=resize, progress=None if progress is None else partial(progress, "reading")
    )
    settings = [convention, devices[0].type, torch.__version__, package_digest([metrics_package])]
    settings += map(source_digest, metrics_package.foreign_metrics(symbols))
    if lpips_weights is not None:
        settings.append(file_digest(lpips_weights))
    # Sums that are split among cores differ in their last digits with the number of them.
    with (
        ThreadPoolExecutor(READERS) as readers,
        one_torch_thread() if devices[0].type == "cpu" else nullcontext(),
    ):
        scores = score_groups(
            [
                Group(len(positions) * len(fused), partial(_batches, images, positions, symbols, settings, readers))
                for positions in _of_one_size(images, batch_size)
            ],
            symbols,
            ScoreJournal(None) if out is None else ScoreJournal(out / share.journal, JOURNALS),
            convention=convention,
            lpips_weights=lpips_weights,
            devices=devices,
            share=share,
            progress=None if progress is None else partial(progress, "scoring"),
        )
    asked = EvaluationSettings(
        visible, infrared, dict(fused), symbols, convention, lpips_weights, device, batch_size, resize
    )
    return Evaluation(asked, images, scores)


def _of_one_size(images: ImageSet, batch_size: int) -> Iterator[list[int]]:
    """Positions of images of one size, at most `batch_size` of them."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for position, source in enumerate(images.visible):
        by_size.setdefault(source.size, []).append(position)
    for positions in by_size.values():
        for start in range(0, len(positions), batch_size):
            yield positions[start : start + batch_size]


def _batches(
    images: ImageSet,
    positions: Sequence[int],
    symbols: Sequence[str],
    settings: Sequence[str],
    readers: ThreadPoolExecutor,
    device: torch.device,
) -> Iterator[ImageBatch]:
    """The images of each method at these positions; their sources are read once, when the first is asked for."""
    sources: list[Tensor] = []

    def stacked(files: Sequence[ImageFile], channels: Literal[1, 3]) -> Tensor:
        each = [(files[position], channels, images.visible[position].size) for position in positions]
        return torch.stack(list(readers.map(_read, *zip(*each, strict=True)))).to(device)

    def read(files: Sequence[ImageFile]) -> tuple[Tensor, Tensor, Tensor]:
        if not sources:
            sources.extend((stacked(images.visible, 3), stacked(images.infrared, 1)))
        return stacked(files, 3), sources[0], sources[1]

    for method, files in images.fused.items():
        items = []
        for position in positions:
            # Whether scaling was allowed is not in the key: the sizes decide that.
            parts = [images.visible[position].digest, images.infrared[position].digest, files[position].digest]
            keys = dict.fromkeys(symbols, cache_key([*settings, *parts]))
            items.append(Item("", "", method, position, images.names[position], keys))
        yield ImageBatch(items, partial(read, files))


def _read(file: ImageFile, channels: Literal[1, 3], size: tuple[int, int]) -> Tensor:
    """An image, (C, H, W) float32 in [0, 1], scaled to `size` if it has another one."""
    image = to_tensor(read_image(file.path, channels))
    if file.size == size:
        return image
    # Antialiased, so that making an image smaller leaves no false detail to be scored.
    width, height = size
    scaled = F.interpolate(image[None], (height, width), mode="bicubic", align_corners=False, antialias=True)
    return scaled[0].clamp(0, 1)


def _known(metrics: Sequence[str], convention: str, lpips_weights: Path | None) -> tuple[str, ...]:
    """The symbols of these metrics, each once."""
    if not metrics:
        raise InputError(f"--metrics: no metric was named; there are {', '.join(METRICS)}.")
    try:
        symbols = tuple(dict.fromkeys(map(find_metric, metrics)))
        fusion_metrics(symbols, convention=convention, per_image=True, lpips_weights=lpips_weights)
    except ValueError as error:
        raise InputError(f"--metrics {','.join(metrics)} --convention {convention}: {error}.") from error
    return symbols


def _devices(names: str, threads: int) -> list[torch.device]:
    """The devices, or the CPU as often as there are threads."""
    devices = [find_device(name.strip()) for name in names.split(",")]
    if len({device.type for device in devices}) > 1 or len(set(devices)) < len(devices):
        raise InputError(f"--device: expected devices of one kind, each of them once, got {names}.")
    return devices * threads if devices[0].type == "cpu" else devices
