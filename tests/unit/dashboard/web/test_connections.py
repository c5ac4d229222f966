"""Connections to a real uvicorn that a client opens and does not use."""

import random
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from websockets.exceptions import ConnectionClosedError
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from services.dashboard.web.connections import BoundedConnection, WebSocketConnection, viewers_of_files
from tests.support.polling import eventually
from tests.support.servers.counting_relay import relaying

LIMIT = 20
LARGEST = 100_000
HEADER = ("X-Of-All", "responses")
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Patient(BoundedConnection):
    """Only the limit closes its connections."""

    request_seconds: ClassVar = 3600.0


class Hasty(BoundedConnection):
    """Closes overdue connections at once."""

    request_seconds: ClassVar = 0.2
    response_seconds: ClassVar = 0.2


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with more than fits into the buffers of a connection, at /large; echoes messages at /echo."""
    if scope["type"] == "websocket" and scope["path"] == "/echo":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        return
    if scope["type"] == "websocket":
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"refused"})
        return
    assert scope["path"] != "/fails"
    large = PlainTextResponse("x" * 40_000_000 if scope["path"] == "/large" else "ok")
    await large(scope, receive, send)


@contextmanager
def serving(protocol: type[BoundedConnection]) -> Iterator[int]:
    config = uvicorn.Config(
        app,
        http=protocol,
        ws=WebSocketConnection,
        limit_concurrency=LIMIT,
        headers=[HEADER],
        lifespan="off",
        ws_max_size=LARGEST,
        log_config=None,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            eventually(lambda: server.started, "the server")
            yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def ask(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return bytes(answer.read())


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_the_oldest_silent_connections_make_place_for_requests() -> None:
    with serving(Patient) as port, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5 * LIMIT)]
        for _ in range(3):
            assert ask(port) == b"ok"
        eventually(lambda: sum(map(is_closed, idle)) >= 4 * LIMIT, "closing")
        assert all(map(is_closed, idle[: 3 * LIMIT]))  # uvloop may take those that come at once out of order


def test_a_connection_with_a_request_outlives_silent_ones() -> None:
    with serving(Patient) as port, ExitStack() as stack:
        reading = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        reading.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reading.recv(10)
        for _ in range(3 * LIMIT):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert ask(port) == b"ok"
        assert not is_closed(reading)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: local",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost",  # the second of a connection
        b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",  # and the client does not read
    ],
)
def test_an_overdue_connection_is_closed(sent: bytes) -> None:
    with serving(Hasty) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)

        def is_reset() -> bool:
            """Whether the server closed it; sending shows that without reading."""
            try:
                connection.sendall(b"x")
            except OSError:
                return True
            return False

        eventually(is_reset, "the end of the connection")
        assert ask(port) == b"ok"


@pytest.mark.parametrize(("files", "viewers"), [(1_024, 96), (1_040, 100), (65_536, 100), (256, 1), (0, 1)])
def test_there_are_no_more_viewers_than_files(files: int, viewers: int) -> None:
    assert viewers_of_files(files, 100) == viewers


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (200, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        (500, b"GET /fails HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        (400, b"GARBAGE\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n"),
        (403, HANDSHAKE),
        (405, HANDSHAKE.replace(b"GET", b"POST")),
        (403, HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0")),
        (400, HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key")),
        (400, HANDSHAKE.replace(b"==", b"")),
        (400, HANDSHAKE.replace(b"13", b"12")),
    ],
)
def test_every_response_has_the_headers(status: int, sent: bytes) -> None:
    with serving(BoundedConnection) as port, socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(sent)
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65_536)
            assert received, head
            head += received
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert head.lower().count(b"x-of-all: responses\r\n") == 1


def test_what_is_sent_again_takes_next_to_nothing() -> None:
    message = random.Random(7).randbytes(30_000)  # of the size of a page's refresh; does not compress by itself
    with serving(BoundedConnection) as port, relaying(port) as (relay, traffic), connect_to(relay) as viewer:
        sizes = []
        for _ in range(3):
            before = traffic.down
            viewer.send(message)
            assert viewer.recv(timeout=60) == message
            sizes.append(traffic.down - before)
    assert sizes[0] >= len(message)
    assert max(sizes[1:]) < 500


def test_a_message_that_unpacks_to_too_much_closes_the_connection() -> None:
    with serving(BoundedConnection) as port, connect_to(port) as viewer:
        viewer.send(b"0" * 10 * LARGEST)
        with pytest.raises(ConnectionClosedError):
            viewer.recv(timeout=60)
        assert viewer.close_code == CloseCode.MESSAGE_TOO_BIG


def connect_to(port: int) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/echo", compression="deflate", open_timeout=60)
