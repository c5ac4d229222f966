"""The WebSockets of people who are signed in. Each ends with the sign-in that opened it.

After the end nothing reaches Streamlit any more, so no page runs again, and nothing that it still sends reaches the
browser. The last message leads the browser to the sign-in page, which says what happened.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from services.dashboard.sign_in.gate.documents import SIGN_IN

_POLICY_VIOLATION: Final = 1008
_LONGEST_WAIT_S: Final = 3_600.0
"""A timer follows the clock that people set only if it looks at it from time to time."""


def leading_to_sign_in(note: str) -> Message:
    """What makes Streamlit's page go to the sign-in page."""
    forward = ForwardMsg()
    forward.auth_redirect.url = f"{SIGN_IN}?{note}"
    return {"type": "websocket.send", "bytes": forward.SerializeToString()}


async def lead_to_sign_in(note: str, receive: Receive, send: Send) -> None:
    """Answer a handshake with nothing but the way to sign in."""
    await receive()
    # The browser offers a protocol and ends a connection that does not select it.
    await send({"type": "websocket.accept", "subprotocol": "streamlit"})
    await send(leading_to_sign_in(note))
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


class OpenSockets:
    """Not thread-safe; the event loop owns it. `now_s` is the clock that people set."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._open: defaultdict[str, set[_Socket]] = defaultdict(set)

    async def serve(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, key: str, until_s: int, note: str
    ) -> None:
        """Serve a WebSocket until it closes, or the sign-in `key` ends. `note` tells the sign-in page the reason."""
        socket = _Socket(receive, send)
        self._open[key].add(socket)
        timer = asyncio.create_task(self._end_at(socket, until_s, note), name="sign-in-end")
        try:
            await app(scope, socket.receive, socket.send)
        finally:
            timer.cancel()
            self._open[key].discard(socket)
            if not self._open[key]:
                del self._open[key]

    async def end(self, key: str, note: str) -> None:
        """End the open WebSockets of a sign-in."""
        for socket in list(self._open.get(key, ())):
            await socket.end(note)

    async def _end_at(self, socket: "_Socket", until_s: int, note: str) -> None:
        while (left := until_s - self._now_s()) > 0:
            await asyncio.sleep(min(left, _LONGEST_WAIT_S))
        await socket.end(note)


class _Socket:
    """A WebSocket between the server and the app that can be ended from this side."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_accepted = False
        self._ended = asyncio.Event()
        self._sending = asyncio.Lock()

    async def receive(self) -> Message:
        """The next message for the app; a disconnect after the end."""
        arriving, ending = asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((arriving, ending), return_when=asyncio.FIRST_COMPLETED)
            if not self._ended.is_set():
                return arriving.result()
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
        finally:
            arriving.cancel()
            ending.cancel()

    async def send(self, message: Message) -> None:
        """Send the app's message; drops it after the end."""
        async with self._sending:
            if not self._ended.is_set():
                self._is_accepted |= message["type"] == "websocket.accept"
                await self._send(message)

    async def end(self, note: str) -> None:
        """Let nothing pass any more, and lead the browser to the sign-in page."""
        if self._ended.is_set():
            return
        self._ended.set()
        async with self._sending:  # after a message that is being sent
            if self._is_accepted:
                await self._send(leading_to_sign_in(note))
            await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
