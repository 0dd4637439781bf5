"""Fusing two live sources: the newest frames are paired by time, the others dropped. Needs PyAV, an extra."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import av
import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.inference.engine import Settings, fuse_pictures
from dream_if.inference.flicker import Flicker
from dream_if.inference.fuser import Fuser
from dream_if.inference.intensity import PERCENTILES, InfraredRange, infrared_values, visible_values
from dream_if.inference.pictures import Picture
from dream_if.inference.smoothing import Smoother
from dream_if.inference.stream_reading import Arrived, Pairs
from dream_if.inference.trust import FrameDoubts
from dream_if.inference.video import by_percentiles, check_frames, whole_range
from dream_if.inference.video_writing import VideoWriter, choose_codec
from dream_if.storage import atomic_file

__all__ = ["Show", "StreamReport", "fuse_streams"]

Values = npt.NDArray[np.float32]
Show = Callable[[Values, Values, Values], None]
"""Takes a fused frame, (H, W, 1 or 3), and its visible and infrared one, (H, W, 3) and (H, W), all in [0, 1]."""

EVERY = 5.0  # seconds between two lines
LEVELS = 2.0  # seconds in which running percentiles make two thirds of their way to new ones


@dataclass(frozen=True)
class StreamReport:
    """What became of two streams.

    Attributes:
        frames: how many were fused.
        seconds: from the first fused frame to the last.
        dropped: visible and infrared frames that came and were not used.
        latency: seconds from a decoded visible frame to its fused one in the encoder, or shown: mean and largest.
        flicker: of the fused frames, smoothed if that was asked for.
        stopped: a sentence that says why it ended.
        notes: sentences about what was done on the way that a user may want to know.
    """

    frames: int
    seconds: float
    dropped: tuple[int, int]
    latency: tuple[float, float]
    flicker: Flicker
    stopped: str
    notes: tuple[str, ...]


class RunningRange:
    """The infrared range from frame to frame: fixed, or percentiles that follow the scene slowly."""

    def __init__(self, wanted: InfraredRange) -> None:
        self._wanted = wanted
        self._ends: tuple[float, float] | None = None
        self._when = 0.0

    def over(self, arrived: Arrived, picture: Picture) -> InfraredRange:
        """The range for this frame, the next one in time, and its picture."""
        if self._wanted.kind == "fixed" or not by_percentiles(self._wanted, arrived.frame):
            return whole_range(self._wanted, arrived.frame)
        low, high = (float(end) for end in np.percentile(picture.pixels, PERCENTILES))
        if self._ends is not None:
            share = -math.expm1(min(self._when - arrived.when, 0) / LEVELS)
            low, high = (old + share * (new - old) for old, new in zip(self._ends, (low, high), strict=True))
        self._ends, self._when = (low, high), arrived.when
        return InfraredRange("fixed", low, max(high, low + 1))


class Meter:
    """Counts fused frames and their latency, and tells of them in a line every five seconds."""

    def __init__(self, pairs: Pairs, say: Callable[[str], None]) -> None:
        self.frames = 0
        self.mean = self.most = 0.0
        self._pairs, self._say = pairs, say
        self._begin()

    def _begin(self) -> None:
        self._start, self._dropped = time.monotonic(), self._pairs.dropped
        self._count, self._sum, self._most = 0, 0.0, 0.0

    def add(self, latency: float) -> None:
        """Take up a fused frame and the seconds that it took."""
        self.frames += 1
        self.mean += (latency - self.mean) / self.frames
        self.most = max(self.most, latency)
        self._count, self._sum, self._most = self._count + 1, self._sum + latency, max(self._most, latency)

    def look(self) -> None:
        """Say the line if it is time."""
        if (passed := time.monotonic() - self._start) < EVERY:
            return
        visible, infrared = (now - then for now, then in zip(self._pairs.dropped, self._dropped, strict=True))
        delay = (
            f"latency {1e3 * self._sum / self._count:.0f} ms, {1e3 * self._most:.0f} at most; " if self._count else ""
        )
        self._say(
            f"{self._count / passed:.1f} fused frames a second; {delay}dropped {visible} visible and "
            f"{infrared} infrared frames"
        )
        self._begin()


@contextmanager
def _opened(out: Path | str) -> Iterator[Path | str]:
    """What PyAV is to open: it would hold Python's lock, and the readers, while it waits for who reads a named pipe."""
    if isinstance(out, Path):
        with atomic_file(out) as part:
            yield part
    elif Path(out).is_fifo():
        with open(out, "wb", buffering=0) as pipe:
            yield f"pipe:{pipe.fileno()}"
    else:
        yield out


