"""Keeping the page to the machine that serves it."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["OfflineOnly"]

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class OfflineOnly:
    """Middleware that forbids the browser to ask any other server, whatever Gradio's page may want of one.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def forbidding(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])["Content-Security-Policy"] = POLICY
            await send(message)

        await self.app(scope, receive, forbidding)
