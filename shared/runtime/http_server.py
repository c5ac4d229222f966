"""uvicorn, embedded: it listens, and ends when the process is asked to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, Final

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_IDLE_SECONDS: Final = 30
"""A connection without a request is closed after it."""

_STOP_SECONDS: Final = 4
"""Requests in progress have so long when the process stops."""

_POLL_SECONDS: Final = 0.25

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _ImpatientProtocol(HttpToolsProtocol):
    """Notes since when a request is awaited, or incomplete, and turns away connections beyond the limit.

    uvicorn's own limit refuses requests on every connection, and counts none of them.
    """

    incomplete_since: float | None = None  # of the loop's clock

    def __init__(self, *args: Any, most_connections: int, turn_away: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most_connections, self._turn_away = most_connections, turn_away

    def connection_made(self, transport: Any) -> None:
        """The first request is awaited."""
        self.incomplete_since = self.loop.time()
        super().connection_made(transport)
        if len(self.connections) > self._most_connections:
            self.app = self._turn_away

    def on_message_begin(self) -> None:
        """A request begins, on a new connection or one that was kept."""
        self.incomplete_since = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Head and body are there."""
        self.incomplete_since = None
        super().on_message_complete()


def _cut_off_slow(connections: Iterable[Any], before: float) -> None:
    """Close connections whose request is incomplete since an instant before this one."""
    for connection in list(connections):
        since = connection.incomplete_since
        if since is not None and since < before:
            connection.transport.write(_TOO_SLOW)
            connection.transport.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`run_process` takes signals."""
        yield


def serve(
    app: Any,
    turn_away: Any,
    listening: socket.socket,
    stop: Event,
    *,
    most_connections: int = 4_096,
    request_seconds: float = 10.0,
    stop_seconds: int = _STOP_SECONDS,
    at_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer requests until `stop` is set, and then those in progress for up to `stop_seconds`. Then call `at_end`.

    The application `turn_away` answers on connections beyond `most_connections`. A request that takes longer than
    `request_seconds` to arrive is answered with 408.
    """
    protocol: Any = partial(_ImpatientProtocol, most_connections=most_connections, turn_away=turn_away)
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=stop_seconds,
        ws="none",
    )
    server = _Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not stop.is_set() and not serving.done():
            await asyncio.sleep(_POLL_SECONDS)
            _cut_off_slow(server.server_state.connections, asyncio.get_running_loop().time() - request_seconds)
        server.should_exit = True
        await serving
        if at_end is not None:
            await at_end()

    uvloop.run(run())
