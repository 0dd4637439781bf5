"""`dream-if app`: the demo in a browser."""

import argparse
import os
import signal
import socket
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from dream_if.app.demo import Demo
from dream_if.app.examples import make_examples
from dream_if.errors import InputError
from dream_if.inference import make_fuser
from dream_if.inference.options import add_machine, add_weights
from dream_if.threads import choose_threads, use_threads

__all__ = ["add_arguments", "run"]

FIRST_PORT = 7860


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    add_weights(parser)
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help=f"port to serve the page on; the first free one from {FIRST_PORT} on if left out",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve the page on; 0.0.0.0 shows it to everybody in the network",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="show the page to the world, under an address of Gradio's for a week; what is uploaded then passes "
        "through Gradio's server",
    )
    add_machine(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="threads on the CPU; found out if left out")


def run(options: argparse.Namespace) -> int:
    """Serve a page on which two pictures are fused, until Ctrl-C.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0.

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
    fuser = make_fuser(options.weights, options.device, options.precision, options.max_memory)
    device = f"cpu, {threads.reason}" if fuser.device.type == "cpu" else str(fuser.device)
    sys.stderr.write(f"Fusing in {fuser.precision} on {device}\n")
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
