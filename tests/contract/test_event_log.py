"""The contract in `shared.streams.event_log`, on Kafka, on Redis, and on Redis in memory."""

import time

import pytest

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import EventLog, FromOffset, FromTime, LogUnavailable, NewRecord, Record, TopicSpec
from tests.support.servers.event_logs import (
    HOUR_MS,
    LogUnderTest,
    Owner,
    a_group,
    a_topic,
    append,
    read,
    until,
    values,
    within,
)
from tests.support.servers.server_process import free_port

# --- records ---------------------------------------------------------------------------------------------------------


def test_one_partition_keeps_the_order_of_appending(log: EventLog) -> None:
    topic = a_topic(log)
    sent = [b"%d" % number for number in range(2500)]
    append(log, topic, *sent)
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, len(sent), max_records=700)
    assert values(records) == sent
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))


def test_a_poll_returns_at_most_the_records_asked_for_and_loses_none(log: EventLog) -> None:
    topic = a_topic(log, partitions=3)
    keys = [b"visitor-%d" % number for number in range(9)]  # enough that no partition is empty
    for key in keys:
        append(log, topic, *[b"%d" % number for number in range(20)], key=key)
    records: list[Record] = []
    with log.consumer(topic, a_group(), Owner()) as consumer:

        def poll() -> None:
            polled = consumer.poll(2, 0.2)
            assert len(polled) <= 2
            records.extend(polled)

        until(lambda: len(records) >= 180, poll)
    for key in keys:
        assert [int(record.value) for record in records if record.key == key] == list(range(20))


def test_records_of_one_key_share_a_partition_and_keys_spread(log: EventLog) -> None:
    topic = a_topic(log, partitions=4)
    for _ in range(2):
        with log.producer() as producer:
            producer.send([NewRecord(topic, b"visitor-%d" % number, b"") for number in range(100)])
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 200)
    partitions: dict[bytes | None, set[int]] = {}
    for record in records:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert len(partitions) == 100
    assert all(len(of_key) == 1 for of_key in partitions.values())
    assert {record.partition for record in records} == {0, 1, 2, 3}


def test_a_record_is_read_as_it_was_sent(log: EventLog) -> None:
    topic = a_topic(log)
    headers = (("reason", b"malformed"), ("error", b"\xff\x00"), ("reason", b""))
    before_ms = time.time_ns() // 1_000_000
    with log.producer() as producer:
        producer.send(
            [
                NewRecord(topic, b"", b"\x00\xffvalue", headers),
                NewRecord(topic, None, b"", headers),
                NewRecord(topic, None, b"plain"),
            ]
        )
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 3)
    assert [(record.key, record.value, record.headers) for record in records] == [
        (b"", b"\x00\xffvalue", headers),
        (None, b"", headers),
        (None, b"plain", ()),
    ]
    after_ms = time.time_ns() // 1_000_000
    assert all(before_ms - 1000 <= record.timestamp_ms <= after_ms + 1000 for record in records)


def test_records_without_a_key_all_arrive(log: EventLog) -> None:
    topic = a_topic(log, partitions=3)
    sent = [b"%d" % number for number in range(300)]
    append(log, topic, *sent, key=None)
    with log.consumer(topic, a_group(), Owner()) as consumer:
        assert sorted(values(read(consumer, 300))) == sorted(sent)


def test_an_existing_topic_stays_as_it_is(log: EventLog) -> None:
    topic = a_topic(log, partitions=2)
    log.ensure_topics([TopicSpec(topic, 5, HOUR_MS)])
    owner = Owner()
    with log.consumer(topic, a_group(), owner) as consumer:
        assert until(lambda: len(owner.assigned) >= 2, lambda: consumer.poll(1, 0.1))
        consumer.poll(1, 0.3)
        assert sorted(owner.assigned) == [0, 1]


# --- polling ---------------------------------------------------------------------------------------------------------


def test_an_empty_poll_returns_within_its_timeout(log: EventLog) -> None:
    topic = a_topic(log)
    owner = Owner()
    with log.consumer(topic, a_group(), owner) as consumer:
        until(lambda: bool(owner.assigned), lambda: consumer.poll(10, 0.1))

        def seconds_of_a_poll(timeout_seconds: float) -> float:
            started = time.monotonic()
            assert list(consumer.poll(10, timeout_seconds)) == []
            return time.monotonic() - started

        # The fastest of four, because a busy machine delays some.
        assert 0.2 < min(seconds_of_a_poll(0.3) for _ in range(4)) < 0.9
        assert min(seconds_of_a_poll(0) for _ in range(4)) < 0.3


