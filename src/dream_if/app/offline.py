"""Between the page and its visitors: no other server is contacted, and a failed request is a line in the log."""

import sys

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["OfflineOnly"]

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class OfflineOnly:
    """Middleware that forbids the browser to ask any other server, whatever Gradio's page may want of one.

    Where Gradio fails at a request, as at functions that are not on the page, it answers 400 and writes one line.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def forbidding(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])["Content-Security-Policy"] = POLICY
            await send(message)

        try:
            await self.app(scope, receive, forbidding)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            sys.stderr.write(f"dream-if: refused {scope['path'][:200]!r} ({type(error).__name__})\n")
            await PlainTextResponse("The request cannot be read.", 400)(scope, receive, forbidding)
