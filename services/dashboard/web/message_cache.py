"""Lets Streamlit name elements that a page has by checksum only while nobody uses the page.

With each request a page lists the elements that it keeps, and Streamlit sends a checksum instead of those. But the page
drops an element that the last three runs did not show when a run ends, and that end may cross the request on the wire.
The page then lacks what it is told to show, and Streamlit's client disconnects for good ("Cached ForwardMsg MISS").
An element comes back after a few runs when a viewer switches something there and back. Refreshes show the same ones.
"""

from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

REFRESHES_UNTIL_SETTLED: Final = 3
"""The runs after which a page drops an element (`global.maxCachedMessageAge`, 2, and one)."""


class MessageCache:
    """ASGI middleware in front of Streamlit: takes the list out of requests until a page only refreshes by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, _settled(receive) if scope["type"] == "websocket" else receive, send)


def _settled(receive: Receive) -> Receive:
    refreshes = 0

    async def receive_settled() -> Message:
        nonlocal refreshes
        message = await receive()
        request = _script_request(message)
        if request is None:
            return message
        script = request.rerun_script
        refreshes = refreshes + 1 if script.is_auto_rerun else 0
        if refreshes > REFRESHES_UNTIL_SETTLED or not script.cached_message_hashes:
            return message
        del script.cached_message_hashes[:]
        return {**message, "bytes": request.SerializeToString()}

    return receive_settled


def _script_request(message: Message) -> BackMsg | None:
    """What a page asks to be run, or None for any other message, also a broken one, which Streamlit refuses."""
    data = message.get("bytes")
    if not data:
        return None
    request = BackMsg()
    try:
        request.ParseFromString(data)
    except DecodeError:
        return None
    return request if request.HasField("rerun_script") else None
