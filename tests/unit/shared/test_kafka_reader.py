"""What a reader makes of its client: commits that fail, and a rebalance in the middle of a poll."""

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, Producer, TopicPartition
from quixstreams.kafka import Consumer

from shared.streams.event_log import Assignment, FromCommitted, Position
from shared.streams.kafka.reader import OnCommit, OnError, OnMadeAnew, Reader, SessionOver

Rebalanced = Callable[[object, list[TopicPartition]], None]


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    """Messages of one partition, by offset: of a broker within the client, as nobody else can make any."""
    producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "linger.ms": 0})
    delivered: list[Message] = []
    for _ in range(10):
        producer.produce("topic", b"value", partition=0, on_delivery=lambda _, message: delivered.append(message))
    assert producer.flush(30) == 0
    return sorted(delivered, key=Message.offset)


class ConsumerInMemory:
    """What a reader asks of its consumer, in a group where it is called `member_id`. Answers commits when asked to.

    Each wait for messages takes the next of `events`: something that happens within it, and what it returns.
    """

    def __init__(self, on_commit: OnCommit, on_error: OnError, on_made_anew: OnMadeAnew) -> None:
        self.on_commit = on_commit
        self.on_error = on_error
        self.on_made_anew = on_made_anew
        self.is_away = False
        self.commits: list[dict[int, int]] = []
        self.member_id = "me"
        self.events: list[tuple[Callable[[], object], list[Message]]] = []
        self.assigned: dict[int, int] = {}  # partition → offset
        self.started: list[tuple[int, int]] = []

    def memberid(self) -> str:
        return self.member_id

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        self.commits.append({place.partition: place.offset for place in offsets})

    def subscribe(self, _: object, on_assign: Rebalanced, on_revoke: Rebalanced, on_lost: Rebalanced) -> None:
        self.on_assign, self.on_revoke, self.on_lost = on_assign, on_revoke, on_lost

    def consume(self, _: int, timeout: float) -> list[Any]:  # noqa: ARG002 - it never waits
        happens, messages = self.events.pop(0) if self.events else (lambda: None, [])
        happens()
        return messages

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return 0, 10

    def committed(self, asked: list[TopicPartition], **_: object) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, 1) for place in asked]

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        for place in places:
            assert place.partition not in self.assigned
            assert place.offset >= 0, "a client that looks an offset up may go back to it later"
            self.assigned[place.partition] = place.offset
            self.started.append((place.partition, place.offset))

    def assignment(self) -> list[TopicPartition]:
        return places(self.assigned)

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        for place in places:
            del self.assigned[place.partition]

    def list_topics(self, topic: str, **__: object) -> SimpleNamespace:
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))  # noqa: SLF001 - its public name
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None)})

    def close(self) -> None: ...


class Nobody:
    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - the interface's
        return FromCommitted()

    def on_revoked(self, partition: int) -> None: ...


def a_reader(ask_topic_id: Callable[[], str] = lambda: "id") -> tuple[Reader, list[ConsumerInMemory]]:
    made: list[ConsumerInMemory] = []

    def make(on_commit: OnCommit, on_error: OnError, on_made_anew: OnMadeAnew) -> Consumer:
        made.append(ConsumerInMemory(on_commit, on_error, on_made_anew))
        return cast(Consumer, made[-1])

    return Reader(make, "topic", Nobody(), ask_topic_id=ask_topic_id), made


def places(offsets: Mapping[int, int]) -> list[TopicPartition]:
    return [TopicPartition("topic", partition, offset) for partition, offset in offsets.items()]


def test_offsets_are_told_once() -> None:
    reader, (consumer,) = a_reader()
    for offsets in ({0: 1}, {0: 1}, {0: 2, 1: 7}):
        reader.commit(offsets)
        consumer.on_commit(None, places(offsets))
    assert consumer.commits == [{0: 1}, {0: 2, 1: 7}]


def test_offsets_that_were_not_taken_are_told_again() -> None:
    reader, (consumer,) = a_reader()
    reader.commit({0: 1})
    consumer.on_commit(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), places({0: 1}))
    reader.commit({0: 1})
    assert consumer.commits == [{0: 1}, {0: 1}]


def test_a_twin_that_a_commit_tells_of_is_told_by_poll_and_ever_after() -> None:
    reader, (consumer,) = a_reader()
    reader.commit({0: 1})
    consumer.on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    for call in (lambda: reader.poll(1, 0), lambda: reader.poll(1, 0), lambda: reader.commit({0: 2})):
        with pytest.raises(KafkaException) as caught:
            call()
        assert caught.value.args[0].code() == KafkaError.FENCED_INSTANCE_ID


