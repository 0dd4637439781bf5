"""`dream-if app`: the demo in a browser."""

import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dream_if.app.demo import Demo
from dream_if.app.examples import make_examples
from dream_if.cli import network_options
from dream_if.cli.options import option
from dream_if.errors import InputError
from dream_if.inference import make_fuser
from dream_if.inference.fuser import Precision
from dream_if.machine import choose_threads, use_threads

__all__ = ["Options", "run"]

FIRST_PORT = 7860


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which network, and where the page is."""

    weights: str = network_options.weights()
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
    device: str = network_options.device()
    precision: Precision = network_options.precision()
    max_memory: str | None = network_options.max_memory()
    threads: int | None = network_options.threads()


def run(options: Options) -> int:
    """Serve a page on which two pictures are fused, until Ctrl-C.

    Raises:
        InputError: Something is wrong with the options, or Gradio is not installed.
    """
    if options.port is not None and not 0 < options.port < 65536:
        raise InputError(f"--port: expected 1 to 65535, got {options.port}.")
    check_host(options.host)
    if find_spec("gradio") is None:
        raise InputError("the page needs Gradio, which is not installed; pip install 'dream-if[app]' brings it.")
    threads = choose_threads(options.threads)
    use_threads(threads)
    fuser = make_fuser(
        options.weights, options.device, options.precision, options.max_memory, trust_code=options.trust_code
    )
    sys.stderr.write(f"Fusing {network_options.where(fuser, threads)}\n")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops it: what was uploaded is to be deleted
    with tempfile.TemporaryDirectory(prefix="dream-if-app-") as name:
        folder = Path(name)
        # Read by Gradio as it is imported: no telemetry, and uploads where they are deleted at the end.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder / "cache")}
        from dream_if.app.interface import build, serve  # Gradio takes seconds, and other verbs do without it

        demo = Demo(fuser, folder)
        page = build(demo, make_examples(folder / "examples"))
        server = serve(page, options.host, options.port, options.share)
        print(f"Serving {server.local_url} until Ctrl-C", flush=True)
        try:
            server.block_thread()
        finally:
            server.close()
            demo.finish()
    return 0


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
