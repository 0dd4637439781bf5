"""Reading two live sources at once, and pairing their newest frames by time. Needs PyAV, an extra."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from threading import Condition, Event, Thread
from typing import Any, NamedTuple, cast

import av

from dream_if.errors import InputError
from dream_if.inference.video_reading import Frame, Video

__all__ = ["Arrived", "Pairs", "Source", "match"]

KEPT = 2  # frames of a source that wait for a partner
DRIFT = 1e-3  # seconds a second by which a camera's clock may be slow; that of quartz is a tenth of it at most
JUMP = 1.0  # seconds by which a frame is early or late, and from which on its camera's clock was set anew
SETTLES = 0.5  # seconds after the first frame, in which come those that were kept while the source was opened
CAMERA = "/dev/video"


class Arrived(NamedTuple):
    """A frame of an open video, its time on this machine's clock in seconds, and the moment it was decoded."""

    video: "Live"
    frame: Frame
    when: float
    at: float


class Live(Video):
    """A video that comes as it is filmed. Its sound is not read, damaged frames are passed over."""

    def __init__(self, url: str, timeout: float) -> None:
        how: dict[str, Any] = {"format": "v4l2"} if url.startswith(CAMERA) else {}
        # One thread: with several the decoder keeps as many frames back.
        super().__init__(url, 1, timeout=timeout, options={"overrun_nonfatal": "1"}, **how)

    @property
    def audio(self) -> list[Any]:
        """No stream of sound."""
        return []

    def arriving(self) -> Iterator[av.VideoFrame]:
        """The frames, each as soon as it is decoded."""
        for packet in self.container.demux(self.stream):
            try:
                frames = cast(list[av.VideoFrame], packet.decode())
            except av.InvalidDataError:  # a part was lost on the way
                continue
            yield from (frame for frame in frames if not frame.is_corrupt)


class Source(Thread):
    """Reads a source as fast as it comes, and keeps its newest frames.

    Args:
        url: what PyAV opens.
        news: told of every frame, and of the end.
        timeout: seconds after which waiting for data ends.
        lag: seconds by which its frames come later than those of the other source.
        held: seconds of frames that are kept beside the newest two, for a partner that comes later.

    Attributes:
        waiting: the newest frames, the newest last.
        came: how many frames came.
        heard: when the last one did, on the clock of `time.monotonic`.
        ended: why no more will come; empty as long as more may.
    """

    def __init__(self, url: str, news: Condition, timeout: float, lag: float = 0.0, held: float = 0.0) -> None:
        super().__init__(daemon=True)  # a read from a pipe may wait for ever, and must not keep the process
        self.url = url
        self.waiting: deque[Arrived] = deque()
        self.came = 0
        self.heard = time.monotonic()
        self.ended = ""
        self.fault: BaseException | None = None
        self.quit = False
        self._news = news
        self._timeout = timeout + 1  # `fuse_streams` notices first, and has a better message
        self._lag, self._held = lag, held
        self._delay = math.inf
        self._began = 0.0

    def run(self) -> None:
        """Read until the source ends or `quit` is set."""
        ended, size = "ended", None
        try:
            # Not closed before its last frame is gone: the writer asks it for the shape of pixels.
            video = Live(self.url, self._timeout)
            for stored in video.arriving():
                if self.quit:
                    break
                frame = Frame(stored, 0, 0, self.url)
                if size not in (None, frame.size):
                    ended = "changed the size of its frames"
                    break
                size = frame.size
                self._take(video, frame)
        except av.FFmpegError as error:
            ended = f"broke off ({error.strerror or error})"
        except BaseException as error:  # for the thread that waits for frames to raise
            self.fault = error
        with self._news:
            self.ended = ended
            self._news.notify()

    def _take(self, video: Live, frame: Frame) -> None:
        now = time.monotonic()
        seconds = None if frame.stored.pts is None else float(frame.stored.pts * video.time_base)
        with self._news:
            if not self.came:
                self._began = now
            when = self._time(seconds, now)
            if now - self._began >= SETTLES:
                if len(self.waiting) == KEPT + math.ceil(self._held * video.rate):
                    self.waiting.popleft()
                self.waiting.append(Arrived(video, frame, when - self._lag, now))
            self.heard = now
            self.came += 1
            self._news.notify()

    def _time(self, stamp: float | None, now: float) -> float:
        """A frame's time on our clock: its stamp plus the least delay of late, for frames are late, but never early.

        One that comes sooner than any before counts a tenth: the last ones of a stream are those that were kept back.
        """
        if stamp is None:
            return now
        delay = now - stamp
        change = delay - self._delay
        if abs(change) > JUMP:
            self._delay = delay
        elif now - self._began < SETTLES:
            self._delay = min(delay, self._delay)
        else:
            self._delay += min(change / 10, DRIFT * (now - self.heard))
        return stamp + self._delay


