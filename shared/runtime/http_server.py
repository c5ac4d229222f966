"""uvicorn, embedded: it listens, and ends when the process is asked to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, Final, Protocol

import uvicorn
import uvloop
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_IDLE_SECONDS: Final = 30
"""A connection without a request is closed after it."""

_UNREAD_SECONDS: Final = 60.0
"""A connection whose client reads nothing of its answer is closed after it."""

_STOP_SECONDS: Final = 4
"""Requests in progress have so long when the process stops."""

_POLL_SECONDS: Final = 0.25

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_LONGEST_HEAD: Final = 131_072
"""In bytes, and of trailers: twice the longest URL. All are kept, and a tiny field takes 20 times as much memory."""

_MOST_FIELDS: Final = 200
"""Of a head and its trailers."""

_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


class Direct(Protocol):
    """Answers some requests without a task for each, which is a quarter of what the server costs."""

    def is_direct(self, scope: Any) -> bool:
        """Whether it answers the request. Others go to the application."""

    def answer_directly(self, scope: Any, body: bytes, respond: Callable[[int, bytes, bytes], None]) -> None:
        """Call `respond` once, now or later, in the event loop, with the status, the lines of the head and the body."""


class _ImpatientProtocol(HttpToolsProtocol):
    """Notes since when a request is awaited, or incomplete. Turns away large heads, and connections beyond the limit.

    uvicorn's own limit refuses requests on every connection, and counts none of them.

    Requests that `direct` answers wait here for their body. If it is large, or never comes, or the client does not read
    its answers, the application gets them, whose task can wait.
    """

    incomplete_since: float | None = None  # of the loop's clock
    unread_since = 0.0  # same
    _unread_bytes = 0

    def __init__(self, *args: Any, most_connections: int, turn_away: Any, direct: Direct | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most_connections, self._turn_away, self._direct = most_connections, turn_away, direct
        self._pending: RequestResponseCycle | None = None  # of which the body is awaited
        self._head_bytes = 0  # received of a head or of trailers, which are incomplete

    def connection_made(self, transport: Any) -> None:
        """The first request is awaited."""
        self.incomplete_since = self.loop.time()
        super().connection_made(transport)
        if len(self.connections) > self._most_connections:
            self.app, self._direct = self._turn_away, None

    def data_received(self, data: bytes) -> None:
        """What arrives is parsed, unless it is too long a head."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _LONGEST_HEAD or len(self.headers or ()) > _MOST_FIELDS:
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def note_unread(self, now: float) -> None:
        """Note since when the client has read nothing of what was sent to it."""
        unread = self.transport.get_write_buffer_size()
        if not unread or unread != self._unread_bytes:
            self.unread_since = now
        self._unread_bytes = unread

    def connection_lost(self, exc: Exception | None) -> None:
        """The application learns from the request that its client has left."""
        super().connection_lost(exc)
        self._give_up_pending()

    def on_message_begin(self) -> None:
        """A request begins, on a new connection or one that was kept."""
        self._head_bytes = 0
        self.incomplete_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_bytes = 0
        if len(self.headers) > _MOST_FIELDS:
            self.app, self._direct = _refuse_head, None
            self.headers.clear()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Head and body are there."""
        self._head_bytes = 0
        self.incomplete_since = None
        super().on_message_complete()
        if self._pending is not None and self._pending is self.cycle:
            self._answer_directly(self._pending)

    def on_body(self, body: bytes) -> None:
        """uvicorn stops reading at a size, until the application asks for more."""
        self._head_bytes = 0
        super().on_body(body)
        if self._pending is not None and len(self._pending.body) > HIGH_WATER_LIMIT:
            self._give_up_pending()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._direct is None or cycle.waiting_for_100_continue or not self._direct.is_direct(cycle.scope):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._pending = cycle
        else:  # it waited for the one before it
            self._answer_directly(cycle)

    def _give_up_pending(self) -> None:
        if self._pending is not None:
            cycle, self._pending = self._pending, None
            super()._start_asgi_task(cycle, self.app)

    def _answer_directly(self, cycle: RequestResponseCycle) -> None:
        self._pending = cycle
        if self._direct is None or self.flow.write_paused or len(cycle.body) > HIGH_WATER_LIMIT:
            self._give_up_pending()
            return
        self._pending = None
        self._direct.answer_directly(cycle.scope, bytes(cycle.body), partial(self._respond, cycle))

    def _respond(self, cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> None:
        if cycle.disconnected or self.transport.is_closing():
            return
        content = [STATUS_LINE[status]]
        content += [b"%s: %s\r\n" % header for header in cycle.default_headers]
        if not cycle.keep_alive:
            content.append(b"connection: close\r\n")
        content += (head, b"\r\n", body)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # else connection and request would refer to each other, as uvicorn knows
        self.transport.write(b"".join(content))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None:
    pass


async def _refuse_head(_scope: Any, _receive: Any, send: Any) -> None:
    """The application of a connection whose head has too many fields."""
    headers = [(b"connection", b"close"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body"})


def _cut_off_slow(connections: Iterable[Any], now: float, request_seconds: float, unread_seconds: float) -> None:
    """Close connections whose request stays incomplete, or whose client does not read."""
    for connection in list(connections):
        connection.note_unread(now)
        since = connection.incomplete_since
        if since is not None and since < now - request_seconds:
            connection.transport.write(_TOO_SLOW)
            connection.transport.close()
        if connection.unread_since < now - unread_seconds:
            connection.transport.abort()


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
    unread_seconds: float = _UNREAD_SECONDS,
    stop_seconds: int = _STOP_SECONDS,
    at_start: Callable[[], None] | None = None,
    at_end: Callable[[], Awaitable[None]] | None = None,
    direct: Direct | None = None,
) -> None:
    """Answer requests until `stop` is set, and then those in progress for up to `stop_seconds`.

    `at_start` is called in the event loop before, and `at_end` after.

    `direct` answers the requests that it takes, `app` all others.

    The application `turn_away` answers on connections beyond `most_connections`. A request that takes longer than
    `request_seconds` to arrive is answered with 408, and one with too large a head with 431.
    A client that reads nothing of its answers for `unread_seconds` is disconnected.
    """
    protocol: Any = partial(_ImpatientProtocol, most_connections=most_connections, turn_away=turn_away, direct=direct)
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
        if at_start is not None:
            at_start()
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not stop.is_set() and not serving.done():
            await asyncio.sleep(_POLL_SECONDS)
            now = asyncio.get_running_loop().time()
            _cut_off_slow(server.server_state.connections, now, request_seconds, unread_seconds)
        server.should_exit = True
        await serving
        if at_end is not None:
            await at_end()

    uvloop.run(run())
