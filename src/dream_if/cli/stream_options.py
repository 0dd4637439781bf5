"""Options of the verbs that read live sources, and their checks."""

from pathlib import Path
from typing import Any

from dream_if.cli.options import is_stream, option
from dream_if.errors import InputError

__all__ = ["lag", "live_sources", "pace", "temporal", "timeout", "tolerance"]


def temporal() -> Any:
    """``--temporal``."""
    return option(
        "smooth a video or stream over time, against flicker and noise: 0 (off) to below 1, such as 0.8, a mean over "
        "about 5 frames; what moves is not smoothed",
        default=0.0,
        metavar="STRENGTH",
    )


def lag() -> Any:
    """``--lag``."""
    return option(
        "seconds by which infrared frames of a stream come later than visible ones of the same moment; 0 if left out, "
        "below 0 if they come earlier",
        default=None,
        metavar="SECONDS",
    )


def tolerance() -> Any:
    """``--tolerance``."""
    return option(
        "seconds between the frames of a pair at most, of streams; half a frame of the slower one if left out",
        default=None,
        metavar="SECONDS",
    )


def timeout() -> Any:
    """``--timeout``."""
    return option(
        "seconds after which a silent stream counts as ended; 10 if left out", default=None, metavar="SECONDS"
    )


def live_sources(*given: str) -> tuple[str, str]:
    """The visible and the infrared source as PyAV opens them; ``-`` is the standard input.

    Raises:
        InputError: They are the same, or one is a file.
    """
    visible, infrared = ("pipe:0" if source == "-" else source for source in given)
    if visible == infrared:
        raise InputError(f"{visible} is both sources; give two.")
    for source in (visible, infrared):
        if not is_stream(source) and not Path(source).is_fifo():
            raise InputError(
                f"{source}: expected a stream, a URL, a device or a named pipe. Two videos are fused by dream-if fuse, "
                "without --stream."
            )
    return visible, infrared


def pace(lag: float | None, tolerance: float | None, timeout: float | None) -> dict[str, Any]:
    """These options as `fuse_streams` takes them.

    Raises:
        InputError: One is out of range.
    """
    timeout = 10.0 if timeout is None else timeout
    if timeout <= 0 or (tolerance is not None and tolerance < 0):
        raise InputError("--timeout must be above 0 seconds, and --tolerance 0 or more.")
    return {"lag": lag or 0.0, "tolerance": tolerance, "timeout": timeout}
