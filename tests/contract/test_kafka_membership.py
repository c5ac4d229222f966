"""Static membership on Kafka: an instance keeps its partitions through a restart, and its name is unique."""

import time
from contextlib import suppress
from threading import Timer

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from shared.events.refusals import dead_letter_topic
from shared.streams.event_log import (
    Assignment,
    EventLog,
    Fenced,
    FromCommitted,
    LogUnavailable,
    NewRecord,
    Position,
    Processor,
    TopicSpec,
)
from tests.support.servers.event_logs import (
    KafkaUnderTest,
    Owner,
    a_group,
    a_topic,
    append,
    read,
    until,
    values,
    within,
)
from tests.support.servers.kafka.broker import Kafka

pytestmark = pytest.mark.kafka


class Replica:
    """A named member of a group, and the calls of its listener."""

    def __init__(self, broker: str, name: str, topic: str, group: str) -> None:
        self.owned: set[int] = set()
        self.calls: list[str] = []
        self.values: set[bytes] = set()
        self.consumer = KafkaUnderTest(broker, name).log.consumer(topic, group, self)

    def on_assigned(self, assignment: Assignment) -> Position:
        self.owned.add(assignment.partition)
        self.calls.append(f"+{assignment.partition}")
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        self.owned.discard(partition)
        self.calls.append(f"-{partition}")

    def step(self) -> None:
        self.values |= {record.value for record in self.consumer.poll(50, 0.05)}


@pytest.fixture
def log(kafka_broker: str) -> EventLog:
    return KafkaUnderTest(kafka_broker).log


def two_replicas(kafka_broker: str, topic: str, group: str) -> tuple[Replica, Replica]:
    """Two replicas with two of the four partitions each."""
    first, second = (Replica(kafka_broker, name, topic, group) for name in ("first", "second"))

    def both() -> None:
        first.step()
        second.step()

    assert until(lambda: len(first.owned) == len(second.owned) == 2, both)
    return first, second


def between_two_rounds(log: EventLog, kafka_broker: str, topic: str, group: str) -> tuple[Replica, Replica]:
    """Two replicas. The group revokes two of the first's four partitions, and the first does not poll to see it."""
    log.ensure_topics([TopicSpec(dead_letter_topic(topic), 1, 3_600_000)])
    first = Replica(kafka_broker, "first", topic, group)
    assert until(lambda: len(first.owned) == 4, first.step)
    second = Replica(kafka_broker, "second", topic, group)
    admin = AdminClient({"bootstrap.servers": kafka_broker})

    def is_between_the_rounds() -> bool:
        second.step()
        known = admin.describe_consumer_groups([group])[group].result(10)
        return known.state is ConsumerGroupState.STABLE and len(known.members) == 2

    assert until(is_between_the_rounds, lambda: None)
    return first, second


def test_a_restart_within_the_session_returns_the_partitions_and_moves_none(log: EventLog, kafka_broker: str) -> None:
    topic, group = a_topic(log, partitions=4), a_group()
    log.ensure_topics([TopicSpec(dead_letter_topic(topic), 1, 3_600_000)])
    first, second = two_replicas(kafka_broker, topic, group)
    owned_before, calls_before = set(first.owned), list(second.calls)
    first.consumer.close()  # without leaving the group
    gone_until = time.monotonic() + 4  # of the session's 10 s
    until(lambda: time.monotonic() > gone_until, second.step, 6)
    returned = Replica(kafka_broker, "first", topic, group)

    def both() -> None:
        returned.step()
        second.step()

    assert until(lambda: returned.owned == owned_before, both)
    asked_until = time.monotonic() + 8  # longer than until a member triggers a rebalance
    until(lambda: time.monotonic() > asked_until, both)
    assert returned.calls == [f"+{partition}" for partition in sorted(owned_before)]
    with log.producer() as producer:
        producer.send([NewRecord(topic, b"visitor-%d" % number, b"%d" % number) for number in range(100)])
    assert until(lambda: len(returned.values | second.values) == 100, both)
    assert second.calls == calls_before
    assert returned.owned == owned_before
    assert returned.values
    assert second.values
    returned.consumer.close()
    second.consumer.close()


def test_a_replica_that_dies_during_a_rebalance_leaves_no_partition_without_a_reader(
    log: EventLog, kafka_broker: str
) -> None:
    topic, group = a_topic(log, partitions=4), a_group()
    first, second = between_two_rounds(log, kafka_broker, topic, group)
    successor = Replica(kafka_broker, "first", topic, group)

    def both() -> None:
        successor.step()
        second.step()

    assert until(lambda: len(successor.owned) == len(second.owned) == 2, both)
    for replica in (first, second, successor):
        replica.consumer.close()


def test_a_replica_closes_during_a_rebalance_it_has_not_seen(log: EventLog, kafka_broker: str) -> None:
    """Its client gives everything up with the first of two revocations, and is closed when it reports the second."""
    first, second = between_two_rounds(log, kafka_broker, a_topic(log, partitions=4), a_group())
    first.consumer.close()
    assert first.owned == set()
    second.consumer.close()


