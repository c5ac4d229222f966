"""The event logs of the contract tests (Kafka, Redis, and Redis in memory), and what tests do to them."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol

import fakeredis
import redis
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import (
    Assignment,
    Consumer,
    EventLog,
    FromCommitted,
    LogUnavailable,
    NewRecord,
    Position,
    Processor,
    Record,
    TopicSpec,
)
from shared.streams.redis.layout import entry_id_of, stream_key
from shared.streams.redis.log import RedisLog

HOUR_MS = 3_600_000
TIMEOUT_SECONDS = 60.0
LEASE_SECONDS = 2.0  # longer than a busy machine delays its holder
MOST_RECORDS = 20_000


class LogUnderTest(Protocol):
    """An event log, and an operation that only tests need."""

    log: EventLog

    def expire_before(self, topic: str, partition: int, offset: int) -> None:
        """Drop the records before `offset`, as retention does."""


class RedisUnderTest:
    """A log in a real Redis, or in fakeredis."""

    def __init__(self, open_client: Callable[[], redis.Redis], prefix: str = "") -> None:
        self.open_client = open_client
        self.prefix = prefix
        self.log = self.open_log()

    def open_log(self) -> EventLog:
        """Another process's view of the same log."""
        return RedisLog(
            self.open_client,
            "under test",
            prefix=self.prefix,
            partitions=2,
            retention_ms=24 * HOUR_MS,
            most_records=MOST_RECORDS,
            lease_seconds=LEASE_SECONDS,
        )

    def expire_before(self, topic: str, partition: int, offset: int) -> None:
        with self.open_client() as client:
            client.xtrim(
                stream_key(self.prefix, topic, partition), minid=entry_id_of(offset).decode(), approximate=False
            )


def real_redis(url: str) -> RedisUnderTest:
    """A log in the Redis at `url`."""
    return RedisUnderTest(partial(connect, url))


def fake_redis() -> RedisUnderTest:
    """A log in this process's memory."""
    server = fakeredis.FakeServer()
    return RedisUnderTest(lambda: fakeredis.FakeRedis(server=server))


class KafkaUnderTest:
    """A log on a real Kafka."""

    def __init__(self, broker: str, instance_id: str | None = None) -> None:
        self.broker = broker
        self.log = open_log(ServiceSettings(kafka_broker=broker, kafka_instance_id=instance_id), "test")

    def expire_before(self, topic: str, partition: int, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker})
        for deleted in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
            deleted.result(10)


class Owner:
    """A listener that records its calls and returns a given position."""

    def __init__(self, start: Position | Callable[[Assignment], Position] = FromCommitted()) -> None:  # noqa: B008 - frozen
        self._start = start
        self.assigned: dict[int, Assignment] = {}
        self.calls: list[str] = []

    def on_assigned(self, assignment: Assignment) -> Position:
        self.assigned[assignment.partition] = assignment
        self.calls.append(f"+{assignment.partition}")
        return self._start(assignment) if callable(self._start) else self._start

    def on_revoked(self, partition: int) -> None:
        del self.assigned[partition]
        self.calls.append(f"-{partition}")


def a_topic(log: EventLog, partitions: int = 1) -> str:
    """A new topic."""
    name = f"topic-{uuid.uuid4().hex[:12]}"
    log.ensure_topics([TopicSpec(name, partitions, 24 * HOUR_MS)])
    return name


def a_group() -> str:
    """A new group."""
    return f"group-{uuid.uuid4().hex[:12]}"


def append(log: EventLog, topic: str, *values: bytes, key: bytes | None = b"visitor") -> None:
    """Append the values under one key."""
    with log.producer() as producer:
        producer.send(records(topic, *values, key=key))


def records(topic: str, *values: bytes, key: bytes | None = b"visitor") -> list[NewRecord]:
    """New records with the values under one key."""
    return [NewRecord(topic, key, value) for value in values]


def read(reader: Consumer | Processor, count: int, max_records: int = 1000) -> list[Record]:
    """Poll until `count` records are read, or time is up."""
    found: list[Record] = []
    until(lambda: len(found) >= count, lambda: found.extend(reader.poll(max_records, 0.2)))
    return found


def until(condition: Callable[[], bool], step: Callable[[], object], seconds: float = TIMEOUT_SECONDS) -> bool:
    """Take steps until the condition holds or time is up. Returns whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        with suppress(LogUnavailable):  # a busy broker answers late
            step()
    return True


def recreate(log: EventLog, admin: AdminClient, topic: str) -> None:
    """Delete a topic of one partition and create it again."""
    delete(admin, topic)
    create_when_gone(log, topic)


def delete(admin: AdminClient, topic: str) -> None:
    """Delete the topic. Returns when the broker no longer lists it."""
    admin.delete_topics([topic])[topic].result(10)
    assert until(lambda: topic not in admin.list_topics(timeout=10).topics, partial(time.sleep, 0.005))


def create_when_gone(log: EventLog, topic: str) -> None:
    """Create the topic as soon as the broker has deleted the old one."""
    created: list[str] = []

    def create() -> None:
        log.ensure_topics([TopicSpec(topic, 1, 24 * HOUR_MS)])
        created.append(topic)

    assert until(lambda: bool(created), create)


def values(records: Sequence[Record]) -> list[bytes]:
    """The values of the records, in order."""
    return [record.value for record in records]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail unless the block ends in time."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds
