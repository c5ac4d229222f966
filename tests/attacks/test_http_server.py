"""Heads without end, and answers that nobody reads, at an HTTP server of ours."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest

from shared.runtime.http_server import serve

HEAD = b"GET /?%s HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
ENDLESS_BYTES = 8_000_000


async def application(_scope: Any, receive: Any, send: Any) -> None:
    """Answers once the body is there."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def connected(answers: Any = application, **options: float) -> Iterator[socket.socket]:
    """A connection to a server that runs meanwhile."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, args=(answers, answers, listening, stop), kwargs=options)
        thread.start()
        try:
            with socket.create_connection(listening.getsockname()[:2], timeout=30) as client:
                yield client
        finally:
            stop.set()
            thread.join(30)
    assert not thread.is_alive()


def statuses(client: socket.socket) -> list[bytes]:
    """What it answers until it closes the connection."""
    said = b""
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            said += part
    return [line for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1")]


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        (HEAD % b"", b"a: b\r\n" * 1_000),
        (HEAD % b"" + b"X: ", b"a" * 65_536),
        (b"GET /?", b"a" * 65_536),
        (b"", b"\r\n" * 32_768),
        (CHUNKED, b"a: b\r\n" * 1_000),
        (CHUNKED + b"X: ", b"a" * 65_536),
    ],
    ids=["fields", "value", "address", "blank lines", "trailers", "trailer"],
)
def test_a_head_without_end_is_refused_at_once(beginning: bytes, part: bytes) -> None:
    with connected() as client:
        client.sendall(beginning)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.sendall(part * (ENDLESS_BYTES // len(part)))


def test_too_many_fields_that_arrive_at_once_are_refused() -> None:
    with connected() as client:
        client.sendall(HEAD % b"" + b"a: b\r\n" * 20_000 + b"\r\n")
        assert statuses(client) == [b"HTTP/1.1 431 Request Header Fields Too Large"]


def test_long_addresses_many_fields_and_many_requests_of_a_connection_are_answered() -> None:
    with connected() as client:
        for _ in range(5):
            client.sendall(HEAD % (b"a" * 60_000) + b"a: b\r\n" * 150 + b"\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n")
        client.sendall(b"x" * 300_000)
        assert statuses(client) == [b"HTTP/1.1 200 OK"]


def test_a_client_that_reads_nothing_of_its_answer_is_disconnected() -> None:
    has_left = Event()

    async def large(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 20_000_000, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        has_left.set()

    with connected(large, unread_seconds=0.5) as client:
        client.sendall(HEAD % b"" + b"\r\n")
        assert has_left.wait(30)
