"""Static membership on Kafka: a replica with a name has its partitions back after a restart, and has the name alone."""

import time

import pytest

from shared.streams import Assignment, EventLog, Fenced, FromCommitted, NewRecord, Position
from tests.contract.event_logs import KafkaUnderTest, a_group, a_topic, append, read, until, within

pytestmark = pytest.mark.kafka


class Replica:
    """A member of a group under a name, and what it was told."""

    def __init__(self, broker: str, name: str, topic: str, group: str) -> None:
        self.owned: set[int] = set()
        self.heard: list[str] = []
        self.values: set[bytes] = set()
        self.consumer = KafkaUnderTest(broker, name).log.consumer(topic, group, self)

    def on_assigned(self, assignment: Assignment) -> Position:
        self.owned.add(assignment.partition)
        self.heard.append(f"+{assignment.partition}")
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        self.owned.discard(partition)
        self.heard.append(f"-{partition}")

    def step(self) -> None:
        self.values |= {record.value for record in self.consumer.poll(50, 0.05)}


@pytest.fixture
def log(kafka_broker: str) -> EventLog:
    return KafkaUnderTest(kafka_broker).log


def two_replicas(kafka_broker: str, topic: str, group: str) -> tuple[Replica, Replica]:
    """Two of them, with two of the four partitions each."""
    first, second = (Replica(kafka_broker, name, topic, group) for name in ("first", "second"))

    def both() -> None:
        first.step()
        second.step()

    assert until(lambda: len(first.owned) == len(second.owned) == 2, both)
    return first, second


def test_a_restart_within_the_session_gives_the_partitions_back_and_moves_none(
    log: EventLog, kafka_broker: str
) -> None:
    topic, group = a_topic(log, partitions=4), a_group()
    first, second = two_replicas(kafka_broker, topic, group)
    owned_before, heard_before = set(first.owned), list(second.heard)
    first.consumer.close()  # and does not leave the group
    gone_until = time.monotonic() + 4  # of the session's 10 s
    until(lambda: time.monotonic() > gone_until, second.step, 6)
    returned = Replica(kafka_broker, "first", topic, group)

    def both() -> None:
        returned.step()
        second.step()

    assert until(lambda: returned.owned == owned_before, both, 5)
    with log.producer() as producer:
        producer.send([NewRecord(topic, b"visitor-%d" % number, b"%d" % number) for number in range(100)])
    assert until(lambda: len(returned.values | second.values) == 100, both)
    assert second.heard == heard_before
    assert returned.owned == owned_before
    assert returned.values
    assert second.values
    returned.consumer.close()
    second.consumer.close()


def test_a_second_process_of_the_same_name_fences_the_first(log: EventLog, kafka_broker: str) -> None:
    topic, group = a_topic(log, partitions=2), a_group()
    first = Replica(kafka_broker, "twin", topic, group)
    assert until(lambda: len(first.owned) == 2, first.step)
    second = Replica(kafka_broker, "twin", topic, group)

    def both() -> None:
        second.step()
        first.step()

    with pytest.raises(Fenced, match="KAFKA_INSTANCE_ID"):
        until(lambda: False, both)
    with pytest.raises(Fenced):  # and whoever goes on all the same is told again
        first.consumer.poll(10, 0.1)
    with pytest.raises(Fenced):
        first.consumer.commit({0: 0})
    with within(3):
        first.consumer.close()
    assert first.owned == set()  # it closed its state
    append(log, topic, b"click")
    assert until(lambda: second.values == {b"click"}, second.step)
    second.consumer.close()


def test_a_fenced_processor_sends_nothing(log: EventLog, kafka_broker: str) -> None:
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    with KafkaUnderTest(kafka_broker, "twin").log.processor(source, group) as first:
        (record,) = read(first, 1)
        with KafkaUnderTest(kafka_broker, "twin").log.processor(source, group) as second:
            assert read(second, 1) == [record]
            with pytest.raises(Fenced, match="KAFKA_INSTANCE_ID"):
                first.send([NewRecord(target, b"key", b"0")], {0: record.offset + 1})
            second.send([NewRecord(target, b"key", b"0")], {0: record.offset + 1})
