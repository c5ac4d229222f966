"""Connections that strangers open to the health port and never use: half-open, slow, or with a head without end."""

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.polling import eventually
from tests.support.servers.server_process import free_port

FILES = 200
"""The limit of the attacked process: fewer than the attack opens, more than the endpoint may use."""

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
with health_endpoint(Health("aggregate"), {port}):
    print("ready", flush=True)
    for _ in sys.stdin:
        files = [open("/dev/null") for _ in range(48)]  # as RocksDB does at any time
        print(len(files), flush=True)
        for file in files:
            file.close()
"""


@pytest.fixture
def port() -> Iterator[int]:
    """The health port of a process with few files, which still works at the end of the attack."""
    number = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(files=FILES, port=number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield number
            assert status(number) == 200
            process.stdin.write("open files\n")
            process.stdin.flush()
            assert process.stdout.readline() == "48\n"
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()


def status(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
        assert answer.headers["Connection"] == "close"
        return int(answer.status)


def open_connections(stack: ExitStack, port: int, number: int, sent: bytes) -> list[socket.socket]:
    opened = []
    for _ in range(number):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        connection.sendall(sent)
        opened.append(connection)
    return opened


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nX: y"], ids=["silent", "line", "head"])
def test_half_open_connections_leave_the_process_its_files(port: int, sent: bytes, long: bool) -> None:
    with ExitStack() as stack:
        open_connections(stack, port, 900 if long else 300, sent)
        assert status(port) == 200


def test_a_slow_head_ends_after_seconds(port: int) -> None:
    with ExitStack() as stack:
        (slow,) = open_connections(stack, port, 1, b"GET /health HTTP/1.1\r\n")
        eventually(lambda: not _accepts(slow, b"X: y\r\n"), "the connection closed")


def _accepts(connection: socket.socket, line: bytes) -> bool:
    try:
        connection.sendall(line)
    except OSError:
        return False
    return True


def test_a_head_without_end_is_refused(port: int) -> None:
    with ExitStack() as stack:
        (connection,) = open_connections(stack, port, 1, b"GET /health HTTP/1.1\r\n")
        refused = b""
        try:
            for _ in range(1000):
                connection.sendall(b"X: " + b"y" * 60_000 + b"\r\n")
            refused = connection.recv(100)
        except OSError:
            return  # closed before all of it was sent
        assert refused.startswith(b"HTTP/1.1 431") or not refused


def test_other_requests_get_an_answer(port: int) -> None:
    for request_line, expected in (
        (b"POST /health HTTP/1.1", b"405"),
        (b"GET /other HTTP/1.1", b"404"),
        (b"nonsense", b"400"),
        (b"\xff \xff \xff", b"400"),
        (b"GET /health HTTP/1.0", b"200"),
    ):
        with ExitStack() as stack:
            (connection,) = open_connections(stack, port, 1, request_line + b"\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 " + expected)
