"""Two live sources on the page: one thread fuses them, every visitor sees its newest frame. No Gradio here."""

import re
import sys
from base64 import b64encode
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, NamedTuple

import cv2
import numpy.typing as npt

from dream_if.app.display import shown
from dream_if.errors import InputError

__all__ = ["Live", "Show", "View"]

Show = Callable[[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]], None]


class View(NamedTuple):
    """What a visitor is to see.

    Attributes:
        number: of this view; each has a higher one than that before.
        pictures: the fused frame, and the visible and infrared one in half the size, as ``data:`` URIs of JPEG; empty
            before the first.
        line: frames a second, latency and drops; once it has ended, why.
        ended: whether no more frames will come.
    """

    number: int
    pictures: tuple[str, ...]
    line: str
    ended: bool


class Live(Thread):
    """Fuses two live sources as long as they last, whether anybody looks or not.

    Args:
        fuse: fuses until a source stops or the event is set, and says why it ended; calls the first with each frame
            (see `dream_if.inference.stream.Show`), the second with each line.
        visible: URL of the visible source. Neither page nor log shows it: there may be a password in it.
        infrared: likewise.

    Attributes:
        view: the newest.
    """

    def __init__(self, fuse: Callable[[Show, Callable[[str], None], Event], str], visible: str, infrared: str) -> None:
        super().__init__(daemon=True)
        self.view = View(0, (), "", False)
        self._fuse = fuse
        self._names = {visible: "the visible source", infrared: "the infrared source"}
        self._began, self._quit = Event(), Event()
        self._said = "the fusion broke down, see the log"

    def run(self) -> None:
        """Fuse. Only this thread sets `view`, so nobody needs a lock."""
        try:
            self._said = self._fuse(self._show, self._say, self._quit)
        except InputError as error:
            self._said = str(error)
        finally:
            # The longer one first, as one may be the start of the other.
            urls = "|".join(re.escape(url) for url in sorted(self._names, key=len, reverse=True))
            line = re.sub(rf"(?<!\w)({urls})(?!\w)", lambda found: self._names[found[0]], self._said)
            line = line[:1].upper() + line[1:]
            self._next(line=line, ended=True)
            if self.view.pictures and not self._quit.is_set():
                sys.stderr.write(f"{line}; the page stays.\n")
            self._began.set()

    def wait(self) -> None:
        """Wait for the first frame.

        Raises:
            InputError: There is none.
        """
        self._began.wait()
        if not self.view.pictures:
            raise InputError(self._said)

    def finish(self) -> None:
        """End it, and wait for that: a process that ends while torch computes is aborted."""
        self._quit.set()
        self.join()

    def _next(self, **changed: Any) -> None:
        self.view = self.view._replace(number=self.view.number + 1, **changed)

    def _say(self, line: str) -> None:
        self._next(line=line)

    def _show(self, fused: npt.NDArray[Any], *sources: npt.NDArray[Any]) -> None:
        halves = (cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for source in sources)
        self._next(pictures=tuple(map(_uri, (fused, *halves))))
        self._began.set()


def _uri(values: npt.NDArray[Any]) -> str:
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(shown(values), cv2.COLOR_RGB2BGR))[1]
    return f"data:image/jpeg;base64,{b64encode(jpeg.tobytes()).decode()}"
