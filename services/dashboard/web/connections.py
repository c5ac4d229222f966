"""Connections that cannot be held open: each request arrives, and each response leaves, within a deadline.

uvicorn waits for a request's head as long as the client likes. A thousand connections without one would take every file
descriptor, so the oldest makes place for a new one.
"""

import asyncio
import resource
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Response

HTTP_CONNECTIONS: Final = 128
"""At most, besides one WebSocket per viewer. A browser opens six."""

_FILES_PER_VIEWER: Final = 4
"""A socket, and the event loop that Streamlit makes for the thread of a page."""

_OTHER_FILES: Final = HTTP_CONNECTIONS + 3 * 128 + 128
"""Connections without a viewer, the event loops of 128 closed pages that Streamlit keeps, and everything else."""


class BoundedConnection(H11Protocol):
    """A connection until it becomes a WebSocket. `limit_concurrency` of uvicorn is the limit of all connections."""

    request_seconds: ClassVar = 30.0
    """For a request's head; a browser sends it at once."""

    response_seconds: ClassVar = 120.0
    """For a request's body and response; plotly.js is 0.5 MB."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._since_s = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether there is no request to answer."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        self._make_place()
        super().connection_made(transport)
        self._expect(self.request_seconds)

    def data_received(self, data: bytes) -> None:
        was_waiting = self.is_waiting
        super().data_received(data)
        if was_waiting and not self.is_waiting:
            self._expect(self.response_seconds)

    def on_response_complete(self) -> None:
        super().on_response_complete()  # starts the next request if it was sent already
        self._expect(self.request_seconds if self.is_waiting else self.response_seconds)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._forget()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, with the headers of all responses."""
        own = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        headers = [*self.server_state.default_headers, *own]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for part in (response, h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection without waiting for the client to read."""
        self.connections.discard(self)
        self.transport.abort()

    def _expect(self, seconds: float) -> None:
        self._forget()
        if not self.transport.is_closing():
            self._since_s = self.loop.time()
            self._deadline = self.loop.call_later(seconds, self.drop)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_place(self) -> None:
        """Drop the connection that waits longest, or else the one that takes longest, if the limit is reached."""
        # One below the limit, at which uvicorn refuses requests.
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency - 1:
            return
        droppable = [other for other in self.connections if isinstance(other, BoundedConnection)]
        if droppable:
            min(droppable, key=lambda other: (not other.is_waiting, other._since_s)).drop()  # noqa: SLF001


_COMPRESSION: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=15,
    client_max_window_bits=12,  # a page sends hundreds of bytes
    compress_settings={"level": 5, "memLevel": 7},
)
"""Streamlit sends everything again at each refresh. Both sides remember the last 32 KB, so what is repeated takes next
to nothing; uvicorn's own setting remembers 4 KB. A viewer takes 192 KB of memory for it."""


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket that compresses across messages.

    A refused handshake has the headers of all responses, which uvicorn leaves out.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.available_extensions = [_COMPRESSION]
        answer = self.conn.send_response

        def answer_with_headers(response: Response) -> None:
            for name, value in self.default_headers:
                if name.decode() not in response.headers:
                    response.headers[name.decode()] = value.decode()
            answer(response)

        self.conn.send_response = answer_with_headers  # type: ignore[method-assign]  # every answer passes here


def viewers_with_files(viewers: int) -> int:
    """Allow this process the files for so many viewers, as far as the machine does; returns how many have them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_PER_VIEWER * viewers + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return viewers if soft == resource.RLIM_INFINITY else viewers_of_files(soft, viewers)


def viewers_of_files(files: int, viewers: int) -> int:
    """How many of the viewers so many files are enough for, at least one."""
    return max(1, min(viewers, (files - _OTHER_FILES) // _FILES_PER_VIEWER))
