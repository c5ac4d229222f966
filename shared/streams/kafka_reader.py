"""Reading a topic on Kafka as a member of a group."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from quixstreams.kafka import Consumer

from shared.logs import get_logger
from shared.streams import Assignment, FromCommitted, FromOffset, FromTime, Headers, Listener, Position, Record

logger = get_logger(__name__)

_SLICE_SECONDS: Final = 0.1
"""One wait within a poll: partitions that arrive meanwhile are started after it."""

_SILENCE_SECONDS: Final = 3.0
"""After so long without a record the broker is asked whether it is there, because a dead one says nothing."""

_LEAST_ANSWER_SECONDS: Final = 0.25
_ANSWER_SECONDS: Final = 5.0

_make_record: Final[Callable[[tuple[Any, ...]], Record]] = partial(tuple.__new__, Record)


class Reader:
    """Reads a topic for a group. Not thread-safe. Kafka's exceptions pass through.

    A partition that arrives in a rebalance is assigned paused, and started by the next poll: asking the broker for its
    offsets and the listener for its position may fail, and is tried again by the poll after that.
    """

    def __init__(self, consumer: Consumer, topic: str, listener: Listener) -> None:
        self._consumer = consumer
        self._topic = topic
        self._listener = listener
        self._arriving: set[int] = set()
        self._reading: set[int] = set()
        self._left: set[int] = set()  # since the poll began
        self._ends: dict[int, int] = {}  # the offset at which the end was reached, by partition
        self._failure: Exception | None = None  # of the listener, within a rebalance
        self._heard_at = float("-inf")  # time.monotonic() of the broker's last sign of life
        self._subscribed = False

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """As `Consumer.poll`."""
        deadline = time.monotonic() + timeout_seconds
        if not self._subscribed:
            self._consumer.subscribe(
                [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            self._subscribed = True
        if time.monotonic() - self._heard_at > _SILENCE_SECONDS:
            self._consumer.list_topics(self._topic, timeout=max(timeout_seconds, _LEAST_ANSWER_SECONDS))
            self._heard_at = time.monotonic()
        self._left.clear()
        while True:
            self._start_arrived()
            remaining = deadline - time.monotonic()
            records = self._consume(max_records, max(0.0, min(remaining, _SLICE_SECONDS)))
            if records or time.monotonic() >= deadline:
                return records

    def is_reading(self, partition: int) -> bool:
        """Whether the partition is ours and its position is known."""
        return partition in self._reading

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start."""
        self._consumer.pause(self._partitions(self._reading))
        self._arriving |= self._reading
        self._reading.clear()

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`, as of the last fetch.

        The broker's end counts the markers of transactions, which nobody reads: where the end was reached, the offset
        that the broker said so at counts. The lag while catching up includes the markers yet to pass.
        """
        lag = dict.fromkeys(self._arriving, 0)
        for position in self._consumer.position(self._partitions(self._reading)):
            number = position.partition
            low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), cached=True)
            reached = max(position.offset, self._ends.get(number, 0), low)
            lag[number] = max(0, high - reached)
        return lag

    def close(self) -> None:
        """Revoke every partition and leave the group."""
        self._consumer.close()  # calls _on_revoke
        self._revoke(self._arriving | self._reading)
        self._raise_failure()

    # --- consuming ---------------------------------------------------------------------------------------------------

    def _consume(self, max_records: int, timeout_seconds: float) -> list[Record]:
        # consume(n) would wait until all n are there: wait for the first, then take what is there.
        messages = self._consumer.consume(1, timeout=timeout_seconds)
        if messages and max_records > 1:
            messages += self._consumer.consume(max_records - 1, timeout=0)
        self._raise_failure()
        if not messages:
            return []
        self._heard_at = time.monotonic()
        if any(map(Message.error, messages)):
            messages = self._without_events(messages)
        if self._left:
            messages = [message for message in messages if message.partition() not in self._left]
        return decode_messages(messages)

    def _without_events(self, messages: Sequence[Message]) -> list[Message]:
        records = []
        failure = None
        for message in messages:
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                self._ends[message.partition()] = message.offset()
            else:
                failure = error
        if failure is not None:
            if not records:
                raise KafkaException(failure)
            logger.warning("Kafka reports an error", error=failure.str(), topic=self._topic)
        return records

    # --- assignment --------------------------------------------------------------------------------------------------

    def _on_assign(self, _: object, partitions: list[TopicPartition]) -> None:
        self._consumer.incremental_assign(partitions)
        self._consumer.pause(partitions)
        self._arriving |= {partition.partition for partition in partitions}

    def _on_revoke(self, _: object, partitions: list[TopicPartition]) -> None:
        self._revoke({partition.partition for partition in partitions})

    def _revoke(self, partitions: set[int]) -> None:
        self._left |= partitions
        self._arriving -= partitions
        for partition in sorted(partitions & self._reading):
            self._reading.discard(partition)
            self._ends.pop(partition, None)
            try:
                self._listener.on_revoked(partition)
            except Exception as error:  # noqa: BLE001 - Quix Streams would wrap it; raised when the rebalance is over
                self._failure = self._failure or error

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _start_arrived(self) -> None:
        for partition in sorted(self._arriving):
            place = TopicPartition(self._topic, partition)
            low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
            position = self._listener.on_assigned(Assignment(partition, low, high))
            place.offset = self._offset(place, position, low, high)
            self._consumer.seek(place)
            self._consumer.resume([place])
            self._arriving.discard(partition)
            self._reading.add(partition)

    def _offset(self, place: TopicPartition, position: Position, low: int, high: int) -> int:
        match position:
            case FromTime(timestamp_ms):
                asked = TopicPartition(place.topic, place.partition, timestamp_ms)
                found = self._only(self._consumer.offsets_for_times([asked], timeout=_ANSWER_SECONDS))
                return found if found >= 0 else high
            case FromOffset(offset):
                wanted = offset
            case FromCommitted():
                wanted = self._only(self._consumer.committed([place], timeout=_ANSWER_SECONDS))
        # Ahead of the end: the topic was deleted and made anew since, so that nothing of it has been read.
        return wanted if low <= wanted <= high else low

    def _only(self, answers: Sequence[TopicPartition]) -> int:
        (answer,) = answers
        if answer.error is not None:
            raise KafkaException(answer.error)
        return int(answer.offset)

    def _partitions(self, numbers: set[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in numbers]


def decode_messages(messages: Sequence[Message]) -> list[Record]:
    """The records of messages without errors. All of it runs in C: this is most of what reading costs."""
    values: list[bytes] = list(map(Message.value, messages))
    if None in values:
        values = [value or b"" for value in values]  # a tombstone
    headers = list(map(Message.headers, messages))
    return list(
        map(
            _make_record,
            zip(
                map(Message.partition, messages),
                map(Message.offset, messages),
                [timestamp_ms for _, timestamp_ms in map(Message.timestamp, messages)],
                map(Message.key, messages),
                values,
                map(_decode_headers, headers) if any(headers) else [()] * len(headers),
                strict=True,
            ),
        )
    )


def _decode_headers(headers: list[tuple[str, bytes | None]] | None) -> Headers:
    return tuple((name, value or b"") for name, value in headers) if headers else ()