def match(visible: Sequence[float], infrared: Sequence[float], tolerance: float) -> tuple[int, int] | None:
    """Pair the newest visible frame that has a partner with the infrared one nearest in time.

    Args:
        visible: times in seconds, the newest last.
        infrared: likewise.
        tolerance: seconds that may lie between two partners.

    Returns:
        Their indices; None where no two belong together.
    """
    for one in reversed(range(len(visible))):
        apart = [abs(visible[one] - each) for each in infrared]
        if apart and min(apart) <= tolerance:
            return one, apart.index(min(apart))
    return None


class Pairs:
    """Two sources, and the pairs of their newest frames, until one of them stops.

    Attributes:
        stopped: a sentence that says why there are no more pairs.
    """

    def __init__(self, urls: tuple[str, str], lag: float, tolerance: float | None, timeout: float, stop: Event) -> None:
        self._news = Condition()
        self.sources = (
            Source(urls[0], self._news, timeout, 0.0, max(lag, 0.0)),
            Source(urls[1], self._news, timeout, lag, max(-lag, 0.0)),
        )
        self.stopped = ""
        self._used = [0, 0]
        self._tolerance, self._timeout, self._stop = tolerance, timeout, stop

    def __iter__(self) -> Generator[tuple[Arrived, Arrived] | None, None, None]:
        """Pairs, and None a few times a second while there is none.

        Raises:
            InputError: A source cannot be read, or sends nothing.
        """
        for source in self.sources:
            source.start()
        try:
            last = None
            while not self._stop.is_set():
                with self._news:
                    pair = self._newest()
                    if pair is None:
                        if self._ended():
                            return
                        self._news.wait(0.1)
                        pair = self._newest()
                if pair is not None:
                    self._used[0] += 1
                    self._used[1] += pair[1] is not last
                    last = pair[1]
                yield pair
            self.stopped = "Stopped by a signal"
        finally:
            for source in self.sources:
                source.quit = True

    @property
    def dropped(self) -> tuple[int, int]:
        """Frames of both sources that came and were not used."""
        visible, infrared = (source.came - used for source, used in zip(self.sources, self._used, strict=True))
        return visible, infrared

    def _newest(self) -> tuple[Arrived, Arrived] | None:
        visible, infrared = self.sources
        if not (visible.waiting and infrared.waiting):
            return None
        tolerance = self._tolerance
        if tolerance is None:
            tolerance = float(1 / (2 * min(source.waiting[0].video.rate for source in self.sources)))
        found = match([each.when for each in visible.waiting], [each.when for each in infrared.waiting], tolerance)
        if found is None:
            return None
        for _ in range(found[0]):
            visible.waiting.popleft()
        for _ in range(found[1]):
            infrared.waiting.popleft()
        return visible.waiting.popleft(), infrared.waiting[0]  # which may be nearest to the next visible one, too

    def _ended(self) -> bool:
        """Whether a source sends no more."""
        for source in self.sources:
            if source.fault is not None:
                raise source.fault
            silent = time.monotonic() - source.heard > self._timeout
            if (silent or source.ended) and not source.came:
                raise InputError(
                    f"{source.url}: {source.ended or f'silent for {self._timeout:g} s'} before a frame that can be "
                    "decoded. Start what sends it, or wait longer with --timeout."
                )
            if silent or source.ended:
                self.stopped = f"{source.url} {source.ended or f'was silent for {self._timeout:g} s'}"
                return True
        return False
