"""Reading from Kafka and writing to it in one transaction."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from confluent_kafka import KafkaException, TopicPartition
from quixstreams.kafka import Producer

from shared.runtime.logs import get_logger
from shared.streams.event_log import Fenced, LogUnavailable, RecordBatch, Refused, StartAtCommitted, ToAppend
from shared.streams.kafka.client import KafkaClients, close_producer, produce
from shared.streams.kafka.errors import AWAY, REFUSED, SessionOver, UnstableOffsets, translated

logger = get_logger(__name__)

_TRANSACTION_SECONDS: Final = 5.0
_ABORT_SECONDS: Final = 2.0


class KafkaProcessor:
    """As `Processor`.

    The consumer's generation fences a replica that lost its partitions to another one: its transaction fails. The
    transactional id only lets a new producer of this process end the transaction that its broken one left open.
    """

    def __init__(self, clients: KafkaClients, topic: str, group: str) -> None:
        self._clients = clients
        self._topic = topic
        self._group = group
        self._transactional_id = f"{group}-{uuid.uuid4()}"
        self._member = clients.member(topic, group, StartAtCommitted())
        self._producer: Producer | None = None
        self._left_open = False  # a transaction, by a producer that was dropped
        self._last_output: str | None = None  # topic
        self._last_was_abort = False  # as far as the broker can know
        self._has_sent_offsets = False  # of the current transaction

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Processor.poll`."""
        with self._clients.outages():
            if self._left_open:
                self._connected_producer()  # ends it: until then the broker withholds committed offsets
            try:
                return self._member.poll(max_records, timeout_seconds)
            except UnstableOffsets:
                self._end_hanging_transaction()
                raise

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        try:
            self._transact(records, next_offsets)
        except LogUnavailable:
            self._member.rewind()
            raise
        except KafkaException as error:
            meaning = translated(error, self._clients.address)
            if error.args[0].code() in REFUSED:
                self._abort(error)
                raise Refused(str(meaning)) from error
            self._undo(error)
            if isinstance(meaning, Fenced) and self._member.may_be_stale():
                raise LogUnavailable(str(meaning)) from error  # `poll` decides whether it is a duplicate instance
            raise meaning from error

    def lag(self) -> dict[int, int]:
        """As `Processor.lag`."""
        with self._clients.outages():
            return self._member.lag()

    def close(self) -> None:
        """As `Processor.close`."""
        self._member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _transact(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        if not all(map(self._member.is_reading, next_offsets)):
            raise LogUnavailable(f"topic {self._topic}: another group member took over a partition")
        producer = self._connected_producer()
        self._has_sent_offsets = False
        producer.begin_transaction()
        if records:
            self._last_output, *_ = records[-1]
        produce(producer, records)
        if next_offsets:
            producer.send_offsets_to_transaction(
                self._member.places(next_offsets), self._member.membership(), _TRANSACTION_SECONDS
            )
            self._has_sent_offsets = True
        producer.commit_transaction(_TRANSACTION_SECONDS)
        self._last_was_abort = False

    def _connected_producer(self) -> Producer:
        if self._producer is None:
            # Connecting to an unreachable broker blocks for a long time, so check first.
            self._member.ask_broker(_ABORT_SECONDS, silence_seconds=0)
            producer = self._clients.producer(self._transactional_id)
            try:
                len(producer)  # connects, which ends the transaction that its predecessor left open
            except KafkaException as error:
                close_producer(producer, error)
                raise
            self._producer = producer
            self._left_open = False
        return self._producer

    def _end_hanging_transaction(self) -> None:
        """End this process's last transaction again.

        A one-node broker that crashes between deciding a transaction and writing its markers may lose the markers on
        restart. Then the group's offsets stay pending forever: the broker takes the transaction for ended, and only a
        marker for the same producer id ends it. So this runs another transaction, and ends it as the last one ended
        whose offsets the broker has. The offset that it commits belongs to a topic that the group does not read.

        Of a commit whose answer was lost, this assumes that it took place.
        """
        if self._last_output is None:
            return  # this process has none
        logger.warning("ending the last transaction again", topic=self._topic, aborted=self._last_was_abort)
        producer = self._connected_producer()
        # The group may have dropped this member, but accepts offsets from an observer, which has no instance id.
        observer = self._clients.consumer(self._group)
        producer.begin_transaction()
        try:
            place = TopicPartition(self._last_output, 0, 0)
            producer.send_offsets_to_transaction([place], observer.consumer_group_metadata(), _ABORT_SECONDS)
            if self._last_was_abort:
                producer.abort_transaction(_ABORT_SECONDS)
            else:
                producer.commit_transaction(_ABORT_SECONDS)
        except KafkaException:
            self._producer, self._left_open = None, True
            close_producer(producer)
            raise
        finally:
            observer.close()

    def _undo(self, error: KafkaException) -> None:
        """Abort. If that fails, drop the producer: its successor aborts or ends the transaction."""
        producer, self._producer = self._producer, None
        if producer is not None and (isinstance(error, SessionOver) or error.args[0].txn_requires_abort()):
            # By us or by our successor: without an error that requires it, the commit may have reached the broker.
            self._last_was_abort = self._last_was_abort or self._has_sent_offsets
            with suppress(KafkaException):
                producer.abort_transaction(_ABORT_SECONDS)
                self._last_was_abort = self._has_sent_offsets or error.args[0].code() not in AWAY
                self._producer = producer
        self._left_open = producer is not None and self._producer is None
        if self._left_open and producer is not None:
            close_producer(producer, error)
        self._member.rewind()

    def _abort(self, error: KafkaException) -> None:
        """Abort a refused transaction. Reading continues where it was.

        A producer that aborts one cannot be used again: it numbers its next records wrongly (librdkafka 2.12).
        """
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._left_open = True
        self._last_was_abort = self._last_was_abort or self._has_sent_offsets
        with suppress(KafkaException):
            producer.abort_transaction(_ABORT_SECONDS)
            self._left_open, self._last_was_abort = False, True
        close_producer(producer, error)