def test_without_a_session_nothing_is_told_and_the_group_is_joined_anew() -> None:
    reader, made = a_reader()
    reader.commit({0: 1})
    made[0].member_id = ""
    with pytest.raises(SessionOver):
        reader.commit({0: 2})
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        reader.poll(1, 0)
    reader.commit({0: 1})  # to a group that does not know us any more: again
    assert [consumer.commits for consumer in made] == [[{0: 1}], [{0: 1}]]


def asked(consumer: ConsumerInMemory, reader: Reader) -> None:
    consumer.is_away = True
    with pytest.raises(KafkaException):
        reader.poll(1, 0)
    consumer.is_away = False


def told(consumer: ConsumerInMemory, reader: Reader) -> None:  # noqa: ARG001 - as the other
    consumer.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))  # noqa: SLF001 - its public name


@pytest.mark.parametrize("outage", [asked, told])
def test_after_an_outage_a_twin_is_taken_for_what_the_broker_remembers_of_us_once(
    outage: Callable[[ConsumerInMemory, Reader], None],
) -> None:
    reader, made = a_reader()
    outage(made[0], reader)
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        reader.poll(1, 0)
    told(made[1], reader)  # of an address that it tried, as new clients do
    made[1].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(KafkaException, match="FENCED_INSTANCE_ID"):
        reader.poll(1, 0)
    assert len(made) == 2


def test_long_after_an_outage_a_twin_is_a_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, (consumer,) = a_reader()
    asked(consumer, reader)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    consumer.on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(KafkaException, match="FENCED_INSTANCE_ID"):
        reader.poll(1, 0)


def test_a_partition_that_left_and_came_back_within_a_poll_is_read_from_where_it_starts(
    messages: list[Message],
) -> None:
    reader, (consumer,) = a_reader()
    own = places({0: OFFSET_INVALID})
    consumer.events = [(lambda: consumer.on_assign(consumer, own), []), (_nothing, messages[:3]), (_nothing, [])]
    assert reader.poll(10, 1).next_offsets() == {0: 3}
    consumer.events = [
        (lambda: consumer.on_lost(consumer, own), messages[3:5]),  # of before: whoever owns it now reads them
        (_nothing, []),
        (lambda: consumer.on_assign(consumer, own), []),
        (_nothing, messages[1:4]),
        (_nothing, []),
    ]
    assert [record.offset for record in reader.poll(10, 1)] == [1, 2, 3]
    assert consumer.started == [(0, 1), (0, 1)]


def test_a_topic_made_anew_is_started_when_the_broker_that_is_asked_knows_it_too() -> None:
    known = ["old", "old", "new"]
    reader, (consumer,) = a_reader(lambda: known.pop(0))
    consumer.events = [(lambda: consumer.on_assign(consumer, places({0: OFFSET_INVALID})), [])]
    reader.poll(10, 0)
    reader.poll(10, 0)
    assert reader.is_reading(0)
    consumer.events = [(lambda: consumer.on_made_anew("new"), [])]
    reader.poll(10, 0)
    assert not reader.is_reading(0)
    with pytest.raises(KafkaException, match="another topic"):
        reader.poll(10, 0)
    assert consumer.assigned == {}
    reader.poll(10, 0)
    assert reader.is_reading(0)


def test_a_change_of_the_topic_that_is_known_already_starts_nothing_again() -> None:
    reader, (consumer,) = a_reader(lambda: "new")
    consumer.events = [(lambda: consumer.on_assign(consumer, places({0: OFFSET_INVALID})), [])]
    reader.poll(10, 0)
    reader.poll(10, 0)
    consumer.events = [(lambda: consumer.on_made_anew("new"), [])]
    reader.poll(10, 0)
    assert reader.is_reading(0)
    assert consumer.started == [(0, 1)]


def test_what_a_client_before_told_of_the_topic_does_not_hold_for_its_successor() -> None:
    reader, made = a_reader(lambda: "newest")
    made[0].on_made_anew("new")
    made[0].member_id = ""
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        reader.poll(10, 0)
    successor = made[1]
    successor.events = [(lambda: successor.on_assign(successor, places({0: OFFSET_INVALID})), [])]
    reader.poll(10, 0)
    reader.poll(10, 0)
    assert reader.is_reading(0)


def _nothing() -> None:
    pass
