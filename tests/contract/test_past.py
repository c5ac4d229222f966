"""What was appended before, read without a group, on Kafka, on Redis, and on Redis in memory."""

import time

import pytest

from shared.streams.event_log import NewRecord, Record
from tests.support.servers.event_logs import (
    LogUnderTest,
    RedisUnderTest,
    a_topic,
    append,
    fake_redis,
    real_redis,
)


def read_past(
    under_test: LogUnderTest, topic: str, since_ms: int, end: dict[int, int]
) -> tuple[dict[int, list[Record]], int]:
    """The records by partition, and until when others may be missing."""
    past = under_test.log.past(topic, since_ms, end)
    found: dict[int, list[Record]] = {partition: [] for partition in end}
    for batch in past.records():
        for record in batch:
            found[record.partition].append(record)
    return found, past.missing_until_ms


def test_the_past_ends_before_the_offsets_that_are_asked_for(under_test: LogUnderTest) -> None:
    topic = a_topic(under_test.log, partitions=3)
    with under_test.log.producer() as producer:
        producer.send([NewRecord(topic, b"visitor %d" % n, b"%d" % n) for n in range(3000)])
    above = {0: 2**62, 1: 2**62, 2: 2**62}
    end = dict(under_test.log.past(topic, 0, above).end_offsets)
    everything, missing_until_ms = read_past(under_test, topic, 0, end)
    assert missing_until_ms == 0
    assert sorted(int(record.value) for own in everything.values() for record in own) == list(range(3000))
    for own in everything.values():
        offsets = [record.offset for record in own]
        assert offsets == sorted(set(offsets))
    middle = {partition: own[len(own) // 2].offset for partition, own in everything.items() if partition != 2}
    some, _ = read_past(under_test, topic, 0, middle)
    assert some == {n: [r for r in everything[n] if r.offset < offset] for n, offset in middle.items()}


def test_the_past_begins_at_an_instant(under_test: LogUnderTest) -> None:
    topic = a_topic(under_test.log, partitions=1)
    append(under_test.log, topic, b"old")
    time.sleep(0.05)
    since_ms = time.time_ns() // 1_000_000
    append(under_test.log, topic, b"new", b"newer")
    end = dict(under_test.log.past(topic, 0, {0: 0}).end_offsets)
    found, missing_until_ms = read_past(under_test, topic, since_ms, end)
    assert [record.value for record in found[0]] == [b"new", b"newer"]
    assert missing_until_ms == 0


def test_removed_records_are_reported_unless_older_ones_are_there(under_test: LogUnderTest) -> None:
    topic = a_topic(under_test.log, partitions=1)
    for value in (b"first", b"second", b"third"):
        append(under_test.log, topic, value)
        time.sleep(0.02)
    end = dict(under_test.log.past(topic, 0, {0: 0}).end_offsets)
    found, _ = read_past(under_test, topic, 0, end)
    under_test.expire_before(topic, 0, found[0][1].offset)
    left, missing_until_ms = read_past(under_test, topic, 0, end)
    assert left == {0: found[0][1:]}
    assert missing_until_ms == found[0][1].timestamp_ms
    _, missing_until_ms = read_past(under_test, topic, found[0][2].timestamp_ms, end)
    assert missing_until_ms == 0


def test_a_topic_without_records_has_no_past(under_test: LogUnderTest) -> None:
    topic = a_topic(under_test.log, partitions=2)
    assert read_past(under_test, topic, 0, {0: 0, 1: 0}) == ({0: [], 1: []}, 0)


@pytest.mark.parametrize("make", [fake_redis, real_redis])
def test_reading_the_past_leaves_redis_as_it_was(make: object, request: pytest.FixtureRequest) -> None:
    under_test: RedisUnderTest = (
        fake_redis() if make is fake_redis else real_redis(request.getfixturevalue("redis_url"))
    )
    topic = a_topic(under_test.log, partitions=1)
    append(under_test.log, topic, b"one")
    end = dict(under_test.log.past(topic, 0, {0: 0}).end_offsets)
    with under_test.open_client() as client:
        before = sorted(client.keys())
        read_past(under_test, topic, 0, end)
        assert sorted(client.keys()) == before
