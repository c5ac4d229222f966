"""Records of a topic on Kafka, read without joining a group."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from quixstreams.kafka import Consumer

from shared.streams.event_log import LogUnavailable, Record
from shared.streams.kafka.client import KafkaClients
from shared.streams.kafka.messages import MessageBatch

_GROUP: Final = "past"
"""The client asks for a name, but a consumer that assigns its partitions itself joins no group."""
_AT_ONCE: Final = 500
_ANSWER_SECONDS: Final = 10.0
_LONGEST_SILENCE_SECONDS: Final = 60.0


class KafkaPast:
    """As `Past`."""

    def __init__(self, clients: KafkaClients, topic: str, since_ms: int, end: Mapping[int, int]) -> None:
        self._clients = clients
        self._topic = topic
        self._end = end
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._first_ms: dict[int, int] = {}  # append time of the first record that was read
        with clients.outages():
            consumer = clients.consumer(_GROUP)
            try:
                self._starts = self._look_up(consumer, since_ms)
            finally:
                consumer.close()

    def _look_up(self, consumer: Consumer, since_ms: int) -> dict[int, int]:
        known = consumer.list_topics(self._topic, timeout=_ANSWER_SECONDS).topics[self._topic].partitions
        partitions = [partition for partition in self._end if partition in known]
        for partition in partitions:
            self._begins[partition], self._ends[partition] = consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=_ANSWER_SECONDS
            )
        wanted = [TopicPartition(self._topic, partition, since_ms) for partition in partitions]
        found = consumer.offsets_for_times(wanted, timeout=_ANSWER_SECONDS) if wanted else []
        return {own.partition: own.offset if own.offset >= 0 else self._ends[own.partition] for own in found}

    @property
    def end_offsets(self) -> Mapping[int, int]:
        """As `Past.end_offsets`."""
        return {partition: self._ends.get(partition, 0) for partition in self._end}

    @property
    def missing_until_ms(self) -> int:
        """As `Past.missing_until_ms`."""
        cut = [partition for partition, start in self._starts.items() if 0 < start == self._begins[partition]]
        return max((self._first_ms.get(partition, 0) for partition in cut), default=0)

    def records(self) -> Iterator[Sequence[Record]]:
        """As `Past.records`."""
        unread = {partition for partition, start in self._starts.items() if start < self._end[partition]}
        if not unread:
            return
        with self._clients.outages():
            consumer = self._clients.consumer(_GROUP)
            try:
                consumer.assign([TopicPartition(self._topic, own, self._starts[own]) for own in sorted(unread)])
                yield from self._read(consumer, unread)
            finally:
                consumer.close()

    def _read(self, consumer: Consumer, unread: set[int]) -> Iterator[Sequence[Record]]:
        silent_since = time.monotonic()
        while unread:
            messages = consumer.consume(_AT_ONCE, timeout=1.0)
            for message in messages:
                if (error := message.error()) is not None:
                    raise KafkaException(error)
            records = list(MessageBatch(messages))
            for record in records:
                self._first_ms.setdefault(record.partition, record.timestamp_ms)
            if own := [record for record in records if record.offset < self._end[record.partition]]:
                silent_since = time.monotonic()
                yield own
            read = {record.partition for record in records if record.offset + 1 >= self._end[record.partition]}
            if read & unread:
                consumer.pause([TopicPartition(self._topic, partition) for partition in sorted(read & unread)])
                unread -= read
            if time.monotonic() - silent_since > _LONGEST_SILENCE_SECONDS:
                raise LogUnavailable(f"{self._topic} returned no record within {_LONGEST_SILENCE_SECONDS:.0f} s")
