"""What the appender says of an outage: at its start, during it, and at its end although no click comes."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Self

import pytest
import redis

from services.collect.appender import Appender, Outgoing, Unavailable
from services.collect.clicks import Click
from shared.runtime.dependency import Dependency
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Producer, Refused
from tests.support import own_loop
from tests.support.polling import eventually


class Log(Producer):
    """A log and a Redis that fail on request, and may answer slowly."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.redis_error: Exception | None = None
        self.calls = 0
        self.may_answer = Event()
        self.may_answer.set()
        self.probes = 0

    def send(self, records: Sequence[NewRecord]) -> None:
        assert records
        assert self.may_answer.wait(10)
        self.prepare()
        self.calls += 1

    def prepare(self) -> None:
        self.probes += 1
        if self.error is not None:
            raise self.error

    def ping_redis(self) -> None:
        if self.redis_error is not None:
            raise self.redis_error

    def pseudonyms_of(self, clicks: Sequence[Click]) -> Sequence[str]:
        self.ping_redis()
        return ["pseudonym" for _ in clicks]

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def running(
    log: Log, health: Health, most_waiting_bytes: int = 1 << 20, on_end: Callable[[], None] = lambda: None
) -> Iterator[Appender]:
    durations: list[float] = []
    ready = Event()
    appender = Appender(
        log,
        "click-data",
        log.pseudonyms_of,
        Dependency("the event log", health, "log"),
        Dependency("Redis", health, "redis"),
        health=health,
        prepare=log.prepare,
        ping_redis=log.ping_redis,
        observe_seconds=durations.append,
        on_ready=ready.set,
        on_end=on_end,
        most_waiting_bytes=most_waiting_bytes,
        full_seconds=0.2,
    )
    appender.start()
    assert ready.wait(10)
    try:
        yield appender
    finally:
        log.error = None
        log.may_answer.set()
        appender.stop()
    assert len(durations) == log.calls


def outgoing(count: int = 1) -> Outgoing:
    return Outgoing([Click(timestamp=1, url="https://shop.example/") for _ in range(count)], ["who"] * count)


def append(appender: Appender) -> str:
    """Append a click; returns `accepted` or the reason."""
    try:
        own_loop.run(appender.append(outgoing()))
    except Unavailable as error:
        return error.reason
    return "accepted"


def test_the_end_of_an_outage_of_the_log_is_noticed_without_a_click() -> None:
    log, health = Log(), Health("collect")
    with running(log, health) as appender:
        assert append(appender) == "accepted"
        log.error = LogUnavailable("gone")
        assert append(appender) == "log_unavailable"
        assert not health.is_working("log")
        before = log.probes
        eventually(lambda: log.probes > before + 1, "asked again")
        assert not health.is_working("log")
        log.error = None
        eventually(lambda: health.is_working("log"), "ready again, though nobody sent a click")
        eventually(lambda: appender.is_accepting, "accepting", 10)
        assert append(appender) == "accepted"


def test_the_end_of_an_outage_of_redis_is_noticed_without_a_click() -> None:
    log, health = Log(), Health("collect")
    with running(log, health) as appender:
        log.redis_error = redis.ConnectionError("gone")
        assert append(appender) == "log_unavailable"
        assert not health.is_working("redis")
        assert health.is_working("log")
        log.redis_error = None
        eventually(lambda: health.is_working("redis") and appender.is_accepting, "ready again", 10)
        assert append(appender) == "accepted"


def test_a_log_that_answers_but_takes_no_clicks_stays_failing_until_it_takes_one() -> None:
    log, health = Log(), Health("collect")
    with running(log, health) as appender:
        log.error = Refused("too large", [])
        assert append(appender) == "log_unavailable"
        log.error = None  # asking whether it answers would say that all is well
        assert not Event().wait(1.2)
        assert not health.is_working("log")
        assert append(appender) == "accepted"
        assert health.is_working("log")


def test_too_many_waiting_clicks_degrade_the_service_until_none_is_refused_for_a_while() -> None:
    log, health = Log(), Health("collect")

    async def flood(appender: Appender) -> list[str]:
        first = asyncio.create_task(appender.append(outgoing()))  # the thread waits for the log with it
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(appender.append(outgoing(2))) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert health.report()["status"] == "degraded"
        log.may_answer.set()
        await first
        return [str(answer) for answer in await asyncio.gather(*waiting, return_exceptions=True)]

    with running(log, health, most_waiting_bytes=1500) as appender:
        log.may_answer.clear()
        assert own_loop.run(flood(appender)) == ["None", "overloaded"]
        eventually(lambda: health.is_working("waiting") and not health.troubles(), "caught up")
        assert append(appender) == "accepted"


def test_an_unexpected_error_is_not_taken_for_an_outage() -> None:
    log, health, ended = Log(), Health("collect"), Event()
    with running(log, health, on_end=ended.set) as appender:
        log.error = ZeroDivisionError()
        with pytest.raises(Unavailable):
            own_loop.run(appender.append(outgoing()))
        assert ended.wait(10)
        assert isinstance(appender.ended, ZeroDivisionError)
