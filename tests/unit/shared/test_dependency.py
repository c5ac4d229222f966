"""A dependency that is unavailable for a while: waiting for it, its part of the health, its log lines."""

from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from shared.runtime.dependency import Dependency, Stopped
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable


class Away(LogUnavailable):
    """What the dependency raises while it is unavailable."""


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise Away("nobody there")
        return "here"


def test_waits_until_the_dependency_answers_and_logs_both_ends() -> None:
    with capture_logs() as lines:
        answer = Dependency("Redis at x:1").wait_for(Flaky(failures=2), Away, Event())
    assert answer == "here"
    assert [(line["event"], line["dependency"]) for line in lines] == [
        ("waiting", "Redis at x:1"),  # once, not at every try
        ("available again", "Redis at x:1"),
    ]


def test_an_outage_has_a_line_at_either_end_and_one_for_a_refusal() -> None:
    refused = ["connection refused"] * 120
    failures = ["timed out after 12 ms", *refused, "wrong password", "timed out after 9 ms", "wrong password"]

    def call() -> None:
        if failures:
            raise Away(failures.pop(0))

    with capture_logs() as lines:
        dependency = Dependency("Redis")
        for _ in range(len(failures) + 1):
            try:
                call()
            except Away as error:
                dependency.failed(error, "waiting")
            else:
                dependency.answered()
    logged = [(line["error"], line["attempt"]) for line in lines if line["event"] == "waiting"]
    assert logged == [("timed out after 12 ms", 1), ("wrong password", 122)]


def test_the_end_of_an_outage_says_how_long_it_was() -> None:
    clock = iter([100.0, 172.25])
    dependency = Dependency("Redis", elapsed_seconds=lambda: next(clock))
    with capture_logs() as lines:
        dependency.failed("away", "waiting")
        dependency.failed("still away", "reading is paused")
        dependency.answered()
        dependency.answered()
    assert [(line["event"], line.get("seconds")) for line in lines] == [("waiting", None), ("available again", 72.2)]


def test_stop_ends_the_wait() -> None:
    stop = Event()
    outcome: list[type[BaseException]] = []

    def wait() -> None:
        try:
            Dependency("x").wait_for(Flaky(failures=10**9), Away, stop)
        except Stopped as stopped:
            outcome.append(type(stopped))

    thread = Thread(target=wait)
    thread.start()
    stop.set()
    thread.join(timeout=5)
    assert outcome == [Stopped]


def test_other_exceptions_are_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        Dependency("x").wait_for(lambda: 1 / 0, Away, Event())


def test_health_fails_during_the_wait() -> None:
    health = Health("enrich")
    reports = []

    def call() -> None:
        reports.append(health.report()["failures"])
        if len(reports) == 1:
            raise Away("refused")

    Dependency("Redis at x:1", health, "redis").wait_for(call, Away, Event())
    assert reports == [{}, {"redis": "Redis at x:1 is unavailable: refused; waiting"}]
    assert health.report()["status"] == "healthy"


def test_an_outage_is_logged_at_its_start_and_at_its_end() -> None:
    disk = Dependency("the disk")
    with capture_logs() as lines:
        disk.answered()
        for _ in range(2):
            disk.failed("full", "reading is paused")
            disk.failed("full", "reading is paused")
            assert not disk.is_available
            disk.answered()
            disk.answered()
            assert disk.is_available
    assert [line["event"] for line in lines] == ["reading is paused", "available again"] * 2


def test_optional_dependency_degrades() -> None:
    health = Health("enrich")
    redis = Dependency("Redis", health, "lookups", is_optional=True)
    redis.failed("refused", "continuing without it")
    assert health.report()["status"] == "degraded"
    redis.answered()
    assert health.report()["status"] == "healthy"
