"""Writing a video frame by frame, with the times and the sound of the visible one. Needs PyAV, an extra."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from dream_if.errors import InputError
from dream_if.inference.engine import quantised
from dream_if.inference.video_reading import EXACT, Frame, Video

__all__ = ["CODECS", "ENDINGS", "VideoWriter", "choose_codec"]

ENDINGS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""File ending -> container, as FFmpeg calls it. All of them keep the time of each frame."""

STREAM = ".ts"
"""The container of what goes to a URL: one that can be read from any point on."""

MATRIX_NUMBERS = {Colorspace.ITU709: 1, Colorspace.ITU601: 6, Colorspace.SMPTE240M: 7, Colorspace.BT2020: 9}  # H.273
OF_THE_OLD_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder")


@dataclass(frozen=True)
class Codec:
    """How frames are compressed.

    Attributes:
        encoder: FFmpeg's name of it.
        crf: constant rate factor unless another is asked for, smaller is better; None for one without loss.
        options: further options of the encoder.
        pixels: layout of the pixels of frames of even size.
        odd: that of others, for which halved colour planes do not exist in every codec.
    """

    encoder: str
    crf: int | None
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    odd: str = "yuv444p"


CODECS = {
    "h264": Codec("libx264", 18),
    "h265": Codec("libx265", 20, {"x265-params": "log-level=error"}),
    "vp9": Codec("libvpx-vp9", 24, {"b:v": "0", "row-mt": "1"}, odd="yuv420p"),
    "av1": Codec("libsvtav1", 24, {}, odd="yuv420p"),
    "ffv1": Codec("ffv1", None, pixels="bgr0", odd="bgr0"),
}
"""Name -> codec. The factors were chosen for fused frames that look like the uncompressed ones, not for small files."""


def choose_codec(out: Path | str, codec: str = "auto", crf: int | None = None) -> tuple[str, Codec, int | None]:
    """Name, codec and constant rate factor for an output.

    Args:
        out: the file, whose ending names the container; or a URL as text, to which a transport stream goes.
        codec: one of `CODECS`, or ``auto``: VP9 for WebM, else H.264, which every player knows.
        crf: constant rate factor, None for the codec's own.

    Raises:
        InputError: The ending or the codec is not known, they do not go together, or the factor is out of range.
    """
    ending = _ending(out)
    if isinstance(out, Path) and ending not in ENDINGS:
        raise InputError(f"{out}: expected a video that ends in {', '.join(ENDINGS)}, got {ending or 'no ending'!r}.")
    if codec == "auto":
        codec = "vp9" if ending == ".webm" else "h264"
    if codec not in CODECS:
        raise InputError(f"--codec: expected auto, {', '.join(CODECS)}, got {codec!r}.")
    fits = {
        ".webm": ("vp9", "av1"),
        ".mkv": tuple(CODECS),
        ".mp4": ("h264", "h265", "vp9", "av1"),
        ".mov": ("h264", "h265"),
        STREAM: ("h264", "h265"),
    }
    able = fits[ending]
    if codec not in able:
        raise InputError(f"{out}: {codec} cannot be stored in {ending}, but {', '.join(able)} can; .mkv takes all.")
    chosen = CODECS[codec]
    if chosen.encoder not in av.codecs_available:
        raise InputError(
            f"--codec {codec}: this PyAV has no {chosen.encoder}; choose another, or install PyAV's wheel."
        )
    most = 63 if codec in ("vp9", "av1") else 51
    if crf is not None and (chosen.crf is None or not 0 <= crf <= most):
        wanted = f"0 to {most}" if chosen.crf is not None else "none, for it loses nothing"
        raise InputError(f"--crf: {codec} takes {wanted}, got {crf}.")
    return codec, chosen, chosen.crf if crf is None else crf


def _ending(out: Path | str) -> str:
    return out.suffix.lower() if isinstance(out, Path) else STREAM


