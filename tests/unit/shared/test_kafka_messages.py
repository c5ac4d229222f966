"""Messages of Kafka's client as records, and the errors among them."""

import pytest
from confluent_kafka import KafkaError, Message, Producer

from shared.streams.event_log import Record, RecordBatch
from shared.streams.kafka.messages import MessageBatch, split_errors


def test_messages_are_records() -> None:
    producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "linger.ms": 0})
    delivered: list[Message] = []  # only a client can make messages
    for partition, value in [(0, b"value"), (0, None), (1, b"value")]:  # None is a tombstone
        producer.produce("topic", value, b"key", partition, lambda _, message: delivered.append(message))
        assert producer.flush(30) == 0
    delivered[0].set_headers([("reason", b"late"), ("empty", None)])
    batch = MessageBatch(delivered)
    first_ms, second_ms, third_ms = batch.timestamps_ms
    expected = [
        Record(0, 0, first_ms, b"key", b"value", (("reason", b"late"), ("empty", b""))),
        Record(0, 1, second_ms, b"key", b""),
        Record(1, 0, third_ms, b"key", b"value"),
    ]
    assert list(batch) == expected
    assert (batch[2], list(batch[1:]), len(batch)) == (expected[2], expected[1:], 3)
    assert batch.values == [b"value", b"", b"value"]
    assert batch.next_offsets() == {0: 2, 1: 1}
    own = batch.by_partition()
    assert {number: list(records) for number, records in own.items()} == {0: expected[:2], 1: expected[2:]}
    assert list(own[1].followed_by([own[0], MessageBatch(())])) == [expected[2], *expected[:2]]
    assert list(own[1].followed_by([RecordBatch(expected[:1])])) == [expected[2], expected[0]]
    assert {number: list(records) for number, records in RecordBatch(expected).by_partition().items()} == {
        0: expected[:2],
        1: expected[2:],
    }
    assert MessageBatch(()).by_partition() == {}


PASSING = KafkaError(KafkaError._MAX_POLL_EXCEEDED)  # noqa: SLF001 - its public name
FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID)


@pytest.mark.parametrize(
    ("errors", "records", "first", "fatal"),
    [
        ([PASSING, None], [1], PASSING, None),
        ([None, PASSING, FENCED], [0], PASSING, FENCED),
        ([FENCED], [], FENCED, FENCED),
    ],
)
def test_errors_are_separated_from_records_and_fatal_ones_from_others(
    errors: list[KafkaError | None], records: list[int], first: KafkaError, fatal: KafkaError | None
) -> None:
    found = split_errors(range(len(errors)), errors)
    assert (list(found.messages), found.first, found.fatal) == (records, first, fatal)
