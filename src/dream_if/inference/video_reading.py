"""Reading a video frame by frame, upright, with the time of each frame, in constant memory. Needs PyAV, an extra."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from dream_if.errors import InputError
from dream_if.inference.pictures import Picture, Pixels

__all__ = ["EXACT", "Frame", "Video"]

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
"""How colours are converted: without the short cuts that shift them by a grey level or two."""

# The numbers of ITU-T H.273. A video that does not name its matrix is taken for BT.709 if it is larger than standard
# definition, as players do, else for BT.601.
MATRICES = {
    1: Colorspace.ITU709,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
LARGE = (1280, 576)  # from this width, or above this height


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        stored: as it is in the file.
        ticks: its time from the start of the file, in units of `Video.time_base`.
        duration: how long it is shown, in the same units; 0 where the file does not say.
        name: what messages call it.
    """

    stored: av.VideoFrame
    ticks: int
    duration: int
    name: str

    @property
    def quarter_turns(self) -> int:
        """How often it is to be turned by 90 degrees, counterclockwise, to be upright."""
        return round(self.stored.rotation / 90) % 4

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, upright."""
        size = self.stored.height, self.stored.width
        return (size[1], size[0]) if self.quarter_turns % 2 else size

    @property
    def grey_bits(self) -> int:
        """Bits of the values of a grey video, which are kept as they are stored; 0 for one with colours."""
        bits = self.stored.format.components[0].bits
        return bits if self.stored.format.name.startswith("gray") and bits <= 16 else 0

    @property
    def matrix(self) -> Colorspace:
        """Between RGB and what is stored."""
        large = self.stored.width >= LARGE[0] or self.stored.height > LARGE[1]
        guess = Colorspace.ITU709 if large else Colorspace.ITU601
        return MATRICES.get(self.stored.colorspace, guess)

    def picture(self) -> Picture:
        """Its pixels, upright: 8 bit, or 16 where more than 8 are stored. Grey of 10 bit keeps its values to 1023."""
        pixels = self._grey() if self.grey_bits else self._rgb()
        return Picture(cast(Pixels, np.rot90(pixels, self.quarter_turns)), name=self.name)

    def _rgb(self) -> npt.NDArray[Any]:
        kind = self.stored.format
        full = kind.is_rgb or kind.name.startswith("yuvj") or self.stored.color_range == ColorRange.JPEG
        return self.stored.reformat(
            format="rgb24" if max(part.bits for part in kind.components) <= 8 else "rgb48le",
            src_colorspace=self.matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=EXACT,
        ).to_ndarray()

    def _grey(self) -> npt.NDArray[Any]:
        """The stored values; FFmpeg takes grey for full range unless the file says otherwise, and so does this."""
        plane, bits = self.stored.planes[0], self.grey_bits
        stored = np.dtype("u1" if bits == 8 else ">u2" if self.stored.format.is_big_endian else "<u2")
        rows = np.frombuffer(memoryview(plane), stored).reshape(self.stored.height, plane.line_size // stored.itemsize)
        values = rows[:, : self.stored.width, None]
        kind = np.uint8 if bits == 8 else np.uint16
        if self.stored.color_range != ColorRange.MPEG:
            return values.astype(kind)
        low, high, most = (16 << (bits - 8)), (235 << (bits - 8)), (1 << bits) - 1
        return np.clip(np.round((values.astype(np.float32) - low) * (most / (high - low))), 0, most).astype(kind)


class Video:
    """A video file that is open for reading, a context manager. It is read once, from its start.

    Args:
        path: the file, of any kind that FFmpeg reads, or a URL as text. Of several video streams the main one is taken.
        threads: how many decode; 0 for as many as there are cores.
        **how: more for ``av.open``.

    Attributes:
        time_base: seconds, the unit of `Frame.ticks`.
        rate: frames a second, as the file says.
        number: frames that were read so far.
        last: when the last one begins to be shown, in seconds from the start of the file.
        end: when it ends.

    Raises:
        InputError: The file cannot be read, or holds no video.
    """

    def __init__(self, path: Path | str, threads: int = 0, **how: Any) -> None:
        self.path = path
        self.number = 0
        self.last = self.end = Fraction(0)
        # Older torchvision, such as 0.21, turns PyAV's messages on. Then a decoding thread that has one to tell and the
        # closing of its file can wait for each other forever.
        av.logging.set_level(None)
        try:
            self.container = av.open(str(path), metadata_errors="replace", **how)  # titles need not be in UTF-8
        except (av.FFmpegError, OSError) as error:
            raise InputError(
                f"{path}: cannot be read as a video ({error.strerror or error}); it may be cut short, or not a video."
            ) from error
        stream = self.container.streams.best("video")
        if stream is None:
            self.container.close()
            raise InputError(f"{path}: holds no video.")
        self.stream = cast(Any, stream)  # for PyAV's types a stream of any kind
        self.stream.codec_context.thread_count = threads
        self.stream.thread_type = "AUTO"
        self.time_base = Fraction(stream.time_base or Fraction(1, 1000))
        self.rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or 25)
        self._start = Fraction(self.container.start_time or 0, av.time_base)

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def audio(self) -> list[Any]:
        """The streams of sound."""
        return list(self.container.streams.audio)

    def frames(self, on_audio: Callable[[Any], None] | None = None) -> Iterator[Frame]:
        """Read the frames in the order in which they are shown.

        Args:
            on_audio: called with each packet of sound that is met on the way, timed from the start of the file.

        Raises:
            InputError: A frame cannot be decoded, or has another size than those before. It names the frame.
        """
        size, last = None, -1
        try:
            for stored in self._decoded(on_audio):
                seconds = self.number / self.rate if stored.pts is None else stored.pts * self.time_base - self._start
                last = max(round(seconds / self.time_base), last + 1)  # two frames never share a time
                frame = Frame(stored, last, stored.duration or 0, str(self.path))
                if size not in (None, frame.size):
                    raise InputError(f"{self.path}: the size of its frames changes at frame {self.number + 1}; cut it.")
                size = frame.size
                self.number += 1
                self.last = last * self.time_base
                self.end = self.last + (frame.duration * self.time_base or 1 / self.rate)
                yield frame
        except av.FFmpegError as error:
            raise self._damaged(error.strerror or str(error)) from error
        if size is None:
            raise InputError(f"{self.path}: holds no frame that can be decoded; copy or download it again.")

    def _decoded(self, on_audio: Callable[[Any], None] | None) -> Iterator[av.VideoFrame]:
        sound = self.audio if on_audio is not None else []
        for packet in self.container.demux(self.stream, *sound):
            if on_audio is not None and packet.stream.type == "audio":
                if packet.dts is not None:  # the last one is empty, and only says that there are no more
                    self._set_to_start(packet)
                    on_audio(packet)
                continue
            if packet.is_corrupt:
                raise self._damaged("a part of it is missing")
            for frame in cast(list[av.VideoFrame], packet.decode()):
                if frame.is_corrupt:
                    raise self._damaged("it has errors")
                yield frame
        missing = self._announced() - self.end  # most files that are cut short between two frames just end
        if missing > 3 / self.rate:
            raise self._damaged(f"{float(missing):.2f} s more are announced")

    def _announced(self) -> Fraction:
        """The end of the video in seconds as the file tells it; 0 where it says nothing that can be relied on."""
        kind = self.container.format.name
        if "mp4" in kind:
            return (self.stream.duration or 0) * self.time_base
        if kind == "avi":
            return self.stream.frames / self.rate
        try:  # Matroska and WebM: 00:00:02.400000000
            hours, minutes, seconds = self.stream.metadata["DURATION"].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
        except (KeyError, ValueError):
            return Fraction(0)

    def _set_to_start(self, packet: Any) -> None:
        """Let a packet's time count from the start of the file."""
        shift = round(self._start / packet.time_base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift

    def _damaged(self, how: str) -> InputError:
        return InputError(
            f"{self.path}: frame {self.number + 1} is damaged or cut off ({how}); copy the file again, or cut it "
            "before that frame."
        )
