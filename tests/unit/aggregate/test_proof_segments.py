"""Minute segments compared with the clicks of the log: which are due, and what differs."""

from dataclasses import replace
from typing import Any

import pytest

from services.aggregate.engine.segment_versions import OWNERS as ENGINES_OWNERS
from services.aggregate.proof.counted import CountedClicks
from services.aggregate.proof.segments import OWNERS, Expected, Segment, compared, still_there
from services.aggregate.rollups.segments import encode_segment
from services.aggregate.state.opening import resume
from shared.events.schema import EnrichedEvent
from shared.rollups.segment_keys import segment_field
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, fold
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import T, click

EXPECTED = Expected(now_s=T, kept_seconds=3600, oldest_s=T - 30_000, rebuilt_after_s=0)


def a_log(*events: EnrichedEvent) -> list[Arrived]:
    made = events or (
        click(T - 600, "ada", url="/a", productId="p1", category="books"),
        click(T - 590, "bob", url="/b", plus_ms=7),
        click(T - 300, "ada", url="/a", country="Kenya", deviceType="Bot"),
    )
    return [Arrived(event, event.timestamp + 10, 0, offset) for offset, event in enumerate(made)]


def segments_of(log: list[Arrived], most_events: int = 1000) -> dict[str, Segment]:
    """Those that the engine writes at T."""
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), T - 200)
    fold(partition, as_records(log))
    partition.advance(T)
    minutes = partition.completed_minutes()
    return {
        segment_field(minute, 0): Segment(version // OWNERS, encode_segment(chunks, minutes.names, most_events))
        for minute, (version, chunks) in minutes.minutes.items()
    }


def differences(segments: dict[str, Segment], log: list[Arrived], expected: Expected = EXPECTED) -> list[str]:
    counted = CountedClicks(T)
    counted.add(as_records(log))
    return [str(difference) for difference in compared(segments, counted.clicks, expected)[1]]


def keys(segments: dict[str, Segment], log: list[Arrived], expected: Expected = EXPECTED) -> list[str]:
    counted = CountedClicks(T)
    counted.add(as_records(log))
    return compared(segments, counted.clicks, expected)[0]


def test_the_engines_segments_equal_their_log() -> None:
    assert OWNERS == ENGINES_OWNERS
    log = a_log()
    segments = segments_of(log)
    assert keys(segments, log) == [f"segment:{field}" for field in sorted(segments)]
    assert len(segments) == 2
    assert differences(segments, log) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"country": "France"}, "country=France"),
        ({"url": "/c"}, "page=/c"),
        ({"deviceType": "Mobile"}, "deviceType=Mobile bot=False"),
        ({"referrer": "https://news.example/"}, "source=news.example channel=Referral"),
    ],
)
def test_a_row_that_differs_is_named_with_its_columns(changed: dict[str, Any], said: str) -> None:
    log = a_log()
    last = EnrichedEvent(**{name: getattr(log[2].event, name) for name in log[2].event.__struct_fields__} | changed)
    in_redis, in_log = differences(segments_of(a_log(*(own.event for own in log[:2]), last)), log)
    assert said in in_redis
    assert in_redis.endswith("Redis 1, the log 0")
    assert in_log.endswith("Redis 0, the log 1")


def test_an_event_more_in_the_log_is_a_difference_of_the_number_and_a_row() -> None:
    log = a_log()
    found = differences(segments_of(log[:2]), log[:2] + a_log(log[2].event, click(T - 591, "bob"))[1:])
    assert found[0].endswith("events: Redis 2, the log 3")
    assert len(found) == 2


def test_visitors_are_counted_too() -> None:
    log = a_log()
    other = [*log[:1], replace(log[1], event=click(T - 590, "ada", url="/b", plus_ms=7)), *log[2:]]
    (found,) = differences(segments_of(other), log)
    assert found.endswith("visitors: Redis 1, the log 2")


def test_a_missing_segment_is_a_difference_once_it_was_due() -> None:
    log = a_log()
    assert len(differences({}, log)) == 2
    just_arrived = [replace(log[0], arrival_ms=(T - 60) * 1000)]
    assert differences({}, just_arrived) == []
    assert differences({}, a_log(click(T - 100))) == []


def test_only_segments_of_the_hour_of_this_state_and_of_this_instant_are_compared() -> None:
    log = a_log(click(T - 600), click(T - 3500), click(T - 10))
    segments = segments_of(log)
    field = segment_field((T - 600) // 60, 0)
    assert keys(segments, log) == [f"segment:{field}"]
    seen_s = segments[field].seen_s
    assert keys(segments, log, EXPECTED._replace(rebuilt_after_s=seen_s)) == []
    assert keys({field: segments[field]._replace(seen_s=T + 1)}, log) == []


def test_a_sample_is_compared_by_its_number_of_events() -> None:
    log = a_log()
    assert differences(segments_of(log, most_events=1), log) == []
    fewer = log[:1] + log[2:]
    assert [found.rpartition("events: ")[2] for found in differences(segments_of(log, most_events=1), fewer)] == [
        "Redis 2, the log 1"
    ]


@pytest.mark.parametrize("data", [None, b"", b"nonsense"])
def test_an_unreadable_or_listed_and_missing_segment_is_a_difference(data: bytes | None) -> None:
    log = a_log()
    segments = segments_of(log)
    field = max(segments)
    (found,) = differences({**segments, field: segments[field]._replace(data=data)}, log)
    assert found.startswith(f"segment:{field} ")


def test_columns_beyond_a_limit_are_left_out() -> None:
    log = a_log()
    other = [*log[:1], replace(log[1], event=click(T - 590, "bob", url="/other", plus_ms=7)), *log[2:]]
    assert differences(segments_of(other), log)
    assert differences(segments_of(other), log, EXPECTED._replace(skipped=frozenset({"page"}))) == []


def test_a_segment_that_was_rewritten_meanwhile_has_no_difference() -> None:
    log = a_log()
    segments = segments_of(log)
    counted = CountedClicks(T)
    counted.add(as_records(log[:2]))
    _, found = compared(segments, counted.clicks, EXPECTED)
    assert found
    assert still_there(found, segments, segments) == found
    rewritten = {field: segment._replace(seen_s=T + 5) for field, segment in segments.items()}
    assert still_there(found, segments, rewritten) == []
    assert still_there(found, segments, {}) == []
