"""`dream-if app`: the demo in a browser."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event

from dream_if.app.demo import Demo
from dream_if.app.examples import make_examples
from dream_if.app.live import Live, Show
from dream_if.cli import align_options, network_options, stream_options
from dream_if.cli.fuse_videos import needs_pyav
from dream_if.cli.options import option
from dream_if.cli.stream_options import live_sources
from dream_if.errors import InputError
from dream_if.inference import Fuser, make_fuser
from dream_if.inference.aligning import Aligner
from dream_if.inference.engine import Settings
from dream_if.inference.fuser import Precision
from dream_if.inference.intensity import InfraredRange
from dream_if.inference.smoothing import check_strength
from dream_if.machine import choose_threads, use_threads
from dream_if.registration.rig import read_rig

__all__ = ["Options", "run"]

FIRST_PORT = 7860


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which network, and where the page is."""

    weights: str | None = network_options.weights_of_any()
    trust_code: bool = network_options.trust_code()
    port: int | None = option(
        f"port to serve the page on; the first free one from {FIRST_PORT} on if left out", default=None, metavar="N"
    )
    host: str = option(
        "address to serve the page on; 0.0.0.0 opens it to everybody in the network", default="127.0.0.1"
    )
    share: bool = option(
        "open the page to the whole internet, at a Gradio address for a week; uploads then pass "
        "through Gradio's server",
        default=False,
    )
    live: Sequence[str] = option(
        "two live sources, as for dream-if fuse: a page with their fused frames, in place of that for pictures",
        default=(),
        nargs=2,
        metavar=("VISIBLE", "INFRARED"),
    )
    infrared_range: str = option(
        "of live sources: which infrared values become black and white: auto, full, percentile or LOW,HIGH",
        default="auto",
        metavar="RANGE",
    )
    rig: str | None = align_options.rig()
    temporal: float = stream_options.temporal()
    lag: float | None = stream_options.lag()
    tolerance: float | None = stream_options.tolerance()
    timeout: float | None = stream_options.timeout()
    device: str = network_options.device()
    precision: Precision = network_options.precision()
    max_memory: str | None = network_options.max_memory()
    threads: int | None = network_options.threads()


def run(options: Options) -> int:
    """Serve a page on which two pictures are fused, or one with two live sources, until Ctrl-C.

    Raises:
        InputError: Something is wrong with the options, or Gradio is not installed.
    """
    if options.port is not None and not 0 < options.port < 65536:
        raise InputError(f"--port: expected 1 to 65535, got {options.port}.")
    check_host(options.host)
    if find_spec("gradio") is None:
        raise InputError("the page needs Gradio, which is not installed; pip install 'dream-if[app]' brings it.")
    if not options.live and (
        options.temporal
        or options.infrared_range != "auto"
        or any(given is not None for given in (options.rig, options.lag, options.tolerance, options.timeout))
    ):
        raise InputError("--infrared-range, --rig, --temporal, --lag, --tolerance and --timeout are for --live.")
    fusing = _fusing(options) if options.live else None
    threads = choose_threads(options.threads)
    use_threads(threads)
    weights = options.weights or (network_options.FOR_MOTION if options.live else network_options.FOR_PICTURES)
    fuser = make_fuser(weights, options.device, options.precision, options.max_memory, trust_code=options.trust_code)
    sys.stderr.write(f"Fusing {network_options.where(fuser, threads)}\n")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops it: what was uploaded is to be deleted
    with tempfile.TemporaryDirectory(prefix="dream-if-app-") as name:
        folder = Path(name)
        # Read by Gradio as it is imported: no telemetry, and uploads where they are deleted at the end.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder / "cache")}
        # Gradio takes seconds, and other verbs do without it.
        from dream_if.app.interface import build, build_live, serve

        shown = Demo(fuser, folder) if fusing is None else Live(partial(fusing, fuser), *live_sources(*options.live))
        try:
            if isinstance(shown, Live):
                shown.start()
                page = build_live(shown)
                shown.wait()
            else:
                page = build(shown, make_examples(folder / "examples"))
            server = serve(page, options.host, options.port, options.share)
            print(f"Serving {server.local_url} until Ctrl-C", flush=True)
            try:
                server.block_thread()
            finally:
                server.close()
        finally:
            shown.finish()
    return 0


def _fusing(options: Options) -> Callable[[Fuser, Show, Callable[[str], None], Event], str]:
    """What fuses the live sources.

    Raises:
        InputError: An option cannot be used, or PyAV is not installed.
    """
    with needs_pyav():
        from dream_if.inference.stream import fuse_streams
    visible, infrared = live_sources(*options.live)
    check_strength(options.temporal)
    pace = stream_options.pace(options.lag, options.tolerance, options.timeout)
    aligner = Aligner(read_rig(Path(options.rig).expanduser())) if options.rig else None
    settings = Settings("rgb", InfraredRange.parse(options.infrared_range), aligner)

    def fuse(fuser: Fuser, show: Show, say: Callable[[str], None], stop: Event) -> str:
        report = fuse_streams(
            fuser, visible, infrared, show, settings, temporal=options.temporal, stop=stop, say=say, **pace
        )
        return "; ".join((report.stopped, *report.notes))

    return fuse


def check_host(host: str) -> None:
    """Make sure that this machine can serve on an address: Gradio would say that the port is taken.

    Raises:
        InputError: It is no address, or that of another machine.
    """
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.bind(address)  # to port 0, that is any free one
    except (OSError, UnicodeError) as error:  # the latter for names that are none, such as a..b
        reason = getattr(error, "strerror", None) or "no name of a machine"
        raise InputError(
            f"--host: expected an address of this machine, such as 127.0.0.1 or 0.0.0.0, got {host!r} ({reason})."
        ) from error
