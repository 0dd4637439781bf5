"""`evaluate`: from folders of images to scores and statistics."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dream_if.errors import InputError
from dream_if.evaluation.folders import find_images
from dream_if.evaluation.journal import Journal
from dream_if.evaluation.results import Evaluation, Settings, higher_is_better
from dream_if.evaluation.scores import Scores, score_images
from dream_if.evaluation.shares import JOURNALS, Share
from dream_if.evaluation.statistics import compare, mean_ranks, summarise
from dream_if.metrics import DEFAULT_CONVENTION, METRICS, TABLE_METRICS, FusionMetrics, fusion_metrics
from dream_if.storage import make_folder

__all__ = ["evaluate"]


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
        metrics: keys of `dream_if.metrics.METRICS`.
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
    chosen = tuple(dict.fromkeys(metrics))
    collection = _collection(chosen, convention, lpips_weights)
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
    scores = score_images(
        images,
        collection,
        symbols=chosen,
        convention=convention,
        lpips_weights=lpips_weights,
        devices=devices,
        batch_size=batch_size,
        share=share,
        journal=Journal(None) if out is None else Journal(out / share.journal, JOURNALS),
        progress=None if progress is None else partial(progress, "scoring"),
    )
    ranks, ranked = _ranks(scores)
    return Evaluation(
        settings=Settings(visible, infrared, dict(fused), convention, lpips_weights, device, batch_size, resize),
        images=images,
        scores=scores,
        summaries=summarise(scores),
        ranks=ranks,
        ranked=ranked,
        average_ranks=_average_ranks(scores.methods, ranks),
        comparisons=tuple(compare(scores, [higher_is_better(metric) for metric in chosen])),
    )


def _ranks(scores: Scores) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Mean ranks by metric and method, and the number of images ranked, for metrics with a direction."""
    ranks: dict[str, dict[str, float]] = {}
    ranked: dict[str, int] = {}
    for column, metric in enumerate(scores.metrics):
        direction = higher_is_better(metric)
        if direction is not None:
            means, ranked[metric] = mean_ranks(scores.values[:, :, column], direction)
            ranks[metric] = dict(zip(scores.methods, means.tolist(), strict=True))
    return ranks, ranked


def _average_ranks(methods: Sequence[str], ranks: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Method -> mean over the metrics in which methods could be ranked; NaN if there is none."""
    averages = {}
    for method in methods:
        own = [by_method[method] for by_method in ranks.values() if np.isfinite(by_method[method])]
        averages[method] = float(np.mean(own)) if own else np.nan
    return averages


def _collection(metrics: Sequence[str], convention: str, lpips_weights: Path | None) -> FusionMetrics:
    if not metrics:
        raise InputError(f"--metrics: no metric was named; there are {', '.join(METRICS)}.")
    try:
        return fusion_metrics(metrics, convention=convention, per_image=True, lpips_weights=lpips_weights)
    except ValueError as error:
        raise InputError(f"--metrics {','.join(metrics)} --convention {convention}: {error}.") from error


def _devices(names: str, threads: int) -> list[torch.device]:
    """The devices, or the CPU as often as there are threads."""
    devices = [_device(name.strip()) for name in names.split(",")]
    if len({device.type for device in devices}) > 1 or len(set(devices)) < len(devices):
        raise InputError(f"--device: expected devices of one kind, each of them once, got {names}.")
    return devices * threads if devices[0].type == "cpu" else devices


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device: {name} cannot be used ({reason}); give cpu, or a device that is there.") from error
    if device.type == "meta":
        raise InputError("--device: meta computes nothing; give cpu, or a device that is there.")
    return device
