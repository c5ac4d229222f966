"""The log on Kafka beyond the contract: groups of many members, transactions, broker crashes."""

import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from structlog.testing import capture_logs

from shared.streams.event_log import (
    Assignment,
    EventLog,
    FromCommitted,
    LogUnavailable,
    NewRecord,
    Position,
    Processor,
    Record,
    Refused,
    TopicSpec,
)
from shared.streams.kafka.processor import KafkaProcessor
from tests.support.servers.event_logs import (
    HOUR_MS,
    KafkaUnderTest,
    Owner,
    a_group,
    a_topic,
    append,
    read,
    until,
    values,
)
from tests.support.servers.kafka.broker import Kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def log(kafka_broker: str) -> EventLog:
    return KafkaUnderTest(kafka_broker).log


def append_visits(log: EventLog, topic: str, start: int, stop: int) -> None:
    """Append numbered records of twenty visitors."""
    with log.producer() as producer:
        producer.send(
            [NewRecord(topic, b"visitor-%d" % (number % 20), b"%d" % number) for number in range(start, stop)]
        )


def test_a_new_topic_has_append_time_and_retention(log: EventLog, kafka_broker: str) -> None:
    name = f"topic-{a_group()}"
    log.ensure_topics([TopicSpec(name, 3, 24 * HOUR_MS)])
    admin = AdminClient({"bootstrap.servers": kafka_broker})
    (described,) = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
    options = {option.name: option.value for option in described.result(10).values()}
    assert options["message.timestamp.type"] == "LogAppendTime"
    assert options["retention.ms"] == str(24 * HOUR_MS)
    assert options["compression.type"] == "zstd"
    assert len(admin.list_topics(name, timeout=10).topics[name].partitions) == 3


def test_a_misconfigured_topic_is_logged_once_and_used(log: EventLog, kafka_broker: str) -> None:
    name = f"topic-{a_group()}"
    config = {"retention.ms": str(6 * HOUR_MS), "message.timestamp.type": "CreateTime"}
    admin = AdminClient({"bootstrap.servers": kafka_broker})
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(10)
    good = a_topic(log)
    with capture_logs() as lines:
        for _ in range(2):
            log.ensure_topics([TopicSpec(name, 1, 24 * HOUR_MS), TopicSpec(good, 1, 24 * HOUR_MS)])
    retention, timestamps = [(line["topic"], line["problem"]) for line in lines if line["log_level"] == "warning"]
    assert retention[0] == timestamps[0] == name
    assert "lacks 3 h of the 9 h" in retention[1]
    assert "CreateTime" in timestamps[1]


def test_no_state_folder_is_created(log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    topic = a_topic(log)
    append(log, topic, b"0")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        read(consumer, 1)
    assert list(tmp_path.iterdir()) == []


# --- groups ----------------------------------------------------------------------------------------------------------


class Member:
    """A member of a group, and the records it read."""

    def __init__(self, log: EventLog, topic: str, group: str) -> None:
        self.owned: set[int] = set()
        self.records: list[Record] = []
        self.consumer = log.consumer(topic, group, self)

    def on_assigned(self, assignment: Assignment) -> Position:
        self.owned.add(assignment.partition)
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        self.owned.discard(partition)

    def step(self) -> None:
        """Poll, keep and commit."""
        records = self.consumer.poll(50, 0.05)
        assert {record.partition for record in records} <= self.owned, "a record of a revoked partition"
        self.records += records
        if records:
            self.commit({record.partition: record.offset + 1 for record in records})

    def commit(self, next_offsets: dict[int, int]) -> None:
        """Commit, retrying while the group rebalances."""
        while True:
            try:
                return self.consumer.commit(next_offsets)
            except LogUnavailable:
                time.sleep(0.05)


def test_members_share_the_partitions_and_hand_them_over_without_a_gap(log: EventLog) -> None:
    topic, group = a_topic(log, partitions=4), a_group()
    append_visits(log, topic, 0, 300)
    first = Member(log, topic, group)
    assert until(lambda: len(first.records) >= 150, first.step)
    assert first.owned == {0, 1, 2, 3}
    second = Member(log, topic, group)

    def both() -> None:
        first.step()
        second.step()

    assert until(lambda: len(first.owned) == len(second.owned) == 2, both)
    assert first.owned | second.owned == {0, 1, 2, 3}
    append_visits(log, topic, 300, 600)
    assert until(lambda: len(first.records) + len(second.records) >= 600, both)
    second.consumer.close()
    assert second.owned == set()
    assert until(lambda: first.owned == {0, 1, 2, 3}, first.step)
    append_visits(log, topic, 600, 900)
    assert until(lambda: len(first.records) + len(second.records) >= 900, first.step)
    first.consumer.close()
    read_by_both = sorted(int(record.value) for record in first.records + second.records)
    assert read_by_both == list(range(900))  # each exactly once: members commit before they give partitions up


# --- transactions ----------------------------------------------------------------------------------------------------


def test_a_refused_transaction_is_invisible_and_another_takes_its_place(log: EventLog) -> None:
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0", b"1")
    with log.processor(source, group) as processor:
        first = read(processor, 2)
        processor.send([NewRecord(target, b"key", b"0")], {0: first[0].offset + 1})
        too_large = NewRecord(target, b"key", bytes(8 << 20))
        with pytest.raises(Refused, match="too large"):
            processor.send([NewRecord(target, b"key", b"1"), too_large], {0: first[1].offset + 1})
        processor.send([NewRecord(target, b"key", b"1")], {0: first[1].offset + 1})
        assert processor.lag() == {0: 0}
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 2)) == [b"0", b"1"]
        assert list(consumer.poll(10, 0.5)) == []