def test_a_poll_returns_as_soon_as_there_is_a_record(log: EventLog) -> None:
    topic = a_topic(log)
    owner = Owner()
    with log.consumer(topic, a_group(), owner) as consumer:
        until(lambda: bool(owner.assigned), lambda: consumer.poll(10, 0.1))
        append(log, topic, b"one")
        with within(15):
            assert values(consumer.poll(1000, 30)) == [b"one"]


# --- positions -------------------------------------------------------------------------------------------------------


def test_a_group_resumes_at_its_committed_offset(log: EventLog) -> None:
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0", b"1", b"2", b"3")
    with log.consumer(topic, group, Owner()) as consumer:
        records = read(consumer, 4)
        consumer.commit({0: records[1].offset + 1})
    with log.consumer(topic, group, Owner()) as consumer:
        assert values(read(consumer, 2)) == [b"2", b"3"]
    with log.consumer(topic, a_group(), Owner()) as other_group:
        assert values(read(other_group, 4)) == [b"0", b"1", b"2", b"3"]


def test_uncommitted_records_are_read_again(log: EventLog) -> None:
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0", b"1")
    for _ in range(2):
        with log.consumer(topic, group, Owner()) as consumer:
            assert values(read(consumer, 2)) == [b"0", b"1"]


def test_the_owner_may_start_at_an_offset_of_its_own(log: EventLog) -> None:
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0", b"1", b"2", b"3")
    with log.consumer(topic, group, Owner()) as consumer:
        records = read(consumer, 4)
        consumer.commit({0: records[3].offset + 1})
    with log.consumer(topic, group, Owner(FromOffset(records[2].offset))) as consumer:
        assert values(read(consumer, 2)) == [b"2", b"3"]


def test_the_owner_may_start_at_an_instant(log: EventLog) -> None:
    topic = a_topic(log)
    append(log, topic, b"0")
    pause_until_ms = time.time_ns() // 1_000_000 + 20
    until(lambda: time.time_ns() // 1_000_000 > pause_until_ms, lambda: time.sleep(0.005))
    append(log, topic, b"1", b"2")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 3)
    assert records[0].timestamp_ms < records[1].timestamp_ms
    for instant_ms, expected in [
        (records[1].timestamp_ms, [b"1", b"2"]),
        (records[0].timestamp_ms + 1, [b"1", b"2"]),
        (0, [b"0", b"1", b"2"]),
    ]:
        with log.consumer(topic, a_group(), Owner(FromTime(instant_ms))) as consumer:
            assert values(read(consumer, len(expected))) == expected


def test_an_instant_after_the_last_record_waits_for_the_next(log: EventLog) -> None:
    topic = a_topic(log)
    append(log, topic, b"old")
    owner = Owner(FromTime(time.time_ns() // 1_000_000 + 10))
    with log.consumer(topic, a_group(), owner) as consumer:
        until(lambda: bool(owner.assigned), lambda: consumer.poll(10, 0.1))
        assert list(consumer.poll(10, 0.3)) == []
        append(log, topic, b"new")
        assert values(read(consumer, 1)) == [b"new"]


def test_an_assignment_has_the_ends_of_the_partition(under_test: LogUnderTest) -> None:
    log = under_test.log
    topic = a_topic(log)
    empty = Owner()
    with log.consumer(topic, a_group(), empty) as consumer:
        until(lambda: bool(empty.assigned), lambda: consumer.poll(10, 0.1))
        assert empty.assigned[0].begin_offset == empty.assigned[0].end_offset
    append(log, topic, b"0", b"1", b"2")
    full = Owner()
    with log.consumer(topic, a_group(), full) as consumer:
        records = read(consumer, 3)
        assert full.assigned[0].begin_offset <= records[0].offset
        assert full.assigned[0].end_offset == records[2].offset + 1
    under_test.expire_before(topic, 0, records[1].offset)
    shorter = Owner()
    with log.consumer(topic, a_group(), shorter) as consumer:
        until(lambda: bool(shorter.assigned), lambda: consumer.poll(10, 0.1))
        assert shorter.assigned[0].begin_offset == records[1].offset


@pytest.mark.parametrize("place", ["before", "ahead"])
def test_an_offset_outside_the_retained_ones_falls_back_to_the_earliest(under_test: LogUnderTest, place: str) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, b"0", b"1", b"2")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 3)
    under_test.expire_before(topic, 0, records[1].offset)
    offset = records[0].offset if place == "before" else records[2].offset + 1000
    with log.consumer(topic, a_group(), Owner(FromOffset(offset))) as consumer:
        assert values(read(consumer, 2)) == [b"1", b"2"]


def test_closing_revokes_every_partition(log: EventLog) -> None:
    topic = a_topic(log, partitions=2)
    owner = Owner()
    with log.consumer(topic, a_group(), owner) as consumer:
        until(lambda: len(owner.assigned) == 2, lambda: consumer.poll(10, 0.1))
    assert sorted(owner.calls) == ["+0", "+1", "-0", "-1"]


