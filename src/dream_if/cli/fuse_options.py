"""The options of `dream-if fuse`, and the network and settings that they ask for."""

from dataclasses import dataclass

from dream_if.cli import align_options, network_options, stream_options
from dream_if.cli.options import option, positional
from dream_if.inference.aligning import Aligner
from dream_if.inference.api import make_fuser
from dream_if.inference.engine import Settings
from dream_if.inference.fuser import Fuser, Precision, check_depth
from dream_if.inference.intensity import COLOURS, Colour, InfraredRange
from dream_if.inference.writing import ENDINGS
from dream_if.machine import Threads, choose_threads, use_threads
from dream_if.registration.motions import Motion

__all__ = ["MISSING", "Options", "network", "settings_of"]

MISSING = "-"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to fuse, how, and where it goes."""

    visible: str = positional("visible picture, video or stream, or a folder of pictures", metavar="VISIBLE")
    infrared: str = positional("infrared picture, video or stream, or a folder with the same stems", metavar="INFRARED")
    out: str = option(
        f"fused picture, whose ending names the format ({', '.join(ENDINGS)}); or a folder, or a video; "
        "for streams a video, a URL or a pipe",
        short="-o",
        metavar="OUT",
    )
    weights: str | None = network_options.weights_of_any()
    trust_code: bool = network_options.trust_code()
    colour: Colour = option(
        "rgb: the network's colours; ycbcr: the visible ones under the fused luminance; grey: no colours. A "
        "visible picture without colours gives one without",
        default="rgb",
        choices=COLOURS,
    )
    infrared_range: str = option(
        "which infrared values become black and white: full: all that the type holds; percentile: the 0.1 "
        "and 99.9 percentiles of each picture, or of all of a video; shared: the outermost of a folder's, for all of "
        "it; LOW,HIGH; auto: full for 8 bit, else percentile",
        default="auto",
        metavar="RANGE",
    )
    palette: str | None = option(
        "show heat in the colours of matplotlib's map of this name, such as inferno; the brightness stays",
        default=None,
        metavar="NAME",
    )
    align: bool = option(
        "first align the infrared source with the visible one, by an estimate for each pair, or one for a whole video",
        default=False,
    )
    motion: Motion = align_options.motion()
    rig: str | None = align_options.rig()
    dominance: bool = option("also write the dominance maps, as 16-bit PNG", default=False)
    format: str | None = option(
        "of pictures in a folder; PNG if left out", default=None, choices=[ending[1:] for ending in ENDINGS]
    )
    depth: int = option("bits of each colour of fused pictures, 8 or 16; PNG and TIFF hold 16", default=8, metavar="N")
    device: str = network_options.device()
    precision: Precision = network_options.precision()
    max_memory: str | None = network_options.max_memory()
    batch_size: int = option("pairs of equal size fused together", default=1, metavar="N")
    compile: bool = option("compile the network: worth it for many images", default=False)
    allow_missing: bool = option(
        f"if one of two sources is missing, restore the other alone; write {MISSING!r} for a missing file",
        default=False,
    )
    codec: str = option(
        "of a video: h264, h265, vp9, av1, or ffv1 (lossless); auto: vp9 for .webm, else h264",
        default="auto",
    )
    crf: int | None = option(
        "quality of a video, smaller is better; if left out the codec's own", default=None, metavar="N"
    )
    temporal: float = stream_options.temporal()
    stream: bool = option(
        "the sources are streams: needed for named pipes and for '-', standard input and output; URLs such as "
        "rtsp://... and /dev/video0 are taken for streams without it",
        default=False,
    )
    lag: float | None = stream_options.lag()
    tolerance: float | None = stream_options.tolerance()
    timeout: float | None = stream_options.timeout()
    threads: int | None = network_options.threads()


def settings_of(options: Options) -> Settings:
    """How the fused pictures are to be made."""
    span = InfraredRange.parse(options.infrared_range)
    how = align_options.rig_or_motion(options.rig, options.motion) if options.align or options.rig else None
    return Settings(options.colour, span, None if how is None else Aligner(how), options.palette)


def network(options: Options, default: str) -> tuple[Fuser, Threads]:
    """The network where and how it is to compute, and the threads that do, which are set.

    Args:
        options: as given.
        default: the weights if none are named.
    """
    threads = choose_threads(options.threads)
    use_threads(threads)
    fuser = make_fuser(
        options.weights or default,
        options.device,
        check_depth(options.depth, options.precision),
        options.max_memory,
        options.compile,
        options.trust_code,
    )
    return fuser, threads
