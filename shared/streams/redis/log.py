"""The event log on Redis Streams, for small sites: one replica per service, and only Redis (7 or later) to run.

`shared.streams.redis.layout` defines its keys. A topic that nobody created has the default specification.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self

import redis

from shared.runtime.redis_errors import WrongServer, is_older
from shared.streams.event_log import (
    Listener,
    LogUnavailable,
    NewRecord,
    Record,
    RecordBatch,
    StartAtCommitted,
    ToAppend,
    TopicFacts,
    TopicSpec,
)
from shared.streams.parts import SEND_BYTES, parts
from shared.streams.redis.deletion import delete_entries, topic_facts
from shared.streams.redis.layout import encode_spec, topics_key
from shared.streams.redis.past import RedisPast
from shared.streams.redis.sole_member import SoleMember
from shared.streams.redis.source import Source, outages
from shared.streams.redis.topics import Topics, set_retentions

_FIRST_VERSION: Final = (7, 0)
LEASE_SECONDS: Final = 3.0
"""How long a dead process keeps its successor waiting. A longer pause costs nothing unless another took over."""


class RedisLog:
    """As `EventLog`. `connect` opens a connection; each consumer, producer and processor has its own."""

    def __init__(
        self,
        connect: Callable[[], redis.Redis],
        address: str,
        *,
        prefix: str,
        partitions: int,
        retention_ms: int,
        most_records: int,
        most_bytes: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._connect = connect
        self._address = address
        self._prefix = prefix
        self._partitions = partitions
        self._retention_ms = retention_ms
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._lease_seconds = lease_seconds

    @property
    def address(self) -> str:
        """Redis's host and port."""
        return self._address

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """As `EventLog.ensure_topics`."""
        with self._connect() as client:
            known = self._topics(client)
            with outages():
                self._require_streams(client)
            with outages(known.trimmer, known.key_types), client.pipeline() as transaction:
                for topic in topics:
                    transaction.hsetnx(topics_key(self._prefix), topic.name, encode_spec(topic))
                transaction.execute()
                set_retentions(client, self._prefix, [topic for topic in topics if topic.is_exact])

    def _require_streams(self, client: redis.Redis) -> None:
        """Raise WrongServer before Redis 7, which does not count the entries that it ever added to a stream."""
        with suppress(redis.ResponseError):  # of a server that says nothing of itself
            reply: Any = client.execute_command("HELLO")
            pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
            facts = {name: value for name, value in pairs if isinstance(value, bytes)}
            version = facts.get(b"version", b"").decode()
            if facts.get(b"server") == b"redis" and is_older(version, _FIRST_VERSION):
                raise WrongServer(
                    f"REDIS_URL: {self._address} is Redis {version}; the event log on Redis needs Redis 7 or later, or "
                    "Valkey. With KAFKA_BROKER, Redis 6.2 suffices"
                )

    def facts(self, topics: Sequence[str]) -> dict[str, TopicFacts]:
        """As `EventLog.facts`."""
        with outages(), self._connect() as client:
            return topic_facts(client, self._prefix, topics)

    def delete(self, topic: str, records: Sequence[Record]) -> int:
        """As `EventLog.delete`."""
        with outages(), self._connect() as client:
            return delete_entries(client, self._prefix, topic, records)

    def past(self, topic: str, since_ms: int, end: Mapping[int, int]) -> RedisPast:
        """As `EventLog.past`."""
        return RedisPast(self._connect, self._prefix, topic, since_ms, end)

    def consumer(self, topic: str, group: str, listener: Listener) -> "RedisConsumer":
        """As `EventLog.consumer`."""
        return RedisConsumer(self._source(topic, group, listener))

    def producer(self) -> "RedisProducer":
        """As `EventLog.producer`."""
        return RedisProducer(self._topics(self._connect()))

    def processor(self, topic: str, group: str) -> "RedisProcessor":
        """As `EventLog.processor`."""
        return RedisProcessor(self._source(topic, group, StartAtCommitted()))

    def close(self) -> None:
        """As `EventLog.close`."""

    def _topics(self, client: redis.Redis) -> Topics:
        return Topics(client, self._prefix, self._partitions, self._retention_ms, self._most_records, self._most_bytes)

    def _source(self, topic: str, group: str, listener: Listener) -> Source:
        client = self._connect()
        topics = self._topics(client)
        return Source(
            topics,
            lambda: SoleMember(client, self._prefix, topics.spec(topic), group, self._lease_seconds, listener),
        )


class RedisConsumer:
    """As `Consumer`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._committed: Mapping[int, int] = {}

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """As `Consumer.poll`."""
        return self._source.poll(max_records, timeout_seconds)

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`."""
        if next_offsets != self._committed:
            self._source.send((), next_offsets)
            self._committed = dict(next_offsets)

    def rewind(self) -> None:
        """As `Consumer.rewind`."""
        self._source.rewind()

    def revoke_kept(self) -> None:
        """As `Consumer.revoke_kept`: nobody else may own them before the lease is lost, and then it is Fenced."""

    def lag(self) -> dict[int, int]:
        """As `SoleMember.lag`."""
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
        with outages(self._topics.trimmer, self._topics.key_types):
            for part in parts(records, SEND_BYTES):
                # A stream that refuses an entry is repaired, and gets it again.
                refused = self._append(part)
                if refused and (refused := self._append([record for record, _ in refused])):
                    raise refused[0][1]

    def _append(self, records: Sequence[NewRecord]) -> list[tuple[NewRecord, Exception]]:
        """Append the records. Returns those that a stream refused, after repairing it."""
        with self._topics.client.pipeline(transaction=False) as pipeline:
            streams = self._topics.append(pipeline, records)
            replies = pipeline.execute(raise_on_error=False)
        refused = [
            (record, reply) for record, reply in zip(records, replies, strict=False) if isinstance(reply, Exception)
        ]
        if any(isinstance(error, redis.OutOfMemoryError) for _, error in refused):
            raise refused[0][1]
        self._topics.repair_foreign(zip(streams, replies, strict=False))
        return refused

    def close(self) -> None:
        """As `Producer.close`."""
        self._topics.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisProcessor:
    """As `Processor`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Processor.poll`."""
        return RecordBatch(self._source.poll(max_records, timeout_seconds))

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        try:
            self._source.send(records, next_offsets)
        except LogUnavailable:
            # The transaction may have taken effect. The committed offsets show whether it did.
            self._source.rewind()
            raise

    def lag(self) -> dict[int, int]:
        """As `SoleMember.lag`."""
        return self._source.lag()

    def close(self) -> None:
        """As `Processor.close`."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
