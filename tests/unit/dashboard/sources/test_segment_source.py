"""The cache of minute segments: only what changed is fetched, once for all viewers; what cannot be read is a gap."""

import threading
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
import redis

from services.dashboard.sources.closed_minutes import ClosedMinutes
from services.dashboard.sources.segment_source import SegmentSource
from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key
from shared.runtime.redis_client import connect
from tests.support.fakes.counting_redis import Clock
from tests.support.fakes.counting_redis import clock as clock
from tests.support.polling import eventually
from tests.support.samples.segments import MINUTE, Row, encoded, tell_time, write_segments


class Recorder:
    """A client that keeps a list of what it was asked, round trip by round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.asked: list[Any] = []
        self.gate: threading.Event | None = None
        self.failing_after = 0  # so many answers of segments

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


def reader_of(recorder: Any, clock: Clock, prefix: str = "", most_events: int = 1000) -> SegmentSource:
    return SegmentSource(
        recorder, prefix, now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds, most_events=most_events
    )


@pytest.fixture
def reader(recorder: Recorder, clock: Clock) -> SegmentSource:
    return reader_of(recorder, clock)


def key(minute: int, partition: int = 0) -> str:
    return segment_key(segment_field(minute, partition))


def told(minutes: ClosedMinutes) -> tuple[int, int, int]:
    assert minutes.left_out or minutes.first_minute == max(0, minutes.end_minute - 60)
    oldest = int(minutes.frame.minutes[0]) if len(minutes.frame) else 0
    return (len(minutes.frame), oldest, minutes.end_minute)


def test_before_the_first_segment_there_is_nothing(reader: SegmentSource) -> None:
    assert told(reader.look()) == (0, 0, 0)
    assert reader.look().trouble is None


def test_only_segments_that_changed_are_fetched_all_at_once(
    client: redis.Redis, recorder: Recorder, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(partition=1), Row(minute=MINUTE + 1)])
    tell_time(client, MINUTE + 2)
    first = reader.look()
    assert told(first) == (3, MINUTE, MINUTE + 2)
    assert recorder.asked == ["versions", [key(MINUTE), key(MINUTE, 1), key(MINUTE + 1)]]
    clock.pass_seconds(1)
    assert reader.look() is first  # nothing new
    write_segments(client, [Row(partition=1), Row(partition=1, visitor=1)], version=2)  # a late event
    write_segments(client, [Row(minute=MINUTE + 2)])
    clock.pass_seconds(1)
    assert told(reader.look()) == (5, MINUTE, MINUTE + 3)
    assert recorder.asked[2:] == ["versions", "versions", [key(MINUTE, 1), key(MINUTE + 2)]]


def test_fifty_viewers_of_a_second_cost_one_look(
    client: redis.Redis, recorder: Recorder, reader: SegmentSource
) -> None:
    write_segments(client, [Row()])
    assert len({id(reader.look()) for _ in range(50)}) == 1
    assert recorder.asked == ["versions", [key(MINUTE)]]


def test_minutes_that_are_over_are_let_go(client: redis.Redis, reader: SegmentSource, clock: Clock) -> None:
    write_segments(client, [Row(), Row(minute=MINUTE + 1), Row(minute=MINUTE + 59)])
    tell_time(client, MINUTE + 60, second=2)
    assert told(reader.look()) == (3, MINUTE, MINUTE + 60)
    client.hdel(SEGMENTS_KEY, segment_field(MINUTE, 0))
    clock.pass_seconds(1)
    assert told(reader.look()) == (3, MINUTE, MINUTE + 60)  # the minute that takes its place is not there yet
    tell_time(client, MINUTE + 61, second=5)
    clock.pass_seconds(1)
    assert told(reader.look()) == (2, MINUTE + 1, MINUTE + 61)
    client.hdel(SEGMENTS_KEY, segment_field(MINUTE + 59, 0))  # no matter of time: its partition was read anew
    clock.pass_seconds(1)
    assert told(reader.look()) == (1, MINUTE + 1, MINUTE + 61)
    client.delete(SEGMENTS_KEY)
    clock.pass_seconds(1)
    assert told(reader.look()) == (0, 0, 0)


def test_a_quiet_minute_closes_too_when_its_segment_would_be_there(
    client: redis.Redis, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row()])
    tell_time(client, MINUTE + 3, second=3)
    assert told(reader.look()) == (1, MINUTE, MINUTE + 2)
    tell_time(client, MINUTE + 3, second=4)
    clock.pass_seconds(1)
    assert told(reader.look()) == (1, MINUTE, MINUTE + 3)


def test_a_malformed_segment_is_a_gap_with_its_reason_until_it_is_written_anew(
    client: redis.Redis, recorder: Recorder, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(partition=1)])
    client.set(key(MINUTE, 1), b"no arrow")
    minutes = reader.look()
    assert len(minutes.frame) == 1
    (gap,) = minutes.gaps
    assert (gap.minute, gap.partition) == (MINUTE, 1)
    assert gap.reason
    clock.pass_seconds(1)
    assert reader.look() is minutes
    assert recorder.asked[2:] == ["versions"]  # it is not read again for nothing
    write_segments(client, [Row(partition=1)], version=2)
    clock.pass_seconds(1)
    assert (len(reader.look().frame), reader.look().gaps) == (2, ())


def test_a_segment_that_is_listed_and_not_there_is_a_gap_and_asked_for_again(
    client: redis.Redis, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(), Row(minute=MINUTE + 1)])
    client.delete(key(MINUTE))
    assert [(gap.minute, gap.reason) for gap in reader.look().gaps] == [(MINUTE, "it is listed but missing")]
    clock.pass_seconds(1)
    before = reader.look()
    assert before.gaps
    client.set(key(MINUTE), encoded([Row()]))
    clock.pass_seconds(1)
    assert told(reader.look()) == (2, MINUTE, MINUTE + 2)


def test_a_field_that_is_none_is_told_and_hides_nothing(client: redis.Redis, reader: SegmentSource) -> None:
    write_segments(client, [Row()])
    client.hset(SEGMENTS_KEY, mapping={"yesterday": 1, segment_field(MINUTE, 1): "new", b"\xff:0": 1})
    minutes = reader.look()
    assert told(minutes) == (1, MINUTE, MINUTE + 1)
    assert len(minutes.gaps) == 3
    assert all("has an invalid field" in gap.reason for gap in minutes.gaps)


@pytest.mark.parametrize("wrong", ["list", "time"])
def test_what_is_no_list_of_segments_is_trouble(
    client: redis.Redis, reader: SegmentSource, clock: Clock, wrong: str
) -> None:
    write_segments(client, [Row()])
    reader.look()
    if wrong == "list":
        client.set(SEGMENTS_KEY, "text")
    else:
        client.hset(META_KEY, "as_of_ms", "noon")
    clock.pass_seconds(1)
    minutes = reader.look()
    assert minutes.trouble is not None
    assert len(minutes.frame) == 1


def test_an_outage_keeps_what_was_there_and_heals(client: redis.Redis, recorder: Recorder, clock: Clock) -> None:
    write_segments(client, [Row()])
    reader = reader_of(recorder, clock)
    assert len(reader.look().frame) == 1
    dead = redis.Redis(port=1, socket_connect_timeout=0.2)
    alive, recorder._client = recorder._client, dead  # noqa: SLF001 - the test's own
    clock.pass_seconds(1)
    began_ms = clock.now_ms
    for _ in range(2):
        minutes = reader.look()
        assert minutes.trouble is not None
        assert (len(minutes.frame), minutes.trouble.since_ms) == (1, began_ms)
        clock.pass_seconds(1)
    recorder._client = alive  # noqa: SLF001
    assert (reader.look().trouble, len(reader.look().frame)) == (None, 1)


def test_beyond_the_hour_they_reach_as_far_as_listed(client: redis.Redis, reader: SegmentSource) -> None:
    write_segments(client, [Row(minute=MINUTE - 100), Row()])
    assert reader.look().first_minute == MINUTE - 100


def test_an_outage_between_two_answers_loses_nothing(
    client: redis.Redis, recorder: Recorder, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row(partition=partition) for partition in range(300)])  # more than are asked for at once
    recorder.failing_after = 2
    assert reader.look().trouble is not None
    clock.pass_seconds(1)
    assert len(reader.look().frame) == 300


def test_memory_is_bounded_by_whole_minutes_the_newest_first(
    client: redis.Redis, recorder: Recorder, clock: Clock
) -> None:
    events = [
        Row(minute=MINUTE + minute, partition=partition, visitor=number)
        for minute in range(4)
        for partition in range(2)
        for number in range(10)
    ]
    write_segments(client, events)
    reader = reader_of(recorder, clock, most_events=55)
    minutes = reader.look()
    assert told(minutes) == (40, MINUTE + 2, MINUTE + 4)
    assert minutes.left_out == 4
    clock.pass_seconds(1)
    assert reader.look() is minutes
    assert recorder.asked[2:] == ["versions"]  # what is left out is not read each second
    write_segments(client, [Row(minute=MINUTE + 4, visitor=number) for number in range(30)])
    clock.pass_seconds(1)
    assert told(reader.look()) == (50, MINUTE + 3, MINUTE + 5)


def test_the_prefix_goes_in_front_of_every_key(client: redis.Redis, recorder: Recorder, clock: Clock) -> None:
    write_segments(client, [Row()], prefix="shop:")
    tell_time(client, MINUTE + 5, prefix="shop:")
    assert told(reader_of(recorder, clock, "shop:").look()) == (1, MINUTE, MINUTE + 5)


def test_a_redis_that_hangs_holds_up_one_viewer(
    client: redis.Redis, recorder: Recorder, reader: SegmentSource, clock: Clock
) -> None:
    write_segments(client, [Row()])
    before = reader.look()
    clock.pass_seconds(1)
    recorder.gate = threading.Event()
    held = threading.Thread(target=reader.look)
    held.start()
    eventually(lambda: recorder.asked.count("versions") == 2, "the look that hangs")
    assert reader.look() is before
    recorder.gate.set()
    held.join()
