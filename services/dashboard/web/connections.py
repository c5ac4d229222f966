"""Connections that cannot be held open: each request arrives, and each response leaves, within a deadline.

uvicorn waits for a request's head as long as the client likes. A thousand connections without one would take every file
descriptor, so the oldest makes place for a new one.
"""

import asyncio
import resource
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HTTP_CONNECTIONS: Final = 128
"""At most, besides one WebSocket per viewer. A browser opens six."""

_OTHER_FILES: Final = 128


class BoundedConnection(H11Protocol):
    """A connection until it becomes a WebSocket. `limit_concurrency` of uvicorn is the limit of all connections."""

    request_seconds: ClassVar = 10.0
    """For a request's head; a browser sends it at once."""

    response_seconds: ClassVar = 120.0
    """For a request's body and response; plotly.js is 1.4 MB."""

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


def connection_limit(viewers: int) -> int:
    """How many connections `viewers` pages need."""
    return viewers + HTTP_CONNECTIONS


def raise_file_limit(connections: int) -> int:
    """Allow this process files for so many connections, as far as the machine does; returns how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_FILES)