@pytest.mark.parametrize("sends", [1, 5000])
def test_a_producer_that_the_broker_fenced_is_replaced(log: EventLog, kafka_broker: str, sends: int) -> None:
    """A broker that restarts may do it too. The client calls it fatal, and raises that in each of its calls."""
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0", b"1")
    with log.processor(source, group) as processor:
        assert isinstance(processor, KafkaProcessor)
        (first, second) = read(processor, 2)
        processor.send([NewRecord(target, b"key", b"0")], {0: first.offset + 1})
        usurper = confluent_kafka.Producer(
            {"bootstrap.servers": kafka_broker, "transactional.id": processor._transactional_id}  # noqa: SLF001 - no other way to be its rival
        )
        usurper.init_transactions(10)
        with pytest.raises(LogUnavailable):
            processor.send([NewRecord(target, b"key", b"1")] * sends, {0: second.offset + 1})
        (again,) = read(processor, 1)
        processor.send([NewRecord(target, b"key", again.value)], {0: again.offset + 1})
        assert processor.lag() == {0: 0}
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 2)) == [b"0", b"1"]
        assert list(consumer.poll(10, 0.5)) == []


def copy_all(processor: Processor, target: str) -> int:
    """Copy the records of one poll. Returns how many."""
    records = processor.poll(40, 0.1)
    if records:
        next_offsets = {record.partition: record.offset + 1 for record in records}
        processor.send([NewRecord(target, record.key, record.value) for record in records], next_offsets)
    return len(records)


def test_processors_that_start_and_die_copy_every_record_once(log: EventLog) -> None:
    source, target, group = a_topic(log, partitions=4), a_topic(log, partitions=2), a_group()
    append_visits(log, source, 0, 400)
    copied = 0
    with log.processor(source, group) as first:

        def step(processor: Processor) -> None:
            nonlocal copied
            try:
                copied += copy_all(processor, target)
            except LogUnavailable:
                time.sleep(0.05)

        until(lambda: copied >= 100, lambda: step(first))
        with log.processor(source, group) as second:

            def both() -> None:
                step(first)
                step(second)

            until(lambda: len(second.lag()) == 2, both)
            append_visits(log, source, 400, 800)
            until(lambda: copied >= 600, both)
            second.poll(10, 0.1)  # and dies with these
        assert until(lambda: copied >= 800, lambda: step(first))
    with log.consumer(target, a_group(), Owner()) as consumer:
        records = read(consumer, 800)
        assert list(consumer.poll(10, 0.5)) == []
    assert Counter(int(record.value) for record in records) == Counter(range(800))


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("pending", [0, 1])
def test_an_offset_withheld_by_a_transaction_is_noticed_on_any_partition(
    log: EventLog, kafka_broker: str, pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that crashed may withhold it until the transaction is ended again."""
    source, group = a_topic(log, partitions=2), a_group()
    append_visits(log, source, 0, 100)
    dead = confluent_kafka.Producer({"bootstrap.servers": kafka_broker, "transactional.id": f"dead-{group}"})
    dead.init_transactions(10)
    dead.begin_transaction()
    with closing(confluent_kafka.Consumer({"bootstrap.servers": kafka_broker, "group.id": group})) as observer:
        dead.send_offsets_to_transaction([TopicPartition(source, pending, 1)], observer.consumer_group_metadata(), 10)
    noticed: list[bool] = []
    monkeypatch.setattr(KafkaProcessor, "_end_hanging_transaction", lambda _: noticed.append(True))
    with log.processor(source, group) as processor:
        seen: set[int] = set()

        def step() -> None:
            with suppress(LogUnavailable):
                seen.update(record.partition for record in processor.poll(100, 0.5))

        assert until(lambda: bool(noticed), step)
        dead.abort_transaction(10)
        assert until(lambda: seen == {0, 1}, step)


@pytest.mark.timeout(300)
def test_a_broker_crash_loses_and_duplicates_no_record(own_kafka: Kafka) -> None:
    log = KafkaUnderTest(own_kafka.address).log
    source, target = a_topic(log, partitions=2), a_topic(log, partitions=2)
    append_visits(log, source, 0, 2000)
    copied = failures = 0
    with log.processor(source, a_group()) as processor:

        def step() -> None:
            nonlocal copied, failures
            started = time.monotonic()
            try:
                copied += copy_all(processor, target)
            except LogUnavailable:
                failures += 1
            assert time.monotonic() - started < 12

        assert until(lambda: copied >= 400, step)
        records = read(processor, 1, max_records=40)
        own_kafka.kill()
        with pytest.raises(LogUnavailable):
            processor.send([NewRecord(target, b"key", b"lost")], {records[0].partition: records[0].offset + 1})
        assert until(lambda: failures >= 5, step)
        own_kafka.start()
        assert until(lambda: processor.lag() == {0: 0, 1: 0} and copied >= 1000, step, 90)
    with log.consumer(target, a_group(), Owner()) as consumer:
        read_back = read(consumer, 2000)
        assert list(consumer.poll(10, 0.5)) == []
    assert Counter(int(record.value) for record in read_back) == Counter(range(2000))
