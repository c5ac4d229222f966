"""The appender: one call for all that waits, bounded memory, and 503 while the log is away."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import fakeredis
import pytest
from structlog.testing import capture_logs

from services.collect.appender import Appender, Outgoing, Unavailable
from services.collect.clicks import Click
from services.collect.visitor import identity_of
from shared.events.dead_letters import NewDeadLetter
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.dependency import Dependency
from shared.status.health import Health
from shared.streams.event_log import NewRecord, Refused
from tests.support import own_loop
from tests.support.fakes.memory_producer import MemoryProducer

Send = Callable[[Appender], Any]


class Gate(MemoryProducer):
    """A log that acknowledges nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened, self.entered = Event(), Event()
        self.calls: list[int] = []

    def send(self, records: Sequence[NewRecord]) -> None:
        self.entered.set()
        assert self.opened.wait(30)
        self.calls.append(len(records))
        super().send(records)


def clicks(number: int = 1) -> Outgoing:
    return Outgoing([Click(timestamp=0, url="https://shop.example/") for _ in range(number)], ["somebody"] * number)


def run(producer: MemoryProducer, use: Send, health: Health | None = None, **options: Any) -> Any:
    """Call `use` with a started appender, in an event loop."""
    health = health or Health("collect")
    ready = Event()
    appender = Appender(
        producer,
        "click-data",
        lambda nameless: [f"visitor of {click.userId}" for click in nameless],
        log=Dependency("the log", health, "log"),
        redis=Dependency("Redis", health, "redis"),
        health=health,
        on_ready=ready.set,
        **options,
    )
    appender.start()
    assert ready.wait(30)
    try:
        return own_loop.run(use(appender))
    finally:
        appender.stop()


async def outcome(appender: Appender, outgoing: Outgoing) -> str:
    try:
        await appender.append(outgoing)
    except Unavailable as unavailable:
        return unavailable.reason
    return "accepted"


def test_requests_that_wait_share_the_next_call() -> None:
    gate = Gate()

    async def use(appender: Appender) -> list[str]:
        first = asyncio.create_task(outcome(appender, clicks()))
        await asyncio.to_thread(gate.entered.wait, 30)
        others = [asyncio.create_task(outcome(appender, clicks(2))) for _ in range(10)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (first, *others))
        gate.opened.set()
        return await asyncio.gather(first, *others)

    assert run(gate, use) == ["accepted"] * 11
    assert gate.calls == [1, 20]
    assert {event["userId"] for event in gate.events} == {"visitor of somebody"}


def test_a_request_that_fails_afterwards_fails_alone() -> None:
    gate = Gate()

    def fail(_: Unavailable | None) -> None:
        raise ZeroDivisionError

    async def use(appender: Appender) -> str:
        first = asyncio.create_task(outcome(appender, clicks()))
        await asyncio.to_thread(gate.entered.wait, 30)
        appender.submit(clicks(), fail)
        shares_its_call = asyncio.create_task(outcome(appender, clicks()))
        gate.opened.set()
        await first
        return await asyncio.wait_for(shares_its_call, 30)

    with capture_logs() as logs:
        assert run(gate, use) == "accepted"
    assert [line["event"] for line in logs] == ["a request failed after its call to the log"]


def test_more_than_may_wait_is_refused_at_once() -> None:
    gate = Gate()

    async def use(appender: Appender) -> list[str]:
        first = asyncio.create_task(outcome(appender, clicks()))
        await asyncio.to_thread(gate.entered.wait, 30)
        waiting = asyncio.create_task(outcome(appender, clicks(3)))
        await asyncio.sleep(0)
        refused = await outcome(appender, clicks())
        gate.opened.set()
        return [refused, *await asyncio.gather(first, waiting)]

    assert run(gate, use, most_waiting_bytes=1_600) == ["overloaded", "accepted", "accepted"]


def test_dead_letters_wait_within_the_same_limit() -> None:
    gate = Gate()
    large = Outgoing([], [], [NewDeadLetter("click-data-dlq", None, bytes(1_000), ())])

    async def use(appender: Appender) -> list[str]:
        first = asyncio.create_task(outcome(appender, clicks()))
        await asyncio.to_thread(gate.entered.wait, 30)
        waiting = asyncio.create_task(outcome(appender, large))
        await asyncio.sleep(0)
        refused = await outcome(appender, large)
        gate.opened.set()
        return [refused, *await asyncio.gather(first, waiting)]

    assert run(gate, use, most_waiting_bytes=1_600) == ["overloaded", "accepted", "accepted"]


def test_while_the_log_is_away_all_but_a_probe_are_refused_at_once() -> None:
    producer, health = MemoryProducer(outages=1), Health("collect")

    async def use(appender: Appender) -> list[str]:
        first = await outcome(appender, clicks())
        assert not health.is_working("log")
        at_once = await outcome(appender, clicks())
        await asyncio.sleep(0.6)
        return [first, at_once, await outcome(appender, clicks()), await outcome(appender, clicks())]

    assert run(producer, use, health) == ["log_unavailable", "log_unavailable", "accepted", "accepted"]
    assert health.is_working("log")
    assert len(producer.events) == 2


def test_an_error_of_ours_ends_the_process_and_accepts_nothing() -> None:
    class Broken(MemoryProducer):
        def send(self, records: Sequence[NewRecord]) -> None:  # noqa: ARG002
            raise ZeroDivisionError

    ended = Event()

    async def use(appender: Appender) -> tuple[list[str], Exception | None]:
        return [await outcome(appender, clicks()), await outcome(appender, clicks())], appender.ended

    outcomes, error = run(Broken(), use, on_end=ended.set)
    assert outcomes == ["log_unavailable", "log_unavailable"]
    assert isinstance(error, ZeroDivisionError)
    assert ended.is_set()


def test_a_log_that_refuses_clicks_is_reported() -> None:
    class Strict(MemoryProducer):
        def send(self, records: Sequence[NewRecord]) -> None:
            raise Refused("policy violation", records)

    health = Health("collect")

    async def use(appender: Appender) -> str:
        return await outcome(appender, clicks())

    assert run(Strict(), use, health) == "log_unavailable"
    assert "policy violation" in health.troubles()["log"].reason


@pytest.mark.parametrize("replicas", [1, 2])
def test_midnight_cuts_no_session_and_the_next_one_is_a_strangers(replicas: int) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    midnight_ms = int(midnight.timestamp() * 1000)
    server, now_ms = fakeredis.FakeServer(), [0]
    own = [
        Pseudonyms(fakeredis.FakeRedis(server=server), "", "daily", None, lambda: now_ms[0], "collect")
        for _ in range(replicas)
    ]
    visitors = []
    for turn, minutes in enumerate((-10, 5, 25, 50, 81)):
        now_ms[0] = midnight_ms + minutes * 60_000
        click = Click(timestamp=now_ms[0], userId=identity_of("203.0.113.7", "Firefox", "shop.example"))
        visitors += own[turn % replicas].of([click])
    assert visitors[:4] == [visitors[0]] * 4
    assert visitors[4] != visitors[0]
    keys = fakeredis.FakeRedis(server=server)
    lives_ms = keys.pexpiretime(f"collect:salt:{(midnight - timedelta(days=1)).date()}")
    assert lives_ms == midnight_ms + 24 * 3_600_000
    assert time.time() * 1000 < lives_ms
