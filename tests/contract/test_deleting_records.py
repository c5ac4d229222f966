"""Deleting single records of the event log, and the facts of its topics."""

import pytest

from shared.streams.event_log import EventLog, FromTime
from shared.streams.kafka.facts import kept_ms
from tests.support.servers.event_logs import (
    HOUR_MS,
    Owner,
    a_group,
    a_topic,
    append,
    read,
    until,
    values,
)


def test_the_facts_of_existing_topics(log: EventLog) -> None:
    topic = a_topic(log, partitions=3)
    facts = log.facts([topic, "no-such-topic"])
    assert facts.keys() == {topic}
    assert facts[topic].partitions == 3
    assert 24 * HOUR_MS <= (facts[topic].kept_ms or 0) <= 28 * HOUR_MS


@pytest.mark.parametrize("deleted", [[0, 1], [3, 4], [8, 9], list(range(10))], ids=["first", "middle", "last", "all"])
def test_readers_never_see_deleted_records_and_their_lag_goes_to_zero(log: EventLog, deleted: list[int]) -> None:
    topic, group = a_topic(log), a_group()
    append(log, topic, *[b"%d" % number for number in range(10)])
    with log.consumer(topic, group, Owner()) as consumer:
        found = read(consumer, 10)
        gone = log.delete(topic, [found[number] for number in deleted])
        if not gone:
            assert log.facts([topic])[topic].kept_ms is not None  # Kafka deletes by age only
            return
        assert gone == len(deleted)
        assert log.delete(topic, [found[number] for number in deleted]) == 0
        assert until(lambda: consumer.lag() == {0: 0}, lambda: consumer.poll(10, 0.1))
    left = [b"%d" % number for number in range(10) if number not in deleted]
    with log.consumer(topic, a_group(), Owner(FromTime(0))) as consumer:
        assert values(read(consumer, len(left))) == left
        assert until(lambda: consumer.lag() == {0: 0}, lambda: consumer.poll(10, 0.1))
        append(log, topic, b"next")
        assert values(read(consumer, 1)) == [b"next"]
        assert until(lambda: consumer.lag() == {0: 0}, lambda: consumer.poll(10, 0.1))


def test_a_consumer_that_rewinds_asks_its_owner_again(log: EventLog) -> None:
    topic = a_topic(log)
    append(log, topic, b"1", b"2")
    owner = Owner(FromTime(0))
    with log.consumer(topic, a_group(), owner) as consumer:
        assert values(read(consumer, 2)) == [b"1", b"2"]
        consumer.rewind()
        assert values(read(consumer, 2)) == [b"1", b"2"]
        assert owner.calls == ["+0", "+0"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "1000", "segment.ms": "50"}, 1050 + 900_000),
        ({"cleanup.policy": "delete", "retention.ms": "-1", "segment.ms": "50"}, None),
        ({"cleanup.policy": "compact", "retention.ms": "1000"}, None),
        ({"cleanup.policy": "compact,delete", "retention.ms": "1000"}, 1000 + 900_000),
    ],
)
def test_kafka_keeps_a_record_until_its_segment_expires(options: dict[str, str | None], kept: int | None) -> None:
    assert kept_ms(options) == kept