class VideoWriter:
    """A video that is being written, a context manager.

    Args:
        path: the file to fill, or a URL as text.
        out: what messages call it; the ending of a file names the container, a URL gets a transport stream.
        visible: the open visible video, whose sound, times, shape of pixels, colour matrix and titles are taken over.
        first: its first frame.
        codec: one of `CODECS`, or ``auto``.
        crf: constant rate factor, None for the codec's own.
        threads: how many encode; 0 for as many as there are cores.
        frames: how many there will be; 0 where nobody knows.

    Attributes:
        notes: sentences about what players may trip over.

    Raises:
        InputError: see `choose_codec`; or the container cannot hold the sound.
    """

    def __init__(
        self,
        path: Path | str,
        out: Path | str,
        visible: Video,
        first: Frame,
        codec: str,
        crf: int | None,
        threads: int,
        frames: int,
    ) -> None:
        name, chosen, factor = choose_codec(out, codec, crf)
        height, width = first.size
        odd = bool(height % 2 or width % 2)
        self.notes: tuple[str, ...] = ()
        self._pixels = chosen.odd if odd else chosen.pixels
        self._time_base = visible.time_base
        self._first = first
        if odd and self._pixels == "yuv444p":
            self.notes = (
                f"{out}: {width}x{height} is odd, which {name} stores with colours in full resolution (4:4:4) only; "
                "some players do not show that",
            )
        if name == "av1":
            os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 tells its settings in twenty lines
        ending = _ending(out)
        live = {"flush_packets": "1"} if ending == STREAM else {}
        self.container = av.open(str(path), "w", format=(ENDINGS | {STREAM: "mpegts"})[ending], options=live)
        options = chosen.options | ({} if factor is None else {"crf": str(factor)})
        if name == "h265" and frames < 3:  # x265 leaves the decoding times of so few frames to chance
            options["x265-params"] += ":bframes=0"
        if ending == STREAM:  # no frame is kept back, and who begins to watch sees a picture within a second
            options |= {"tune": "zerolatency", "g": str(max(round(visible.rate), 1))}
        self._stream = cast(Any, self.container.add_stream(chosen.encoder, rate=visible.rate, options=options))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, self._pixels
        context = self._stream.codec_context
        context.time_base = visible.time_base
        context.thread_count = threads
        if name == "h265" and ending in (".mp4", ".mov"):
            context.codec_tag = "hvc1"  # Apple's players take no other
        if shape := visible.stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / shape if first.quarter_turns % 2 else shape
        context.color_primaries, context.color_trc = first.stored.color_primaries, first.stored.color_trc
        if self._pixels.startswith("yuv"):
            context.colorspace, context.color_range = MATRIX_NUMBERS[first.matrix], ColorRange.MPEG
        titles = {key: text for key, text in visible.container.metadata.items() if key not in OF_THE_OLD_FILE}
        self.container.metadata.update(titles)
        self._sound: dict[int, Any] = {}
        try:
            for stream in visible.audio:
                self._sound[stream.index] = self.container.add_stream_from_template(stream)
            self.container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            sounds = ", ".join(stream.codec_context.name for stream in visible.audio) or "none"
            self.container.close()
            raise InputError(
                f"{out}: {ending} cannot hold this video with its sound ({sounds}): {error}. Name an output that "
                "ends in .mkv, which holds nearly everything."
            ) from error
        if name == "av1":
            _take_turns()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.container.mux(self._stream.encode())
        self.container.close()

    def add_sound(self, packet: Any) -> None:
        """Write a packet of sound of the visible video as it is."""
        packet.stream = self._sound[packet.stream.index]
        self.container.mux(packet)

    def add(self, values: npt.NDArray[np.float32], ticks: int, duration: int) -> None:
        """Write a frame.

        Args:
            values: (H, W, 1 or 3) in [0, 1].
            ticks: its time, in units of the visible video's time base.
            duration: how long it is shown; 0 if that is not known.
        """
        pixels = np.ascontiguousarray(np.broadcast_to(quantised(values, np.dtype(np.uint8)), (*values.shape[:2], 3)))
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format=self._pixels,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG if self._pixels.startswith("yuv") else ColorRange.JPEG,
            dst_colorspace=self._first.matrix,
            interpolation=EXACT,
        )
        frame.color_primaries, frame.color_trc = self._first.stored.color_primaries, self._first.stored.color_trc
        frame.pts, frame.time_base, frame.duration = ticks, self._time_base, duration
        self.container.mux(self._stream.encode(frame))


def _take_turns() -> None:
    """Undo what SVT-AV1 does if root runs it: all threads of the process go before all others of the machine."""
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and os.sched_getscheduler(0) == os.SCHED_FIFO:
        for task in tasks.iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
