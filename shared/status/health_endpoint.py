"""The health endpoint: health and metrics over HTTP, in a thread that strangers can neither fill nor hold up.

| path | answer |
|---|---|
| `/health` | the parts that fail or are degraded, as JSON; 503 while one fails |
| `/readyz` | the same: whether the service can work now. For load balancers and rollouts |
| `/livez` | 200 while the process answers, whatever it waits for. For restarts: none brings a dependency back |
| `/metrics` | Prometheus's text format |
"""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from threading import Thread
from typing import Final

from shared.runtime.listening import listen
from shared.status.health import Health

_MOST_CONNECTIONS: Final = 32
"""Beyond it the oldest connection is closed, so that a probe, which takes milliseconds, is always answered."""
_REQUEST_SECONDS: Final = 3.0
"""From the connection to the end of the answer, however slowly a client sends or reads."""
_LONGEST_HEAD_BYTES: Final = 8192
_JSON: Final = "application/json"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_ACCEPTED_AT_ONCE: Final = 64  # so that a burst uses at most this many files above the limit


@contextmanager
def health_endpoint(
    health: Health, port: int, address: str = "127.0.0.1", metrics: Callable[[], bytes] | None = None
) -> Iterator[None]:
    """Serve the paths above on `address` and `port` while the block runs. `metrics` is called in the endpoint's thread.

    Port 0 serves nothing. Raises ConfigurationError when the port is taken or the address is not of this machine.
    """
    if port == 0:
        yield
        return
    listening = listen(address, port, "HEALTH", example_port=8081)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    endpoint = _Endpoint(health, metrics)
    thread = Thread(target=lambda: loop.run_until_complete(endpoint.serve(listening, stop)), name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class _Endpoint:
    """Lives in its event loop."""

    def __init__(self, health: Health, metrics: Callable[[], bytes] | None) -> None:
        self._health = health
        self._metrics = metrics
        self._open: dict[asyncio.StreamWriter, None] = {}  # oldest first

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(
            self._converse, sock=listening, limit=_LONGEST_HEAD_BYTES, backlog=_ACCEPTED_AT_ONCE
        )
        await stop.wait()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        while self._open:
            await asyncio.sleep(0)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            next(iter(self._open)).transport.abort()
        self._open[writer] = None
        try:
            with suppress(OSError, EOFError, TimeoutError):  # it hung up, or took too long
                async with asyncio.timeout(_REQUEST_SECONDS):
                    writer.write(self._answer(await _request_line(reader)))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            writer.transport.abort()
            del self._open[writer]

    def _answer(self, request_line: bytes | None) -> bytes:
        if request_line is None:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        match request_line.split():
            case [b"GET", path, version] if version.startswith(b"HTTP/1."):
                return self._page(path.partition(b"?")[0])
            case [_, _, version] if version.startswith(b"HTTP/1."):
                return _response(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                return _response(HTTPStatus.BAD_REQUEST)

    def _page(self, path: bytes) -> bytes:
        if path in (b"/health", b"/readyz"):
            report = self._health.report()
            is_unhealthy = report["status"] == "unhealthy"
            return _response(HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK, report)
        if path == b"/livez":
            return _response(HTTPStatus.OK, {"service": self._health.service, "status": "live"})
        if path == b"/metrics" and self._metrics is not None:
            return _answer(HTTPStatus.OK, self._metrics(), _METRICS)
        return _response(HTTPStatus.NOT_FOUND)


async def _request_line(reader: asyncio.StreamReader) -> bytes | None:
    """The first line of a request, once its head has arrived; None when the head is too long."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return None
    return head.partition(b"\r\n")[0]


def _response(status: HTTPStatus, report: dict[str, object] | None = None) -> bytes:
    return _answer(status, json.dumps(report if report is not None else {"error": status.phrase}).encode(), _JSON)


def _answer(status: HTTPStatus, body: bytes, content_type: str) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
