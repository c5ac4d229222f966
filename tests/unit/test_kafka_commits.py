"""Commits, which nobody waits for: what becomes of those that fail."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from quixstreams.kafka import Consumer

from shared.streams import Assignment, FromCommitted, Position
from shared.streams.kafka_reader import OnCommit, Reader, SessionOver


class ConsumerInMemory:
    """What a reader asks of its consumer, in a group where it is called `member_id`. Answers commits when asked to."""

    def __init__(self, on_commit: OnCommit) -> None:
        self.on_commit = on_commit
        self.commits: list[dict[int, int]] = []
        self.member_id = "me"

    def memberid(self) -> str:
        return self.member_id

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        self.commits.append({place.partition: place.offset for place in offsets})

    def subscribe(self, *_: object, **__: object) -> None: ...
    def list_topics(self, *_: object, **__: object) -> None: ...
    def close(self) -> None: ...
    def consume(self, *_: object, **__: object) -> list[Any]:
        return []


class Nobody:
    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - the interface's
        return FromCommitted()

    def on_revoked(self, partition: int) -> None: ...


def a_reader() -> tuple[Reader, list[ConsumerInMemory]]:
    made: list[ConsumerInMemory] = []

    def make(on_commit: OnCommit) -> Consumer:
        made.append(ConsumerInMemory(on_commit))
        return cast(Consumer, made[-1])

    return Reader(make, "topic", Nobody()), made


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
