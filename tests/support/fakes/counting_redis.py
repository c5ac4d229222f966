"""A Redis that counts round trips and a clock that the test sets, for the dashboard's readers.

A test module imports the fixtures that it uses.
"""

import threading
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_795_348_800_000

    def tell_ms(self) -> int:
        return self.now_ms

    def tell_seconds(self) -> float:
        return self.now_ms / 1000

    def pass_seconds(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


class CountingRedis(fakeredis.FakeRedis):
    """Counts round trips. With a `gate` it hangs until the gate opens."""

    round_trips = 0
    gate: threading.Event | None = None

    def pipeline(self, *args: Any, **options: Any) -> Any:
        self.round_trips += 1
        if self.gate is not None:
            assert self.gate.wait(20)
        return super().pipeline(*args, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
def client(server: fakeredis.FakeServer) -> Iterator[CountingRedis]:
    with CountingRedis(server=server) as counting:
        yield counting
