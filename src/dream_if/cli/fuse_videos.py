"""`dream-if fuse` of two videos, or of two live streams."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, current_thread, main_thread

from dream_if.cli import network_options, stream_options
from dream_if.cli.fuse_options import MISSING, Options, network, settings_of
from dream_if.cli.options import is_stream
from dream_if.cli.progress import progress_bar
from dream_if.errors import InputError
from dream_if.inference.engine import Settings
from dream_if.inference.folders import is_video, pair_files
from dream_if.inference.smoothing import check_strength

__all__ = ["needs_pyav", "run_streams", "run_videos"]


@contextmanager
def needs_pyav() -> Iterator[None]:
    """Say what to install where PyAV is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        raise InputError("videos are read by PyAV, which is not installed: pip install 'dream-if[video]'.") from error


def _refuse_what_is_for_pictures(options: Options) -> None:
    if options.dominance:
        raise InputError("--dominance is for pictures; extract the frames to two folders and fuse those.")
    if options.allow_missing:
        raise InputError("--allow-missing is for pictures; of videos both are needed.")
    if options.depth != 8:
        raise InputError("--depth is for pictures; extract the frames to two folders and fuse those.")
    if options.format is not None:
        raise InputError("--format is for pictures in a folder; the ending of OUT names a video's container.")


def run_videos(options: Options, visible: Path | None, infrared: Path | None, out: Path, settings: Settings) -> int:
    """Fuse two videos, and say what became of them."""
    with needs_pyav():
        from dream_if.inference.video import fuse_videos
        from dream_if.inference.video_writing import choose_codec
    if visible is None or infrared is None or not (is_video(visible) and is_video(infrared)):
        raise InputError(f"{visible or MISSING} and {infrared or MISSING}: one is a video and one is not; give two.")
    _refuse_what_is_for_pictures(options)
    out = pair_files(visible, infrared, out, ".mp4", dominance=False).out
    choose_codec(out, options.codec, options.crf)
    check_strength(options.temporal)
    fuser, threads = network(options, network_options.FOR_MOTION)
    sys.stderr.write(f"Fusing two videos {network_options.where(fuser, threads)}\n")
    with progress_bar("fused") as advance:
        report = fuse_videos(
            fuser,
            visible,
            infrared,
            out,
            settings,
            codec=options.codec,
            crf=options.crf,
            batch_size=options.batch_size,
            temporal=options.temporal,
            threads=threads.number,
            progress=advance,
        )
    for note in report.notes:
        sys.stderr.write(f"Note: {note}.\n")
    sys.stdout.write(f"Wrote {out}: {report.frames} frames, {report.flicker}.\n")
    return 0


def run_streams(options: Options) -> int:
    """Fuse two live sources until one ends or a signal comes, and say what became of them."""
    with needs_pyav():
        from dream_if.inference.stream import fuse_streams
        from dream_if.inference.video_writing import choose_codec
    visible, infrared = stream_options.live_sources(options.visible, options.infrared)
    _refuse_what_is_for_pictures(options)
    if options.align and not options.rig:
        raise InputError(
            "--align: frames of streams are not estimated one by one; give --rig (dream-if align --calibrate)."
        )
    if options.batch_size != 1:
        raise InputError("--batch-size is for files: frames of streams are fused as they come.")
    out: Path | str = "pipe:1" if options.out == "-" else options.out
    if not is_stream(str(out)) and not Path(out).is_fifo():
        out = Path(out).expanduser()
    choose_codec(out, options.codec, options.crf)
    check_strength(options.temporal)
    pace = stream_options.pace(options.lag, options.tolerance, options.timeout)
    settings = settings_of(options)
    fuser, threads = network(options, network_options.FOR_MOTION)
    sys.stderr.write(f"Fusing two streams {network_options.where(fuser, threads)}; Ctrl-C ends it\n")
    with _signals_set(Event()) as stop:
        report = fuse_streams(
            fuser,
            visible,
            infrared,
            out,
            settings,
            codec=options.codec,
            crf=options.crf,
            temporal=options.temporal,
            threads=threads.number,
            stop=stop,
            say=lambda line: print(line, file=sys.stderr, flush=True),
            **pace,
        )
    for note in report.notes:
        sys.stderr.write(f"Note: {note}.\n")
    of_visible, of_infrared = report.dropped
    mean, most = report.latency
    sys.stderr.write(
        f"{report.stopped}. Dropped {of_visible} visible and {of_infrared} infrared frames; latency "
        f"{1e3 * mean:.0f} ms on average, {1e3 * most:.0f} at most.\n"
    )
    told = sys.stderr if isinstance(out, str) else sys.stdout  # which may be the stream
    told.write(f"Wrote {out}: {report.frames} frames in {report.seconds:.1f} s, {report.flicker}.\n")
    return 0


@contextmanager
def _signals_set(stop: Event) -> Iterator[Event]:
    """Let the first Ctrl-C or SIGTERM set an event, and another end the program as ever."""
    if current_thread() is not main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def end(*_: object) -> None:
        stop.set()
        back()

    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        back()
