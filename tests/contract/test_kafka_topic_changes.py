"""Topics on Kafka that change while they are read: expired records, recreated topics, added partitions."""

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from structlog.testing import capture_logs

from shared.streams.event_log import FromOffset, LogUnavailable, NewRecord, Record
from tests.support.servers.event_logs import (
    KafkaUnderTest,
    Owner,
    a_group,
    a_topic,
    append,
    create_when_gone,
    delete,
    read,
    records,
    recreate,
    until,
    values,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def under_test(kafka_broker: str) -> KafkaUnderTest:
    return KafkaUnderTest(kafka_broker)


@pytest.fixture
def admin(kafka_broker: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_broker})


def test_records_that_expired_unread_are_logged(under_test: KafkaUnderTest) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, *[b"%d" % number for number in range(5)])
    with log.consumer(topic, group, Owner()) as consumer:
        read(consumer, 5)
        consumer.commit({0: 1})
    under_test.expire_before(topic, 0, 4)
    with capture_logs() as lines, log.consumer(topic, group, Owner()) as consumer:
        assert values(read(consumer, 1)) == [b"4"]
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert (warning["topic"], warning["partition"], warning["missing"]) == (topic, 0, 3)


def test_records_that_expire_ahead_of_a_lagging_consumer_are_skipped(under_test: KafkaUnderTest) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, b"0")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        read(consumer, 1)
        append(log, topic, *[b"%d" % number for number in range(1, 5)])
        under_test.expire_before(topic, 0, 4)
        # It may have fetched the expired records already. Otherwise it continues at the earliest retained one.
        assert until(lambda: b"4" in values(consumer.poll(10, 0.2)), lambda: None)


@pytest.mark.parametrize("count", [3, 20], ids=["shorter", "longer"])
def test_a_topic_recreated_while_it_is_read_is_read_from_its_beginning(
    under_test: KafkaUnderTest, admin: AdminClient, count: int
) -> None:
    log = under_test.log
    topic, owner = a_topic(log), Owner()
    fresh = [b"%d" % number for number in range(count)]
    with log.consumer(topic, a_group(), owner) as consumer, log.producer() as producer:
        producer.send(records(topic, *[b"old"] * 5))
        read(consumer, 5)
        recreate(log, admin, topic)
        producer.send(records(topic, *fresh))  # an open producer writes before the consumer refreshes its metadata
        assert values(read(consumer, count)) == fresh
        assert owner.calls[-2:] == ["-0", "+0"]
        assert consumer.lag() == {0: 0}


def test_committed_offsets_do_not_apply_to_a_recreated_topic(under_test: KafkaUnderTest, admin: AdminClient) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, *[b"old"] * 5)
    with log.processor(topic, group) as processor:
        read(processor, 5)
        recreate(log, admin, topic)
        processor.send([], {0: 5})  # read before the topic was deleted
    fresh = [b"%d" % number for number in range(8)]
    append(log, topic, *fresh)
    with log.processor(topic, group) as processor:
        assert values(read(processor, 8)) == fresh


def test_a_deleted_topic_is_reported_by_every_poll(under_test: KafkaUnderTest, admin: AdminClient) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, b"old")
    errors: list[str] = []
    with log.consumer(topic, a_group(), Owner()) as consumer:
        read(consumer, 1)
        delete(admin, topic)

        def poll() -> None:
            try:
                consumer.poll(10, 0.2)
                errors.clear()
            except LogUnavailable as error:
                errors.append(str(error))

        assert until(lambda: len(errors) == 20, poll)
        assert f"topic {topic}: Broker: Unknown topic or partition" in errors[-1]
        create_when_gone(log, topic)
        append(log, topic, b"new")
        assert values(read(consumer, 1)) == [b"new"]


def test_lag_restarts_with_a_recreated_topic(under_test: KafkaUnderTest, admin: AdminClient) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, *[b"old"] * 50)
    with log.consumer(topic, group, Owner()) as consumer:
        read(consumer, 50)
        consumer.commit({0: 50})
    with log.consumer(topic, group, Owner()) as consumer:
        assert until(lambda: consumer.lag() == {0: 0}, lambda: consumer.poll(10, 0.1))
        recreate(log, admin, topic)
        append(log, topic, *[b"new"] * 20)
        found: list[Record] = []

        assert until(lambda: len(found) == 5, lambda: found.extend(consumer.poll(1, 0.2)))
        assert consumer.lag() == {0: 15}


def test_a_topic_recreated_while_nobody_reads_is_read_from_its_beginning(
    under_test: KafkaUnderTest, admin: AdminClient
) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, *[b"old"] * 5)
    with log.consumer(topic, group, Owner()) as consumer:
        read(consumer, 5)
        consumer.commit({0: 5})
    recreate(log, admin, topic)
    fresh = [b"%d" % number for number in range(8)]  # past the committed offset of the old topic
    append(log, topic, *fresh)
    with log.consumer(topic, group, Owner()) as consumer:
        assert values(read(consumer, 8)) == fresh


def test_an_assignment_has_the_id_of_a_recreated_topic(under_test: KafkaUnderTest, admin: AdminClient) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()

    def assigned_id() -> str:
        owner = Owner(FromOffset(0))
        with log.consumer(topic, group, owner) as consumer:
            assert until(lambda: 0 in owner.assigned, lambda: consumer.poll(10, 0.1))
            return owner.assigned[0].topic_id

    before = assigned_id()
    assert before
    assert assigned_id() == before
    recreate(log, admin, topic)
    assert assigned_id() not in ("", before)


def test_added_partitions_are_read_from_their_beginning(under_test: KafkaUnderTest, admin: AdminClient) -> None:
    log = under_test.log
    topic = a_topic(log)
    owner = Owner()
    with log.consumer(topic, a_group(), owner) as consumer:
        assert until(lambda: 0 in owner.assigned, lambda: consumer.poll(10, 0.1))
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result(10)
        with KafkaUnderTest(under_test.broker).log.producer() as producer:
            producer.send([NewRecord(topic, b"visitor-%d" % number, b"%d" % number) for number in range(50)])
        found = read(consumer, 50)  # well before the client's default metadata refresh of 5 min
    assert sorted(int(record.value) for record in found) == list(range(50))
    assert {record.partition for record in found} == {0, 1, 2}