def test_a_duplicate_instance_fences_the_first(log: EventLog, kafka_broker: str) -> None:
    topic, group = a_topic(log, partitions=2), a_group()
    first = Replica(kafka_broker, "duplicate", topic, group)
    assert until(lambda: len(first.owned) == 2, first.step)
    second = Replica(kafka_broker, "duplicate", topic, group)

    def both() -> None:
        second.step()
        first.step()

    with pytest.raises(Fenced, match="KAFKA_INSTANCE_ID"):
        until(lambda: False, both)
    with pytest.raises(Fenced):  # and again on the next call
        first.consumer.poll(10, 0.1)
    with pytest.raises(Fenced):
        first.consumer.commit({0: 0})
    with within(8):
        first.consumer.close()
    assert first.owned == set()  # its owner closed its state
    append(log, topic, b"click")
    assert until(lambda: second.values == {b"click"}, second.step)
    second.consumer.close()


def test_a_fenced_processor_sends_nothing(log: EventLog, kafka_broker: str) -> None:
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    with KafkaUnderTest(kafka_broker, "duplicate").log.processor(source, group) as first:
        (record,) = read(first, 1)
        with KafkaUnderTest(kafka_broker, "duplicate").log.processor(source, group) as second:
            assert read(second, 1) == [record]
            with pytest.raises(Fenced, match="KAFKA_INSTANCE_ID"):
                first.send([NewRecord(target, b"key", b"0")], {0: record.offset + 1})
            second.send([NewRecord(target, b"key", b"0")], {0: record.offset + 1})


@pytest.mark.slow
def test_one_of_two_duplicate_instances_goes_on_after_an_outage(own_kafka: Kafka) -> None:
    """The first takes the second for a stale member of its own. One is fenced, never both."""
    log = KafkaUnderTest(own_kafka.address).log
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    processors = [KafkaUnderTest(own_kafka.address, "duplicate").log.processor(source, group) for _ in range(2)]
    first, second = processors
    read(first, 1)
    own_kafka.kill()

    def poll_forever() -> None:
        while True:
            first.poll(1, 0.2)

    with pytest.raises(LogUnavailable):
        poll_forever()
    own_kafka.start()

    copied: list[bytes] = []

    def copy(processor: Processor) -> None:
        with suppress(LogUnavailable):
            records = processor.poll(10, 0.1)
            if records:
                processor.send([NewRecord(target, b"key", value) for value in records.values], records.next_offsets())
                copied.extend(records.values)

    assert until(lambda: copied == [b"0"], lambda: copy(second))
    with pytest.raises(LogUnavailable):  # not Fenced
        first.send([NewRecord(target, b"key", b"first")], {0: 1})
    fenced: list[Processor] = []

    def both() -> None:
        for processor in processors:
            try:
                copy(processor)
            except Fenced:
                fenced.append(processor)

    assert until(lambda: bool(fenced), both)
    (left,) = [processor for processor in processors if processor not in fenced]
    append(log, source, b"1")
    assert until(lambda: b"1" in copied, lambda: copy(left))
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 2)) == [b"0", b"1"]
    for processor in processors:
        processor.close()


SESSION_SECONDS = 10.0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_waiting", [False, True], ids=["after the return", "pending at the return"])
def test_a_commit_at_the_end_of_the_session_is_not_fenced(own_kafka: Kafka, is_waiting: bool) -> None:
    """Without the broker for a session, the client drops its id, and the broker takes it for fenced."""
    log = KafkaUnderTest(own_kafka.address).log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0")
    replica = Replica(own_kafka.address, "alone", topic, group)
    with replica.consumer:
        assert until(lambda: replica.values == {b"0"}, replica.step)
        own_kafka.kill()
        returning = Timer(SESSION_SECONDS + 1, own_kafka.start)
        returning.start()
        if not is_waiting:
            returning.join()
        with suppress(LogUnavailable):  # but not Fenced
            replica.consumer.commit({0: 1})
        returning.join()
        taken: list[bytes] = []

        def append_one() -> None:
            append(log, topic, b"1")
            taken.append(b"1")

        assert until(lambda: bool(taken), append_one)  # the broker listens before it leads
        assert until(lambda: b"1" in replica.values, replica.step)
        replica.consumer.commit({0: 2})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_processor_whose_session_ended_sends_again(own_kafka: Kafka) -> None:
    log = KafkaUnderTest(own_kafka.address, "alone").log
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    with log.processor(source, group) as processor:
        read(processor, 1)
        own_kafka.kill()
        time.sleep(SESSION_SECONDS + 1)
        own_kafka.start()
        sent: list[bytes] = []

        def copy() -> None:
            with suppress(LogUnavailable):
                if not sent:
                    processor.send([NewRecord(target, b"key", b"0")], {0: 1})
                    sent.append(b"0")

        def poll_and_copy() -> None:
            copy()
            with suppress(LogUnavailable):
                processor.poll(10, 0.1)

        assert until(lambda: bool(sent), poll_and_copy)
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 1)) == [b"0"]
