"""Reading from Kafka and writing to it in one transaction."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Self

from confluent_kafka import KafkaException, TopicPartition
from quixstreams.kafka import Producer

from shared.runtime.logs import get_logger
from shared.streams.event_log import Assignment, Fenced, FromCommitted, LogUnavailable, Position, RecordBatch, ToAppend
from shared.streams.kafka.client import KafkaClients, produce, translated
from shared.streams.kafka.reader import AWAY, Reader, SessionOver, UnstableOffsets

logger = get_logger(__name__)

_TRANSACTION_SECONDS: Final = 5.0
_ABORT_SECONDS: Final = 2.0


class KafkaProcessor:
    """As `Processor`.

    The consumer's generation fences a replica whose partitions went to another one: its transaction fails. The
    transactional id only lets a new producer of ours end what our broken one left open.
    """

    def __init__(self, clients: KafkaClients, topic: str, group: str) -> None:
        self._clients = clients
        self._topic = topic
        self._group = group
        self._transactional_id = f"{group}-{uuid.uuid4()}"
        self._reader = Reader(
            partial(clients.consumer, group),
            topic,
            _Committed(),
            ask_topic_id=partial(clients.topic_id, topic),
            second_round=clients.second_round(topic, group),
        )
        self._producer: Producer | None = None
        self._left_open = False  # a transaction, by a producer that we dropped
        self._last_output: str | None = None  # topic
        self._last_was_abort = False  # as far as the broker can know

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Processor.poll`."""
        with self._clients.outages():
            if self._left_open:
                self._connected_producer()  # ends it: committed offsets are not told before
            try:
                return self._reader.poll(max_records, timeout_seconds)
            except UnstableOffsets:
                self._end_hanging_transaction()
                raise

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        try:
            self._transact(records, next_offsets)
        except LogUnavailable:
            self._reader.rewind()
            raise
        except KafkaException as error:
            self._undo(error)
            told = translated(error, self._clients.address)
            if isinstance(told, Fenced) and self._reader.may_fence_itself():
                raise LogUnavailable(str(told)) from error  # `poll` finds out who it is
            raise told from error

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

    def _transact(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        if not all(map(self._reader.is_reading, next_offsets)):
            raise LogUnavailable(f"topic {self._topic}: a partition went to another member of the group")
        producer = self._connected_producer()
        producer.begin_transaction()
        if records:
            self._last_output, *_ = records[-1]
        produce(producer, records)
        if next_offsets:
            producer.send_offsets_to_transaction(
                self._reader.places(next_offsets), self._reader.membership(), _TRANSACTION_SECONDS
            )
        producer.commit_transaction(_TRANSACTION_SECONDS)
        self._last_was_abort = False

    def _connected_producer(self) -> Producer:
        if self._producer is None:
            # Connecting waits long for a broker that is away: ask first.
            self._reader.ask_broker(_ABORT_SECONDS, silence_seconds=0)
            producer = self._clients.producer(self._transactional_id)
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
        logger.warning(
            "writing the end of the last transaction once more", topic=self._topic, aborted=self._last_was_abort
        )
        producer = self._connected_producer()
        # The group may have forgotten us, and takes offsets of no member: of one that has no name of ours either.
        stranger = self._clients.consumer(self._group, is_member=False)
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
        if producer is not None and (isinstance(error, SessionOver) or error.args[0].txn_requires_abort()):
            with suppress(KafkaException):
                producer.abort_transaction(_ABORT_SECONDS)
                self._last_was_abort = error.args[0].code() not in AWAY
                self._producer = producer
        self._left_open = producer is not None and self._producer is None
        self._reader.rewind()


class _Committed:
    """The listener of a processor."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - of no matter here
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        pass
