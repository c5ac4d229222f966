"""The event log on Redis Streams: the small-site log, one replica a service, nothing to run but Redis (7 or later).

`shared.streams.redis.layout` says how it lies in Redis. A topic that nobody created has the default specification.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Self

import redis

from shared.streams.event_log import (
    Assignment,
    FromCommitted,
    Listener,
    LogUnavailable,
    NewRecord,
    Position,
    Record,
    RecordBatch,
    ToAppend,
    TopicSpec,
)
from shared.streams.redis.layout import encode_spec, topics_key
from shared.streams.redis.reader import Reader
from shared.streams.redis.topics import Topics

LEASE_SECONDS: Final = 3.0
"""How long a dead process keeps its successor waiting. A pause longer than this costs nothing unless another came."""

_SEND_AT_ONCE: Final = 2_000

_REFUSALS: Final = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)
"""All that Redis may answer is waited out, a key of the wrong type too: the message tells what somebody must mend."""


class RedisLog:
    """As `EventLog`. `connect` makes a connection; each consumer, producer and processor has its own."""

    def __init__(
        self,
        connect: Callable[[], redis.Redis],
        address: str,
        *,
        prefix: str,
        partitions: int,
        retention_ms: int,
        most_records: int,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._connect = connect
        self._address = address
        self._prefix = prefix
        self._partitions = partitions
        self._retention_ms = retention_ms
        self._most_records = most_records
        self._lease_seconds = lease_seconds

    @property
    def address(self) -> str:
        """Redis's host and port."""
        return self._address

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """As `EventLog.ensure_topics`."""
        with _outages(), self._connect() as client, client.pipeline() as transaction:
            for topic in topics:
                transaction.hsetnx(topics_key(self._prefix), topic.name, encode_spec(topic))
            transaction.execute()

    def consumer(self, topic: str, group: str, listener: Listener) -> "RedisConsumer":
        """As `EventLog.consumer`."""
        return RedisConsumer(self._source(topic, group, listener))

    def producer(self) -> "RedisProducer":
        """As `EventLog.producer`."""
        return RedisProducer(self._topics(self._connect()))

    def processor(self, topic: str, group: str) -> "RedisProcessor":
        """As `EventLog.processor`."""
        return RedisProcessor(self._source(topic, group, _Committed()))

    def close(self) -> None:
        """As `EventLog.close`."""

    def _topics(self, client: redis.Redis) -> Topics:
        return Topics(client, self._prefix, self._partitions, self._retention_ms, self._most_records)

    def _source(self, topic: str, group: str, listener: Listener) -> "_Source":
        client = self._connect()
        topics = self._topics(client)
        return _Source(
            topics,
            lambda: Reader(client, self._prefix, topics.spec(topic), group, self._lease_seconds, listener),
        )


class RedisConsumer:
    """As `Consumer`."""

    def __init__(self, source: "_Source") -> None:
        self._source = source
        self._told: Mapping[int, int] = {}  # what was committed last

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """As `Consumer.poll`."""
        with _outages():
            return self._source.reader.poll(max_records, timeout_seconds)

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`."""
        if next_offsets != self._told:
            with _outages():
                self._source.send((), next_offsets)
            self._told = dict(next_offsets)

    def lag(self) -> dict[int, int]:
        """As `Reader.lag`."""
        return self._source.lag()

    def close(self) -> None:
        """As `Consumer.close`."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisProducer:
    """As `Producer`."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def send(self, records: Sequence[NewRecord]) -> None:
        """As `Producer.send`."""
        with _outages():
            for start in range(0, len(records), _SEND_AT_ONCE):
                with self._topics.client.pipeline(transaction=False) as pipeline:
                    self._topics.append(pipeline, records[start : start + _SEND_AT_ONCE])
                    pipeline.execute()

    def close(self) -> None:
        """As `Producer.close`."""
        self._topics.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisProcessor:
    """As `Processor`."""

    def __init__(self, source: "_Source") -> None:
        self._source = source

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Processor.poll`."""
        with _outages():
            return RecordBatch(self._source.reader.poll(max_records, timeout_seconds))

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        try:
            with _outages():
                self._source.send(records, next_offsets)
        except LogUnavailable:
            # Whether the transaction took effect is not known; the committed offsets tell.
            self._source.rewind()
            raise

    def lag(self) -> dict[int, int]:
        """As `Reader.lag`."""
        return self._source.lag()

    def close(self) -> None:
        """As `Processor.close`."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Source:
    """A topic read for a group: the reader, made at its first use, and the transaction around a commit."""

    def __init__(self, topics: Topics, make_reader: Callable[[], Reader]) -> None:
        self._topics = topics
        self._make_reader = make_reader
        self._reader: Reader | None = None

    @property
    def reader(self) -> Reader:
        if self._reader is None:
            self._reader = self._make_reader()
        return self._reader

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """Append and commit in one transaction that fails when the lease is not ours."""
        with self._topics.client.pipeline() as transaction:
            while True:
                try:
                    self.reader.hold(transaction)
                    self._topics.append(transaction, records)
                    self.reader.commit(next_offsets, transaction)
                except redis.WatchError:
                    continue  # the lease ran out just now: look again whose it is
                return

    def rewind(self) -> None:
        if self._reader is not None:
            self._reader.rewind()

    def lag(self) -> dict[int, int]:
        return {} if self._reader is None else self._reader.lag()

    def close(self) -> None:
        # An unreachable Redis lets the lease run out by itself.
        with suppress(LogUnavailable), _outages():
            if self._reader is not None:
                self._reader.close()
        self._topics.client.close()


class _Committed:
    """The listener of a processor."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - of no matter here
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        pass


@contextmanager
def _outages() -> Iterator[None]:
    """Raise as LogUnavailable that Redis cannot be reached or refuses."""
    try:
        yield
    except _REFUSALS as error:
        raise LogUnavailable(str(error)) from error
