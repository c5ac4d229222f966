"""The segment source: fetches changed segments only, once for all viewers; an unreadable segment is a gap."""

import threading
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
import redis

from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.segment_source import SegmentSource
from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key
from shared.runtime.redis_client import connect
from tests.support.fakes.counting_redis import Clock
from tests.support.fakes.counting_redis import clock as clock
from tests.support.polling import eventually
from tests.support.samples.segments import MINUTE, Row, encoded, tell_time, write_segments


class Recorder:
    """A client that records each round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.asked: list[Any] = []
        self.gate: threading.Event | None = None
        self.failing_after = 0  # replies with segments

    def pipeline(self, transaction: bool) -> Any:
        self.asked.append("versions")
        if self.gate is not None:
            assert self.gate.wait(20)
        return self._client.pipeline(transaction=transaction)

    def mget(self, keys: list[str]) -> Any:
        self.asked.append(sorted(keys))
        if self.failing_after == sum(isinstance(asked, list) for asked in self.asked):
            raise redis.ConnectionError("gone")
        return self._client.mget(keys)


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "fake":
        with fakeredis.FakeRedis() as fake:
            yield fake
    else:
        with connect(request.getfixturevalue("redis_url")) as real:
            yield real


@pytest.fixture
def recorder(client: redis.Redis) -> Recorder:
    return Recorder(client)


def source_of(recorder: Any, clock: Clock, prefix: str = "", most_events: int = 1000) -> SegmentSource:
    return SegmentSource(
        recorder, prefix, now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds, most_events=most_events
    )


@pytest.fixture
def source(recorder: Recorder, clock: Clock) -> SegmentSource:
    return source_of(recorder, clock)


def key(minute: int, partition: int = 0) -> str:
    return segment_key(segment_field(minute, partition))


def extent(minutes: CompletedMinutes) -> tuple[int, int, int]:
    assert minutes.left_out or minutes.first_minute == max(0, minutes.end_minute - 60)
    oldest = int(minutes.frame.minutes[0]) if len(minutes.frame) else 0
    return (len(minutes.frame), oldest, minutes.end_minute)


def test_it_is_empty_before_the_first_segment(source: SegmentSource) -> None:
    assert extent(source.look()) == (0, 0, 0)
    assert source.look().trouble is None


def test_only_changed_segments_are_fetched_in_one_round_trip(
    client: redis.Redis, recorder: Recorder, source: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(partition=1), Row(minute=MINUTE + 1)])
    tell_time(client, MINUTE + 2)
    first = source.look()
    assert extent(first) == (3, MINUTE, MINUTE + 2)
    assert recorder.asked == ["versions", [key(MINUTE), key(MINUTE, 1), key(MINUTE + 1)]]
    clock.pass_seconds(1)
    assert source.look() is first  # nothing new
    write_segments(client, [Row(partition=1), Row(partition=1, visitor=1)], version=2)  # a late event
    write_segments(client, [Row(minute=MINUTE + 2)])
    clock.pass_seconds(1)
    assert extent(source.look()) == (5, MINUTE, MINUTE + 3)
    assert recorder.asked[2:] == ["versions", "versions", [key(MINUTE, 1), key(MINUTE + 2)]]


def test_fifty_viewers_of_a_second_cost_one_look(
    client: redis.Redis, recorder: Recorder, source: SegmentSource
) -> None:
    write_segments(client, [Row()])
    assert len({id(source.look()) for _ in range(50)}) == 1
    assert recorder.asked == ["versions", [key(MINUTE)]]


def test_minutes_older_than_the_hour_are_dropped(client: redis.Redis, source: SegmentSource, clock: Clock) -> None:
    write_segments(client, [Row(), Row(minute=MINUTE + 1), Row(minute=MINUTE + 59)])
    tell_time(client, MINUTE + 60, second=2)
    assert extent(source.look()) == (3, MINUTE, MINUTE + 60)
    client.hdel(SEGMENTS_KEY, segment_field(MINUTE, 0))
    clock.pass_seconds(1)
    assert extent(source.look()) == (3, MINUTE, MINUTE + 60)  # its successor has not arrived
    tell_time(client, MINUTE + 61, second=5)
    clock.pass_seconds(1)
    assert extent(source.look()) == (2, MINUTE + 1, MINUTE + 61)
    client.hdel(SEGMENTS_KEY, segment_field(MINUTE + 59, 0))  # not by age: its partition was rebuilt
    clock.pass_seconds(1)
    assert extent(source.look()) == (1, MINUTE + 1, MINUTE + 61)
    client.delete(SEGMENTS_KEY)
    clock.pass_seconds(1)
    assert extent(source.look()) == (0, 0, 0)


def test_a_minute_without_events_closes_as_well(client: redis.Redis, source: SegmentSource, clock: Clock) -> None:
    write_segments(client, [Row()])
    tell_time(client, MINUTE + 3, second=3)
    assert extent(source.look()) == (1, MINUTE, MINUTE + 2)
    tell_time(client, MINUTE + 3, second=4)
    clock.pass_seconds(1)
    assert extent(source.look()) == (1, MINUTE, MINUTE + 3)


def test_a_malformed_segment_is_a_gap_with_its_reason_until_it_is_rewritten(
    client: redis.Redis, recorder: Recorder, source: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(partition=1)])
    client.set(key(MINUTE, 1), b"no arrow")
    minutes = source.look()
    assert len(minutes.frame) == 1
    (gap,) = minutes.gaps
    assert (gap.minute, gap.partition) == (MINUTE, 1)
    assert gap.reason
    clock.pass_seconds(1)
    assert source.look() is minutes
    assert recorder.asked[2:] == ["versions"]  # it is not read again
    write_segments(client, [Row(partition=1)], version=2)
    clock.pass_seconds(1)
    assert (len(source.look().frame), source.look().gaps) == (2, ())


def test_a_listed_but_missing_segment_is_a_gap_and_read_again(
    client: redis.Redis, source: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(minute=MINUTE + 1)])
    client.delete(key(MINUTE))
    assert [(gap.minute, gap.reason) for gap in source.look().gaps] == [(MINUTE, "it is listed but missing")]
    clock.pass_seconds(1)
    before = source.look()
    assert before.gaps
    client.set(key(MINUTE), encoded([Row()]))
    clock.pass_seconds(1)
    assert extent(source.look()) == (2, MINUTE, MINUTE + 2)


def test_an_invalid_field_is_reported_and_hides_nothing(client: redis.Redis, source: SegmentSource) -> None:
    write_segments(client, [Row()])
    client.hset(SEGMENTS_KEY, mapping={"yesterday": 1, segment_field(MINUTE, 1): "new", b"\xff:0": 1})
    minutes = source.look()
    assert extent(minutes) == (1, MINUTE, MINUTE + 1)
    assert len(minutes.gaps) == 3
    assert all("has an invalid field" in gap.reason for gap in minutes.gaps)


@pytest.mark.parametrize("wrong", ["list", "time"])
def test_an_invalid_list_of_segments_is_trouble(
    client: redis.Redis, source: SegmentSource, clock: Clock, wrong: str
) -> None:
    write_segments(client, [Row()])
    source.look()
    if wrong == "list":
        client.set(SEGMENTS_KEY, "text")
    else:
        client.hset(META_KEY, "as_of_ms", "noon")
    clock.pass_seconds(1)
    minutes = source.look()
    assert minutes.trouble is not None
    assert len(minutes.frame) == 1


def test_an_outage_keeps_the_segments_and_recovers(client: redis.Redis, recorder: Recorder, clock: Clock) -> None:
    write_segments(client, [Row()])
    source = source_of(recorder, clock)
    assert len(source.look().frame) == 1
    dead = redis.Redis(port=1, socket_connect_timeout=0.2)
    alive, recorder._client = recorder._client, dead  # noqa: SLF001 - the test's own
    clock.pass_seconds(1)
    began_ms = clock.now_ms
    for _ in range(2):
        minutes = source.look()
        assert minutes.trouble is not None
        assert (len(minutes.frame), minutes.trouble.since_ms) == (1, began_ms)
        clock.pass_seconds(1)
    recorder._client = alive  # noqa: SLF001
    assert (source.look().trouble, len(source.look().frame)) == (None, 1)


def test_segments_may_reach_further_back_than_the_hour(client: redis.Redis, source: SegmentSource) -> None:
    write_segments(client, [Row(minute=MINUTE - 100), Row()])
    assert source.look().first_minute == MINUTE - 100


def test_an_outage_between_two_answers_loses_nothing(
    client: redis.Redis, recorder: Recorder, source: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(partition=partition) for partition in range(300)])  # more than one fetch
    recorder.failing_after = 2
    assert source.look().trouble is not None
    clock.pass_seconds(1)
    assert len(source.look().frame) == 300


def test_memory_is_bounded_by_dropping_the_oldest_whole_minutes(
    client: redis.Redis, recorder: Recorder, clock: Clock
) -> None:
    events = [
        Row(minute=MINUTE + minute, partition=partition, visitor=number)
        for minute in range(4)
        for partition in range(2)
        for number in range(10)
    ]
    write_segments(client, events)
    source = source_of(recorder, clock, most_events=55)
    minutes = source.look()
    assert extent(minutes) == (40, MINUTE + 2, MINUTE + 4)
    assert minutes.left_out == 4
    clock.pass_seconds(1)
    assert source.look() is minutes
    assert recorder.asked[2:] == ["versions"]  # minutes left out are not read every second
    write_segments(client, [Row(minute=MINUTE + 4, visitor=number) for number in range(30)])
    clock.pass_seconds(1)
    assert extent(source.look()) == (50, MINUTE + 3, MINUTE + 5)


def test_every_key_has_the_prefix(client: redis.Redis, recorder: Recorder, clock: Clock) -> None:
    write_segments(client, [Row()], prefix="shop:")
    tell_time(client, MINUTE + 5, prefix="shop:")
    assert extent(source_of(recorder, clock, "shop:").look()) == (1, MINUTE, MINUTE + 5)


def test_a_hanging_redis_delays_one_viewer_only(
    client: redis.Redis, recorder: Recorder, source: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row()])
    before = source.look()
    clock.pass_seconds(1)
    recorder.gate = threading.Event()
    held = threading.Thread(target=source.look)
    held.start()
    eventually(lambda: recorder.asked.count("versions") == 2, "the look that hangs")
    assert source.look() is before
    recorder.gate.set()
    held.join()