def test_poll_raises_what_the_owner_raises_on_an_assignment(log: EventLog) -> None:
    class NotReadyError(Exception):
        pass

    ready = False

    def start(_: object) -> FromOffset:
        if not ready:
            raise NotReadyError
        return FromOffset(0)

    topic = a_topic(log)
    append(log, topic, b"0")
    with log.consumer(topic, a_group(), Owner(start)) as consumer:
        with pytest.raises(NotReadyError):
            read(consumer, 1)
        ready = True
        assert values(read(consumer, 1)) == [b"0"]


# --- lag -------------------------------------------------------------------------------------------------------------


def test_lag_counts_unread_records_and_goes_to_zero(log: EventLog) -> None:
    topic = a_topic(log, partitions=2)
    append(log, topic, *[b""] * 300, key=None)
    with log.consumer(topic, a_group(), Owner()) as consumer:
        read(consumer, 1, max_records=50)
        assert until(lambda: 200 <= sum(consumer.lag().values()) < 300, lambda: consumer.poll(1, 0.1))
        seen_to_the_end = until(lambda: sum(consumer.lag().values()) == 0, lambda: consumer.poll(1000, 0.1))
        assert seen_to_the_end
        assert sorted(consumer.lag()) == [0, 1]


def test_lag_goes_to_zero_behind_transactions(log: EventLog) -> None:
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0", b"1", b"2")
    with log.processor(source, group) as processor:
        for record in read(processor, 3):
            processor.send([NewRecord(target, b"visitor", record.value)], {0: record.offset + 1})
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 3)) == [b"0", b"1", b"2"]
        assert until(lambda: consumer.lag() == {0: 0}, lambda: consumer.poll(10, 0.1))


# --- processing ------------------------------------------------------------------------------------------------------


def test_a_processor_appends_and_commits_together(log: EventLog) -> None:
    source, target, group = a_topic(log, partitions=2), a_topic(log, partitions=2), a_group()
    for key in (b"a", b"b", b"c"):
        append(log, source, *[b"%d" % number for number in range(10)], key=key)

    def process(log: EventLog, count: int) -> int:
        done = 0
        with log.processor(source, group) as processor:
            while done < count and (records := read(processor, 1, max_records=7)):
                processor.send(
                    [NewRecord(target, record.key, record.value) for record in records],
                    {record.partition: record.offset + 1 for record in records},
                )
                done += len(records)
        return done

    done = process(log, 12)
    assert 12 <= done < 30
    assert done + process(log, 30 - done) == 30
    with log.consumer(target, a_group(), Owner()) as consumer:
        records = read(consumer, 30)
        assert list(consumer.poll(10, 0.5)) == []
    for key in (b"a", b"b", b"c"):
        assert [int(record.value) for record in records if record.key == key] == list(range(10))


def test_a_processor_that_closes_before_sending_leaves_its_records_to_the_next(log: EventLog) -> None:
    source, group = a_topic(log), a_group()
    append(log, source, b"0", b"1")
    for _ in range(2):
        with log.processor(source, group) as processor:
            assert values(read(processor, 2)) == [b"0", b"1"]


def test_a_processor_may_commit_without_appending(log: EventLog) -> None:
    source, group = a_topic(log), a_group()
    append(log, source, b"0", b"1")
    with log.processor(source, group) as processor:
        records = read(processor, 2)
        processor.send([], {0: records[0].offset + 1})
    with log.processor(source, group) as processor:
        assert values(read(processor, 1)) == [b"1"]


# --- outages ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def dead_log(request: pytest.FixtureRequest) -> EventLog:
    address = f"127.0.0.1:{free_port()}"
    if request.param == "redis":
        return open_log(ServiceSettings(redis_url=f"redis://{address}"), "test")
    return open_log(ServiceSettings(kafka_broker=address), "test")


def test_an_unreachable_log_is_unavailable_and_names_its_address(dead_log: EventLog) -> None:
    assert dead_log.address.startswith("127.0.0.1:")
    with pytest.raises(LogUnavailable, match=dead_log.address.rpartition(":")[2]), within(6):
        dead_log.ensure_topics([TopicSpec("topic", 1, HOUR_MS)])
    with within(12), dead_log.consumer("topic", "group", Owner()) as consumer:
        for _ in range(2):
            with pytest.raises(LogUnavailable), within(4):
                consumer.poll(10, 0.5)
        assert consumer.lag() == {}
    with within(12), dead_log.processor("topic", "group") as processor, pytest.raises(LogUnavailable), within(4):
        processor.poll(10, 0.5)
    with within(10), dead_log.producer() as producer, pytest.raises(LogUnavailable):
        producer.send([NewRecord("topic", b"key", b"value")])
