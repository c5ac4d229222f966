"""The collector under hostile clients: slow requests, floods, bombs, crowds. Bounded, on loopback."""

import gzip
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.polling import eventually
from tests.support.servers.collector import Collector, running_collector

EVENT = {"url": "https://shop.example/"}
CROWD = 2_000 if os.environ.get("ATTACK_LONG") else 300


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, valkey_server_url: str) -> Iterator[Collector]:
    folder: Path = tmp_path_factory.mktemp("collector")
    options = {"COLLECT_REQUEST_SECONDS": "3", "COLLECT_EVENTS_PER_SECOND": "2", "TRUSTED_PROXIES": "127.0.0.1"}
    options["COLLECT_CONNECTIONS"] = str(CROWD + 50)
    with running_collector(folder, valkey_server_url, **options) as running:
        yield running


def connected(collector: Collector) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", collector.port), timeout=30)
    connection.settimeout(30)
    return connection


def answered(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    said = b""
    with suppress(OSError):
        while part := connection.recv(65_536):
            said += part
    return said


def one_answer(connection: socket.socket) -> bytes:
    """An answer with a JSON object on a connection that stays open."""
    said = b""
    while not said.endswith(b"}"):
        said += connection.recv(65_536)
    return said


def memory_mb(collector: Collector) -> float:
    status = Path(f"/proc/{collector.process_id}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def sends(collector: Collector, address: str) -> int:
    return collector.send(EVENT, headers={"X-Forwarded-For": address}).status


@pytest.mark.slow
def test_a_head_that_never_ends_is_cut_off(collector: Collector) -> None:
    with connected(collector) as slow, connected(collector) as silent:
        slow.sendall(b"POST /v1/events HTTP/1.1\r\nHost: a\r\n")
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 25:
                slow.sendall(b"X-Header: x\r\n")
                time.sleep(0.5)
        assert time.monotonic() - began < 15
        assert answered(silent).startswith(b"HTTP/1.1 408")
    assert sends(collector, "198.51.100.1") == 202


def test_a_body_that_takes_too_long_is_answered_408(collector: Collector) -> None:
    with connected(collector) as slow:
        slow.sendall(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{")
        assert b"408" in answered(slow).split(b"\r\n")[0]
    assert sends(collector, "198.51.100.1") == 202


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999999999\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\nConnection: close\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /%00%ff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
    ids=["absurd length", "too large", "negative", "two lengths", "long header", "TLS", "bytes in path", "no HTTP"],
)
def test_nonsense_is_a_4xx_or_a_closed_connection(collector: Collector, head: bytes) -> None:
    with connected(collector) as connection:
        with suppress(OSError):
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
        said = answered(connection)
    assert not said or said.startswith(b"HTTP/1.1 4"), said[:200]
    assert b"Traceback" not in said
    assert b"uvicorn" not in said
    assert sends(collector, "198.51.100.2") == 202


def test_bombs_are_refused_in_little_memory(collector: Collector) -> None:
    bomb = gzip.compress(gzip.compress(bytes(64 << 20)))
    before = memory_mb(collector)
    for _ in range(20):
        packed = gzip.compress(b"[" + b"{}," * (4 << 20) + b"{}]")
        headers = {"Content-Encoding": "gzip", "X-Forwarded-For": "198.51.100.3"}
        assert collector.send(packed, headers=headers).status == 413
        assert collector.send(bomb, headers=headers).status in (400, 413)
    many = json.dumps([EVENT] * 1_001).encode()
    reply = collector.send(many, headers={"X-Forwarded-For": "198.51.100.3"})
    assert (reply.status, reply.json()["error"]) == (413, "too_many_events")
    assert memory_mb(collector) < before + 60


def test_a_flood_from_one_address_is_answered_429_and_others_are_served(collector: Collector) -> None:
    statuses = [sends(collector, "198.51.100.4") for _ in range(200)]
    assert statuses[:20] == [202] * 20
    assert statuses[-1] == 429
    reply = collector.send(EVENT, headers={"X-Forwarded-For": "198.51.100.4"})
    assert int(reply.headers["retry-after"]) >= 1
    assert sends(collector, "198.51.100.5") == 202


def test_a_crowd_of_open_connections_is_served_and_more_are_turned_away(collector: Collector) -> None:
    before = memory_mb(collector)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connected(collector)) for _ in range(CROWD)]
        body = json.dumps(EVENT).encode()
        head = b"POST /v1/events HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.%d.%d\r\nContent-Length: %d\r\n\r\n"
        for number, connection in enumerate(crowd):
            connection.sendall(head % (number >> 8, number & 255, len(body)) + body)
        assert {one_answer(connection)[:12] for connection in crowd} == {b"HTTP/1.1 202"}
        for _ in range(60):
            stack.enter_context(connected(collector))
        turned_away = collector.collected().get("too_many_connections", 0)
        reply = collector.send(EVENT, headers={"X-Forwarded-For": "198.51.100.6"})
        assert (reply.status, reply.json()) == (503, {"error": "too_many_connections"})
        assert (reply.headers["retry-after"], reply.headers["connection"]) == ("2", "close")
        crowd[0].sendall(head % (9, 9, len(body)) + body)
        assert one_answer(crowd[0])[:12] == b"HTTP/1.1 202"  # who was there before is served
        eventually(
            lambda: collector.collected().get("too_many_connections") == turned_away + 1, "the request is counted"
        )
    assert memory_mb(collector) < before + 100
    eventually(lambda: sends(collector, "198.51.100.7") == 202, "it serves again")
