"""Lets Streamlit send checksums in place of the elements that a page already has, but only while nobody uses the page.

With each request a page lists the elements that it keeps, and Streamlit sends checksums for those. At the end of a run
the page drops the elements that three runs have not shown, and that end may cross a request on the wire. The page then
lacks an element that it is told to show, and Streamlit's client disconnects for good ("Cached ForwardMsg MISS"). It
takes an element that comes back after a few runs, as when a viewer switches something there and back; refreshes show
the same elements every time.
"""

from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

REFRESHES_UNTIL_SETTLED: Final = 3
"""A page drops an element after this many runs without it: one more than `global.maxCachedMessageAge`, which is 2."""


class MessageCache:
    """ASGI middleware in front of Streamlit: removes that list from requests until a page only refreshes by itself."""

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
