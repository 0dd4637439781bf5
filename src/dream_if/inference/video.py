"""Fusing two videos of one scene into one, frame by frame, in constant memory. Needs PyAV, an extra."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.inference.engine import Settings, fuse_pictures
from dream_if.inference.flicker import Flicker
from dream_if.inference.fuser import Fuser
from dream_if.inference.intensity import PERCENTILES, InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import MIN_SIZE, Picture
from dream_if.inference.smoothing import Smoother
from dream_if.inference.trust import FrameDoubts
from dream_if.inference.video_reading import Frame, Video
from dream_if.inference.video_writing import VideoWriter, choose_codec
from dream_if.storage import atomic_file

__all__ = ["VideoReport", "by_percentiles", "check_frames", "examine", "first_frame", "fuse_videos", "whole_range"]

MOST_SAMPLED = 16  # frames, to align by


@dataclass(frozen=True)
class VideoReport:
    """What became of a pair of videos.

    Attributes:
        frames: how many were fused.
        flicker: of the fused frames, smoothed if that was asked for, before they were compressed.
        notes: sentences about what was done on the way that a user may want to know.
    """

    frames: int
    flicker: Flicker
    notes: tuple[str, ...]


def fuse_videos(
    fuser: Fuser,
    visible: Path,
    infrared: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    codec: str = "auto",
    crf: int | None = None,
    batch_size: int = 1,
    temporal: float = 0.0,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> VideoReport:
    """Fuse two videos. Both are decoded once beforehand, so that what is wrong with them is said before hours of work.

    Args:
        fuser: network and device.
        visible: video whose times, sound, shape of pixels, colour matrix and titles the fused one takes over.
        infrared: video of the same size, length and times.
        out: file to write, whole or not at all; its ending names the container.
        settings: colours and infrared range. Percentiles are those of the whole video.
        codec: ``auto``, ``h264``, ``h265``, ``vp9``, ``av1`` or ``ffv1``.
        crf: constant rate factor of the codec, None for its own.
        batch_size: frames that go through the network together.
        temporal: how much frames are smoothed over time, 0 (not at all) to below 1, see `Smoother`.
        threads: how many decode and encode; 0 for as many as there are cores.
        progress: called with (frames that are done, frames in all).

    Raises:
        InputError: A file is no video, damaged or cut short, the two do not fit, a setting is out of range, the output
            cannot be written, or memory is short.
    """
    settings = settings or Settings()
    choose_codec(out, codec, crf)
    smoother = Smoother(temporal)
    frames, span, sample = examine(visible, infrared, settings, threads)
    aligner = None if settings.aligner is None else settings.aligner.fixed(sample)
    settings = replace(settings, infrared_range=span, aligner=None)
    flicker, doubts = Flicker(), FrameDoubts()
    notes: dict[str, None] = {}
    with Video(visible, threads) as visible_video, Video(infrared, threads) as infrared_video, atomic_file(out) as part:
        first = first_frame(visible, threads)
        with VideoWriter(part, out, visible_video, first, codec, crf, threads, frames) as writer:
            pairs = zip(visible_video.frames(writer.add_sound), infrared_video.frames(), strict=True)
            done = 0
            while group := list(islice(pairs, batch_size)):
                pictures = [(one.picture(), other.picture()) for one, other in group]
                if aligner is not None:
                    pictures = [(source, aligner(source, heat)) for source, heat in pictures]
                results = fuse_pictures(fuser, pictures, settings)
                for (one, _), (source, heat), fused in zip(group, pictures, results, strict=True):
                    shown, hot = visible_values(source), infrared_values(heat, span)[0]
                    values = smoother(fused.values)
                    flicker.add(values, shown, hot)
                    doubts.add({source.name: shown.mean(axis=2), heat.name: hot}, fused.doubts)
                    writer.add(values, one.ticks, one.duration)
                    notes |= dict.fromkeys(fused.notes)
                done += len(group)
                if progress is not None:
                    progress(done, frames)
    return VideoReport(frames, flicker, (*writer.notes, *notes, *doubts.notes(), *smoother.notes()))


def first_frame(path: Path, threads: int = 0) -> Frame:
    """The first frame of a video: the writer wants to know it before the sound of the same file is met."""
    with Video(path, threads) as video:
        return next(video.frames())


def examine(
    visible: Path, infrared: Path, settings: Settings, threads: int = 0
) -> tuple[int, InfraredRange, list[tuple[Picture, Picture]]]:
    """Decode two videos to their ends, side by side.

    Args:
        visible: video.
        infrared: video of the same length and times, and of the same size unless it is to be aligned.
        settings: infrared range, and whether to align.
        threads: how many decode; 0 for as many as there are cores.

    Returns:
        The number of frames; the infrared range with percentiles and types resolved, so that it is one and the same
        for all frames; and frames from all over the video to align by, if that is asked for.

    Raises:
        InputError: see `fuse_videos`.
    """
    with Video(visible, threads) as visible_video, Video(infrared, threads) as infrared_video:
        levels = _Levels(settings.infrared_range)
        sample, every = [], 1
        for one, other in zip_longest(visible_video.frames(), infrared_video.frames()):
            if other is not None:
                levels.add(other)
            if one is None or other is None:
                continue  # to the end, to tell both lengths
            if visible_video.number == 1:
                check_frames(one, other, settings.aligner is not None)
            if settings.aligner is not None and visible_video.number % every == 0:
                sample.append((one.picture(), other.picture()))
                if len(sample) == MOST_SAMPLED:
                    sample, every = sample[1::2], 2 * every
            if abs(visible_video.last - infrared_video.last) > 1 / (2 * visible_video.rate):
                raise InputError(
                    f"the videos do not run side by side: frame {visible_video.number} is at "
                    f"{float(visible_video.last):.3f} s in {visible} ({_number(visible_video.rate)} frames a second) "
                    f"and at {float(infrared_video.last):.3f} s in {infrared} ({_number(infrared_video.rate)}). "
                    "Convert them to the same rate and cut them to the same start."
                )
        if visible_video.number != infrared_video.number:
            raise InputError(
                f"unequal lengths: {visible} has {_length(visible_video)} and {infrared} has "
                f"{_length(infrared_video)}. Cut them to the "
                "same start and end."
            )
        return visible_video.number, levels.span(), sample


def check_frames(visible: Frame, infrared: Frame, align: bool) -> None:
    """Take care that two frames can be fused.

    Args:
        visible: the first of its video.
        infrared: likewise.
        align: whether they will be aligned; then the sizes may differ.

    Raises:
        InputError: The sizes differ, or one is too small.
    """
    if visible.size != infrared.size and not align:
        raise InputError(
            f"unequal sizes: {visible.name} is {visible.size[1]}x{visible.size[0]} but {infrared.name} is "
            f"{infrared.size[1]}x{infrared.size[0]} (width x height, upright). The videos must be registered pixel by "
            "pixel: --align does it."
        )
    for frame in (visible, infrared):
        if min(frame.size) < MIN_SIZE:
            raise InputError(
                f"{frame.name}: is {frame.size[1]}x{frame.size[0]} pixels; at least {MIN_SIZE}x{MIN_SIZE} are needed."
            )


def _length(video: Video) -> str:
    return f"{video.number} frames ({float(video.last):.2f} s at {_number(video.rate)} a second)"


def _number(rate: Fraction) -> str:
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")


class _Levels:
    """Finds out which infrared values become black and white in a whole video."""

    def __init__(self, wanted: InfraredRange) -> None:
        self._wanted = wanted
        self._first: Frame | None = None
        self._counts: npt.NDArray[np.int64] = np.zeros(2**16, np.int64)

    def add(self, frame: Frame) -> None:
        """Take up a frame, as far as that is needed."""
        self._first = self._first or frame
        if by_percentiles(self._wanted, self._first):
            self._counts += np.bincount(frame.picture().pixels.ravel(), minlength=2**16)

    def span(self) -> InfraredRange:
        """The range for every frame."""
        assert self._first is not None  # a video without frames is refused
        if not by_percentiles(self._wanted, self._first):
            return whole_range(self._wanted, self._first)
        below = np.cumsum(self._counts)
        low, high = (float(np.searchsorted(below, below[-1] * share / 100)) for share in PERCENTILES)
        return InfraredRange("fixed", low, max(high, low + 1))


def by_percentiles(wanted: InfraredRange, first: Frame) -> bool:
    """Whether percentiles become black and white: where that is asked for, and by default for a camera's raw counts.

    Those are grey streams of more than 8 bit.
    """
    return wanted.kind in ("percentile", "shared") or (wanted.kind == "auto" and first.grey_bits > 8)


def whole_range(wanted: InfraredRange, first: Frame) -> InfraredRange:
    """The range that needs no look at the values: the fixed one, or all that the frames can hold."""
    if wanted.kind == "fixed":
        return wanted
    bits = first.grey_bits
    return InfraredRange("fixed", 0, 2**bits - 1) if bits > 8 else InfraredRange("full")
