"""How a group member handles its client: failed commits, outages, and a rebalance in the middle of a poll."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, Producer, TopicPartition
from quixstreams.kafka import Consumer

from shared.streams.event_log import Assignment, FromCommitted, Position
from shared.streams.kafka.errors import SessionOver
from shared.streams.kafka.group_member import GroupMember, OnCommit, OnError, OnRecreated

Rebalanced = Callable[[object, list[TopicPartition]], None]


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    """Messages of one partition, by offset. Only a client can make them, so they come from its mock broker."""
    producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "linger.ms": 0})
    delivered: list[Message] = []
    for _ in range(10):
        producer.produce("topic", b"value", partition=0, on_delivery=lambda _, message: delivered.append(message))
    assert producer.flush(30) == 0
    return sorted(delivered, key=Message.offset)


class ConsumerInMemory:
    """The client of a group member whose id in the group is `member_id`. The test answers its commits.

    Each wait for messages takes the next of `events`: what happens within it, and what it returns.
    """

    def __init__(self, on_commit: OnCommit, on_error: OnError, on_recreated: OnRecreated) -> None:
        self.on_commit = on_commit
        self.on_error = on_error
        self.on_recreated = on_recreated
        self.is_away = False
        self.commits: list[dict[int, int]] = []
        self.member_id = "me"
        self.events: list[tuple[Callable[[], object], list[Message]]] = []
        self.assigned: dict[int, int] = {}  # partition → offset
        self.started: list[tuple[int, int]] = []
        self.calls: list[str] = []

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

    def position(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        return asked

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

    def unsubscribe(self) -> None:
        self.calls.append("leave")
        self.member_id = ""

    def close(self) -> None:
        self.calls.append("close")


class Owner:
    """A listener. Shows the partitions whose state it holds, and its calls."""

    def __init__(self) -> None:
        self.holds: set[int] = set()
        self.calls: list[str] = []

    def on_assigned(self, assignment: Assignment) -> Position:
        self.holds.add(assignment.partition)
        self.calls.append(f"+{assignment.partition}")
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        self.holds.remove(partition)
        self.calls.append(f"-{partition}")


def a_member(
    ask_topic_id: Callable[[], str] = lambda: "id", owner: Owner | None = None, *, is_named: bool = True
) -> tuple[GroupMember, list[ConsumerInMemory]]:
    made: list[ConsumerInMemory] = []

    def make(on_commit: OnCommit, on_error: OnError, on_recreated: OnRecreated) -> Consumer:
        made.append(ConsumerInMemory(on_commit, on_error, on_recreated))
        return cast(Consumer, made[-1])

    member = GroupMember(
        make, "topic", owner or Owner(), ask_topic_id=ask_topic_id, make_observer=no_observer, is_named=is_named
    )
    return member, made


def no_observer() -> Consumer:
    raise AssertionError("no batch is unreadable")


def places(offsets: Mapping[int, int]) -> list[TopicPartition]:
    return [TopicPartition("topic", partition, offset) for partition, offset in offsets.items()]


def test_unchanged_offsets_are_committed_once() -> None:
    member, (consumer,) = a_member()
    for offsets in ({0: 1}, {0: 1}, {0: 2, 1: 7}):
        member.commit(offsets)
        consumer.on_commit(None, places(offsets))
    assert consumer.commits == [{0: 1}, {0: 2, 1: 7}]


def test_offsets_are_committed_again_after_a_failure() -> None:
    member, (consumer,) = a_member()
    member.commit({0: 1})
    consumer.on_commit(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), places({0: 1}))
    member.commit({0: 1})
    assert consumer.commits == [{0: 1}, {0: 1}]


def test_a_duplicate_instance_found_by_a_commit_is_raised_by_every_later_call() -> None:
    member, (consumer,) = a_member()
    member.commit({0: 1})
    consumer.on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    for call in (lambda: member.poll(1, 0), lambda: member.poll(1, 0), lambda: member.commit({0: 2})):
        with pytest.raises(KafkaException) as caught:
            call()
        assert caught.value.args[0].code() == KafkaError.FENCED_INSTANCE_ID


def test_without_a_session_nothing_is_committed_and_the_member_joins_again() -> None:
    member, made = a_member()
    member.commit({0: 1})
    made[0].member_id = ""
    with pytest.raises(SessionOver):
        member.commit({0: 2})
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        member.poll(1, 0)
    member.commit({0: 1})  # again, because the group has dropped us
    assert [consumer.commits for consumer in made] == [[{0: 1}], [{0: 1}]]


def unanswered(consumer: ConsumerInMemory, member: GroupMember) -> None:
    consumer.is_away = True
    with pytest.raises(KafkaException):
        member.poll(1, 0)
    consumer.is_away = False


def reported(consumer: ConsumerInMemory, member: GroupMember) -> None:  # noqa: ARG001 - same signature
    consumer.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))  # noqa: SLF001 - its public name


@pytest.mark.parametrize("outage", [unanswered, reported])
def test_after_an_outage_a_duplicate_instance_counts_as_a_stale_member_once(
    outage: Callable[[ConsumerInMemory, GroupMember], None],
) -> None:
    member, made = a_member()
    outage(made[0], member)
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        member.poll(1, 0)
    reported(made[1], member)  # an address that it tried, as new clients do
    made[1].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(KafkaException, match="FENCED_INSTANCE_ID"):
        member.poll(1, 0)
    assert len(made) == 2


def test_long_after_an_outage_a_duplicate_instance_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    member, (consumer,) = a_member()
    unanswered(consumer, member)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    consumer.on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(KafkaException, match="FENCED_INSTANCE_ID"):
        member.poll(1, 0)


def test_a_partition_lost_and_regained_within_a_poll_is_read_from_its_start_offset(
    messages: list[Message],
) -> None:
    member, (consumer,) = a_member()
    own = places({0: OFFSET_INVALID})
    consumer.events = [(lambda: consumer.on_assign(consumer, own), []), (_nothing, messages[:3]), (_nothing, [])]
    assert member.poll(10, 1).next_offsets() == {0: 3}
    consumer.events = [
        (lambda: consumer.on_revoke(consumer, own), messages[3:5]),  # fetched before: the new owner reads them
        (_nothing, []),
        (lambda: consumer.on_assign(consumer, own), []),
        (_nothing, messages[1:4]),
        (_nothing, []),
    ]
    assert [record.offset for record in member.poll(10, 1)] == [1, 2, 3]
    assert consumer.started == [(0, 1), (0, 1)]


def test_a_recreated_topic_is_started_once_the_asked_broker_knows_its_id() -> None:
    known = ["old", "old", "new"]
    member, (consumer,) = a_member(lambda: known.pop(0))
    consumer.events = [(lambda: consumer.on_assign(consumer, places({0: OFFSET_INVALID})), [])]
    member.poll(10, 0)
    member.poll(10, 0)
    assert member.is_reading(0)
    consumer.events = [(lambda: consumer.on_recreated("new"), [])]
    member.poll(10, 0)
    assert not member.is_reading(0)
    with pytest.raises(KafkaException, match="another topic"):
        member.poll(10, 0)
    assert consumer.assigned == {}
    member.poll(10, 0)
    assert member.is_reading(0)


def test_a_reported_id_that_is_already_read_restarts_nothing() -> None:
    member, (consumer,) = a_member(lambda: "new")
    consumer.events = [(lambda: consumer.on_assign(consumer, places({0: OFFSET_INVALID})), [])]
    member.poll(10, 0)
    member.poll(10, 0)
    consumer.events = [(lambda: consumer.on_recreated("new"), [])]
    member.poll(10, 0)
    assert member.is_reading(0)
    assert consumer.started == [(0, 1)]


def test_a_topic_id_reported_by_an_earlier_client_is_ignored() -> None:
    member, made = a_member(lambda: "newest")
    made[0].on_recreated("new")
    made[0].member_id = ""
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        member.poll(10, 0)
    successor = made[1]
    successor.events = [(lambda: successor.on_assign(successor, places({0: OFFSET_INVALID})), [])]
    member.poll(10, 0)
    member.poll(10, 0)
    assert member.is_reading(0)


def an_owner_of(*partitions: int, ask_topic_id: Callable[[], str] = lambda: "id") -> tuple[Any, Any, Owner]:
    """A member that reads these partitions, its client, and its listener."""
    owner = Owner()
    member, (consumer,) = a_member(ask_topic_id, owner)
    own = places(dict.fromkeys(partitions, OFFSET_INVALID))
    consumer.events = [(lambda: consumer.on_assign(consumer, own), [])]
    member.poll(10, 0)
    member.poll(10, 0)
    assert owner.holds == set(partitions)
    return member, consumer, owner


def lose(consumer: ConsumerInMemory, *partitions: int) -> None:
    own = places(dict.fromkeys(partitions, OFFSET_INVALID))
    consumer.events = [(lambda: consumer.on_lost(consumer, own), [])]


def assign(consumer: ConsumerInMemory, *partitions: int) -> None:
    own = places(dict.fromkeys(partitions, OFFSET_INVALID))
    consumer.events = [(lambda: consumer.on_assign(consumer, own), [])]


def test_partitions_of_an_expired_session_are_kept_and_not_read_until_the_group_assigns_them_anew() -> None:
    member, consumer, owner = an_owner_of(0, 1)
    lose(consumer, 0, 1)
    for _ in range(3):
        with pytest.raises(SessionOver):
            member.poll(10, 0)
    assert (owner.holds, member.lag(), consumer.assigned) == ({0, 1}, {}, {})
    assert not member.is_reading(0)
    assign(consumer, 0)  # the other one has another owner by now
    member.poll(10, 0)
    assert owner.holds == {0}
    member.poll(10, 0)
    assert (member.is_reading(0), owner.calls) == (True, ["+0", "+1", "-1", "+0"])


def test_kept_partitions_are_given_up_on_request() -> None:
    member, consumer, owner = an_owner_of(0, 1)
    lose(consumer, 0, 1)
    with pytest.raises(SessionOver):
        member.poll(10, 0)
    member.revoke_kept()
    assert owner.holds == set()
    assert list(member.poll(10, 0)) == []


def test_partitions_that_are_read_are_not_given_up_on_request() -> None:
    member, _, owner = an_owner_of(0, 1)
    member.revoke_kept()
    assert owner.holds == {0, 1}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_partitions_of_a_deleted_topic_are_kept(is_deleted: bool) -> None:
    failure: list[KafkaException] = []

    def ask_topic_id() -> str:
        if failure:
            raise failure[0]
        return "id"

    member, consumer, owner = an_owner_of(0, ask_topic_id=ask_topic_id)
    if is_deleted:
        failure.append(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
    own = places({0: OFFSET_INVALID})
    consumer.events = [(lambda: consumer.on_revoke(consumer, own), []), (lambda: consumer.on_assign(consumer, []), [])]
    for _ in range(2):
        with suppress(SessionOver):
            member.poll(10, 0)
    assert owner.holds == ({0} if is_deleted else set())


def test_a_member_closes_what_it_kept() -> None:
    member, consumer, owner = an_owner_of(0)
    lose(consumer, 0)
    with pytest.raises(SessionOver):
        member.poll(10, 0)
    member.close()
    assert owner.holds == set()


@pytest.mark.parametrize(("is_named", "calls"), [(True, ["close"]), (False, ["leave", "close"])])
def test_only_a_member_without_a_configured_name_leaves_its_group(is_named: bool, calls: list[str]) -> None:
    member, (consumer,) = a_member(is_named=is_named)
    member.poll(10, 0)
    member.close()
    assert consumer.calls == calls


def test_a_member_without_a_configured_name_is_never_fenced() -> None:
    member, made = a_member(is_named=False)
    member.commit({0: 1})
    made[0].on_commit(KafkaError(KafkaError.FENCED_INSTANCE_ID), places({0: 1}))
    with pytest.raises(SessionOver):
        member.poll(1, 0)
    assert len(made) == 2


def _nothing() -> None:
    pass
