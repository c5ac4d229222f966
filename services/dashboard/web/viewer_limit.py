"""Limits how many pages are open at once, and closes a page's WebSocket when nothing comes through it."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard.web.guard import refuse
from services.dashboard.web.refusals import full
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges

logger = get_logger(__name__)

FIRST_MESSAGE_SECONDS: Final = 60.0
"""A page says at once what it shows."""

IDLE_SECONDS: Final = 1800.0
"""A page asks for each refresh, in the background at least once a minute. A paused one connects again by itself."""

_READING: Final = ("GET", "HEAD")


class ViewerLimit:
    """ASGI middleware. A viewer over the limit gets a page that says so and tries again by itself."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        viewers: int,
        gauges: Gauges | None = None,
        first_message_seconds: float = FIRST_MESSAGE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._app = app
        self._viewers = viewers
        self._gauges = gauges or Gauges()
        self._first_message_seconds = first_message_seconds
        self._idle_seconds = idle_seconds
        self._open = 0
        self._is_logged = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= self._viewers and _is_viewer(scope):
            if not self._is_logged:
                self._is_logged = True
                logger.warning("refused a viewer: DASHBOARD_VIEWERS pages are open", viewers=self._viewers)
            await refuse(full(self._viewers), scope, send)
        elif scope["type"] == "websocket":
            self._count(1)
            try:
                await self._app(scope, self._until_idle(receive, send), send)
            finally:
                self._count(-1)
        else:
            await self._app(scope, receive, send)

    def _count(self, more: int) -> None:
        self._open += more
        self._gauges.viewers = self._open

    def _until_idle(self, receive: Receive, send: Send) -> Receive:
        """`receive` that closes the WebSocket when a message is overdue."""
        is_started = False

        async def receive_in_time() -> Message:
            nonlocal is_started
            try:
                async with asyncio.timeout(self._idle_seconds if is_started else self._first_message_seconds):
                    message = await receive()
            except TimeoutError:
                await send({"type": "websocket.close", "code": 1001, "reason": "idle"})
                return {"type": "websocket.disconnect", "code": 1001}
            is_started = is_started or message["type"] == "websocket.receive"
            return message

        return receive_in_time


def _is_viewer(scope: Scope) -> bool:
    """Whether a page opens: its document or its WebSocket."""
    if scope["type"] == "websocket":
        return True
    is_reading = scope["type"] == "http" and scope["method"] in _READING
    return is_reading and "text/html" in Headers(scope=scope).get("accept", "")
