"""The tally logs few lines, whatever the number of events and dead letters."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.enrich.tally import Tally
from shared.events.refusals import Reason
from shared.status.gauges import Gauges


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def no_lag() -> dict[int, int]:
    pytest.fail("read the lag unnecessarily")


def lines(logs: Any) -> list[dict[str, Any]]:
    return [{name: field for name, field in line.items() if name != "log_level"} for line in logs]


def test_logs_the_first_dead_letter_at_once_and_later_ones_per_interval() -> None:
    clock = Clock()
    tally = Tally(clock)
    with capture_logs() as logs:
        for second in range(11):
            clock.now = second
            tally.add(1, [Reason.NOT_JSON, Reason.FUTURE, Reason.NOT_JSON])
            tally.report(no_lag)
    assert lines(logs) == [
        {"event": "dead letters", "so_far": 3, "future": 1, "not_json": 2},
        {"event": "dead letters", "so_far": 18, "future": 5, "not_json": 10},
        {"event": "dead letters", "so_far": 33, "future": 5, "not_json": 10},
    ]
    assert {line["log_level"] for line in logs} == {"warning"}


def test_logs_progress_once_a_minute_with_the_lag() -> None:
    clock = Clock()
    tally = Tally(clock)
    with capture_logs() as logs:
        for second in range(0, 121, 30):
            clock.now = second
            tally.add(10, [])
            tally.report(lambda: {0: 3, 1: 4})
    assert lines(logs) == [
        {"event": "enriched", "events": 30, "lag": 7},
        {"event": "enriched", "events": 20, "lag": 7},
    ]


def test_logs_the_rest_at_the_end() -> None:
    tally = Tally(Clock())
    with capture_logs() as logs:
        tally.add(5, [Reason.NOT_UTF8])
        tally.close()
    assert lines(logs) == [{"event": "dead letters", "so_far": 1, "not_utf8": 1}, {"event": "enriched", "events": 5}]


def test_idle_service_logs_nothing() -> None:
    clock = Clock()
    tally = Tally(clock)
    with capture_logs() as logs:
        clock.now = 1000
        tally.report(no_lag)
        tally.close()
    assert logs == []


def test_gauges_count_the_dead_letters_since_the_start() -> None:
    gauges = Gauges()
    tally = Tally(Clock(), gauges=gauges)
    tally.add(5, [Reason.NOT_UTF8, Reason.FUTURE])
    tally.add(5, [])
    tally.add(0, [Reason.FUTURE])
    assert gauges.dead_letters == {"not_utf8": 1, "future": 2}


def test_cache_hits_and_misses_only_grow() -> None:
    gauges = Gauges()
    tally = Tally(Clock(), gauges=gauges)
    tally.add(100, [], 30)
    assert gauges.lookups == {"hit": 70, "miss": 30}
    tally.add(1, [Reason.FUTURE] * 5, 36)  # five of those that were looked up became dead letters
    assert gauges.lookups == {"hit": 70, "miss": 31}