def fuse_streams(
    fuser: Fuser,
    visible: str,
    infrared: str,
    out: Path | str | Show,
    settings: Settings | None = None,
    *,
    codec: str = "auto",
    crf: int | None = None,
    temporal: float = 0.0,
    threads: int = 0,
    lag: float = 0.0,
    tolerance: float | None = None,
    timeout: float = 10.0,
    stop: Event | None = None,
    say: Callable[[str], None] | None = None,
) -> StreamReport:
    """Fuse two live sources until one of them stops.

    Each is read by a thread that keeps its two newest frames, so a slow network drops frames and never falls behind.

    Args:
        fuser: network and device.
        visible: URL, device, named pipe or ``pipe:0``; the fused video takes its times, shape of pixels and colour
            matrix over.
        infrared: likewise, of the same size.
        out: file to write, whole when the streams have ended; or, as text, a URL or pipe for a transport stream;
            or what is called with each frame.
        settings: colours and infrared range. Percentiles follow the scene within seconds.
        codec: ``auto``, ``h264``, ``h265``, ``vp9``, ``av1`` or ``ffv1``.
        crf: constant rate factor of the codec, None for its own.
        temporal: how much frames are smoothed over time, 0 (not at all) to below 1, see `Smoother`.
        threads: how many encode; 0 for as many as there are cores.
        lag: seconds by which infrared frames come later than visible ones of the same moment; below 0 if earlier.
        tolerance: seconds that may lie between the frames of a pair; None for half a frame of the slower source.
        timeout: seconds after which a silent source counts as ended.
        stop: ends it in order once it is set, by another thread or a signal.
        say: called every five seconds with a line about frames, latency and drops.

    Raises:
        InputError: A source cannot be opened or sends nothing, the two do not fit, a setting is out of range, the
            output cannot be written, or memory is short.
    """
    settings = settings or Settings()
    if isinstance(out, Path | str):
        choose_codec(out, codec, crf)
    smoother = Smoother(temporal)
    pairs = Pairs((visible, infrared), lag, tolerance, timeout, stop or Event())
    levels, flicker, doubts = RunningRange(settings.infrared_range), Flicker(), FrameDoubts()
    meter = Meter(pairs, say or (lambda _: None))
    writer: VideoWriter | None = None
    first, last, ticks = 0.0, 0.0, -1
    notes: tuple[str, ...] = ()
    try:
        with ExitStack() as stack:
            for pair in stack.enter_context(closing(iter(pairs))):
                meter.look()
                if pair is None:
                    continue
                from_visible, from_infrared = pair
                visible_picture, infrared_picture = from_visible.frame.picture(), from_infrared.frame.picture()
                span = levels.over(from_infrared, infrared_picture)
                if not meter.frames:
                    check_frames(from_visible.frame, from_infrared.frame, settings.aligner is not None)
                    first = from_visible.when
                if writer is None and isinstance(out, Path | str):
                    path = stack.enter_context(_opened(out))
                    writer = stack.enter_context(
                        VideoWriter(path, out, from_visible.video, from_visible.frame, codec, crf, threads, 0)
                    )
                if settings.aligner is not None:
                    infrared_picture = settings.aligner(visible_picture, infrared_picture)
                fused = fuse_pictures(
                    fuser, [(visible_picture, infrared_picture)], replace(settings, infrared_range=span, aligner=None)
                )[0]
                visible_plane, infrared_plane = (
                    visible_values(visible_picture),
                    infrared_values(infrared_picture, span)[0],
                )
                values = smoother(fused.values)
                flicker.add(values, visible_plane, infrared_plane)
                doubts.add({visible: visible_plane.mean(axis=2), infrared: infrared_plane}, fused.doubts)
                last, ticks = (
                    from_visible.when,
                    max(round((from_visible.when - first) / float(from_visible.video.time_base)), ticks + 1),
                )
                if writer is not None:
                    writer.add(values, ticks, 0)
                elif not isinstance(out, Path | str):
                    out(values, visible_plane, infrared_plane)
                meter.add(time.monotonic() - from_visible.at)
                notes = notes or fused.notes  # those of the first frame: a range that runs would give one for each
    except av.FFmpegError as error:
        if not isinstance(out, str):
            raise
        raise InputError(
            f"{out}: cannot be written to ({error.strerror or error}); start what reads it first."
        ) from error
    if not meter.frames:
        raise InputError(
            f"{pairs.stopped}, and no two frames were close enough in time; allow more seconds with --tolerance."
        )
    notes = (*(writer.notes if writer else ()), *notes, *doubts.notes(), *smoother.notes())
    latency = meter.mean, meter.most
    return StreamReport(meter.frames, last - first, pairs.dropped, latency, flicker, pairs.stopped, notes)
