"""The event log on Kafka, through Quix Streams: the production log, many replicas of each service.

Consumers read what is committed, and the group spreads partitions over its members. A processor appends and commits
its source's offsets in one Kafka transaction.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from quixstreams import Application
from quixstreams.kafka import Producer

from shared.settings import ServiceSettings
from shared.streams import Assignment, FromCommitted, Listener, LogUnavailable, NewRecord, Position, Record, TopicSpec
from shared.streams.kafka_client import KafkaClients, translated
from shared.streams.kafka_reader import Reader, UnstableOffsets

_ANSWER_SECONDS: Final = 3.0
_FLUSH_SECONDS: Final = 6.0
_TRANSACTION_SECONDS: Final = 5.0
_ABORT_SECONDS: Final = 2.0
_AWAY: Final = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)  # noqa: SLF001 - public names
"""The broker did not hear of what failed so."""


class KafkaLog:
    """As `EventLog`."""

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self._clients = KafkaClients(settings, client_id)

    @property
    def address(self) -> str:
        """The bootstrap servers."""
        return self._clients.address

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """As `EventLog.ensure_topics`; waits until each topic has its leaders."""
        with self._clients.outages():
            admin = AdminClient(self._clients.admin_options())
            existing = admin.list_topics(timeout=_ANSWER_SECONDS).topics
            missing = [_new_topic(topic) for topic in topics if topic.name not in existing]
            if not missing:
                return
            for created in admin.create_topics(missing, operation_timeout=_ANSWER_SECONDS).values():
                try:
                    created.result(timeout=2 * _ANSWER_SECONDS)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another replica was quicker
                        raise
            self._wait_until_led(admin, [topic.topic for topic in missing])

    def _wait_until_led(self, admin: AdminClient, names: list[str]) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            known = admin.list_topics(timeout=_ANSWER_SECONDS).topics
            if all(
                name in known
                and known[name].partitions
                and all(partition.leader >= 0 for partition in known[name].partitions.values())
                for name in names
            ):
                return
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka at {self.address}: the new topics {', '.join(names)} have no leader yet")
            time.sleep(0.05)

    def consumer(self, topic: str, group: str, listener: Listener) -> "KafkaConsumer":
        """As `EventLog.consumer`."""
        return KafkaConsumer(self._clients, topic, group, listener)

    def producer(self) -> "KafkaProducer":
        """As `EventLog.producer`."""
        return KafkaProducer(self._clients)

    def processor(self, topic: str, group: str) -> "KafkaProcessor":
        """As `EventLog.processor`."""
        return KafkaProcessor(self._clients, topic, group)

    def close(self) -> None:
        """As `EventLog.close`."""


def _new_topic(topic: TopicSpec) -> NewTopic:
    options = {
        "message.timestamp.type": "LogAppendTime",  # a position in time means when it was appended, never a claim
        "retention.ms": str(topic.retention_ms),
        # Only closed segments expire; the default closes one a week.
        "segment.ms": str(max(topic.retention_ms // 8, 600_000)),
        "max.message.bytes": str(2 << 20),  # twice a producer's default: room for what enriching adds
    }
    return NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=-1, config=options)


class KafkaConsumer:
    """As `Consumer`."""

    def __init__(self, clients: KafkaClients, topic: str, group: str, listener: Listener) -> None:
        self._clients = clients
        consumer = clients.application(group).get_consumer(auto_commit_enable=False)
        self._reader = Reader(consumer, topic, listener)

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """As `Consumer.poll`."""
        with self._clients.outages():
            return self._reader.poll(max_records, timeout_seconds)

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`."""
        if next_offsets:
            with self._clients.outages():
                self._reader.commit(next_offsets)

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`."""
        with self._clients.outages():
            return self._reader.lag()

    def close(self) -> None:
        """As `Consumer.close`."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class KafkaProducer:
    """As `Producer`."""

    def __init__(self, clients: KafkaClients) -> None:
        self._clients = clients
        self._producer = clients.application().get_producer()
        self._failures: list[KafkaError] = []

    def send(self, records: Sequence[NewRecord]) -> None:
        """As `Producer.send`."""
        self._failures.clear()
        with self._clients.outages():
            _produce(self._producer, records, on_delivery=self._on_delivery)
            if self._producer.flush(_FLUSH_SECONDS):
                # The next send must not wait for what this one has given up.
                self._producer.purge()
                self._producer.flush(_FLUSH_SECONDS)
            if self._failures:
                raise KafkaException(self._failures[0])

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def close(self) -> None:
        """As `Producer.close`."""
        if self._producer.instantiated:
            self._producer.flush(_FLUSH_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class KafkaProcessor:
    """As `Processor`.

    The consumer's generation fences a replica whose partitions went to another one: its transaction fails. The
    transactional id only lets a new producer of ours end what our broken one left open.
    """

    def __init__(self, clients: KafkaClients, topic: str, group: str) -> None:
        self._clients = clients
        self._topic = topic
        self._application: Application = clients.application(group, transactional_id=f"{group}-{uuid.uuid4()}")
        self._consumer = self._application.get_consumer(auto_commit_enable=False)
        self._reader = Reader(self._consumer, topic, _Committed())
        self._producer: Producer | None = None
        self._left_open = False  # a transaction, by a producer that we dropped
        self._last_output: str | None = None  # topic
        self._last_was_abort = False  # as far as the broker can know

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """As `Processor.poll`."""
        with self._clients.outages():
            if self._left_open:
                self._connected_producer()  # ends it: committed offsets are not told before
            try:
                return self._reader.poll(max_records, timeout_seconds)
            except UnstableOffsets:
                self._end_hanging_transaction()
                raise

    def send(self, records: Sequence[NewRecord], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        try:
            self._transact(records, next_offsets)
        except LogUnavailable:
            self._reader.rewind()
            raise
        except KafkaException as error:
            self._undo(error)
            raise translated(error, self._clients.address) from error

    def lag(self) -> dict[int, int]:
        """As `Processor.lag`."""
        with self._clients.outages():
            return self._reader.lag()

    def close(self) -> None:
        """As `Processor.close`."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _transact(self, records: Sequence[NewRecord], next_offsets: Mapping[int, int]) -> None:
        if not all(map(self._reader.is_reading, next_offsets)):
            raise LogUnavailable(f"topic {self._topic}: a partition went to another member of the group")
        producer = self._connected_producer()
        producer.begin_transaction()
        if records:
            self._last_output = records[-1].topic
        _produce(producer, records)
        if next_offsets:
            producer.send_offsets_to_transaction(
                self._reader.places(next_offsets), self._consumer.consumer_group_metadata(), _TRANSACTION_SECONDS
            )
        producer.commit_transaction(_TRANSACTION_SECONDS)
        self._last_was_abort = False

    def _connected_producer(self) -> Producer:
        if self._producer is None:
            # Connecting waits long for a broker that is away: ask first.
            self._consumer.list_topics(self._topic, timeout=_ABORT_SECONDS)
            producer = self._application.get_producer(transactional=True)
            len(producer)  # connects it, which ends what its predecessor left open
            self._producer = producer
            self._left_open = False
        return self._producer

    def _end_hanging_transaction(self) -> None:
        """Write the end of our last transaction once more.

        A broker of one node that crashes between the decision on a transaction and its markers may lose the markers
        when it starts again. Then the group's offsets stay pending for ever: the broker holds the transaction for
        ended, and only a marker for the same producer id ends it. So a transaction ends as the last one did; the
        offset it carries is of a topic that the group does not read.
        """
        if self._last_output is None:
            return  # none of ours hangs
        producer = self._connected_producer()
        stranger = self._application.get_consumer()  # the group may have forgotten us, and takes offsets of no member
        producer.begin_transaction()
        try:
            place = TopicPartition(self._last_output, 0, 0)
            producer.send_offsets_to_transaction([place], stranger.consumer_group_metadata(), _ABORT_SECONDS)
            if self._last_was_abort:
                producer.abort_transaction(_ABORT_SECONDS)
            else:
                producer.commit_transaction(_ABORT_SECONDS)
        except KafkaException:
            self._producer, self._left_open = None, True
            raise
        finally:
            stranger.close()

    def _undo(self, error: KafkaException) -> None:
        """Abort; where that is not possible drop the producer, so that its successor aborts or ends what it left."""
        producer, self._producer = self._producer, None
        if producer is not None and error.args[0].txn_requires_abort():
            with suppress(KafkaException):
                producer.abort_transaction(_ABORT_SECONDS)
                self._last_was_abort = error.args[0].code() not in _AWAY
                self._producer = producer
        self._left_open = producer is not None and self._producer is None
        self._reader.rewind()


class _Committed:
    """The listener of a processor."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - of no matter here
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        pass


def _produce(
    producer: Producer,
    records: Sequence[NewRecord],
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    # Quix Streams' own produce() costs twice the client's beneath it, a record.
    client = producer._producer  # noqa: SLF001
    options = {} if on_delivery is None else {"on_delivery": on_delivery}
    deadline = time.monotonic() + _FLUSH_SECONDS
    for topic, key, value, headers in records:
        while True:
            try:
                if headers:
                    client.produce(topic, value, key, headers=[*headers], **options)
                else:
                    client.produce(topic, value, key, **options)
                break
            except BufferError as error:  # its queue is full: let some out
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from error  # noqa: SLF001 - its public name
                client.poll(0.1)
