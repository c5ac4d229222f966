"""Reads a topic from an instant to its current end, on either event log, and the dead letters in one."""

import time
import uuid
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Final, NamedTuple

from shared.events.dead_letters import original_size
from shared.events.refusals import Origin, read_dead_letter_headers
from shared.runtime.dependency import Dependency, Stopped
from shared.streams.event_log import (
    Assignment,
    Consumer,
    EventLog,
    FromOffset,
    FromTime,
    LogUnavailable,
    Position,
    Record,
)

_BATCH: Final = 1_000
_POLL_SECONDS: Final = 0.3
_LONGEST_SILENCE_SECONDS: Final = 60.0
_NEWER_POLLS: Final = 5


class DeadLetter(NamedTuple):
    """A dead letter: its record (the refused bytes, and when they were refused), the refusal, and the origin."""

    record: Record
    reason: str
    error: str
    origin: Origin

    @property
    def place(self) -> str:
        """PARTITION:OFFSET in the dead letter topic. Users name it by this."""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def original(self) -> tuple[int, str] | None:
        """The size in bytes and the SHA-256 of the refused value if the dead letter keeps only a prefix of it."""
        return original_size(self.record.headers)


def read_dead_letters(log: EventLog, topic: str, since_ms: int, stop: Event) -> Iterator[list[DeadLetter]]:
    """Yield batches of the dead letters appended from an instant (epoch ms) until now, as `read_to_end`."""
    for records in read_to_end(log, topic, f"dead-letters-{uuid.uuid4().hex}", since_ms, stop):
        yield [DeadLetter(record, *read_dead_letter_headers(record.headers)) for record in records]


def read_to_end(log: EventLog, topic: str, group: str, since_ms: int, stop: Event) -> Iterator[list[Record]]:
    """Yield batches of the records appended from an instant (epoch ms) until now, in order within a partition.

    `group` is new, so that it reads all partitions; it commits nothing. Waits while the log is unavailable. Raises
    Stopped, and LogUnavailable if the topic's end stays unknown.
    """
    reading = _Reading(FromTime(since_ms))
    with log.consumer(topic, group, reading) as consumer:
        dependency = Dependency(f"the event log at {log.address}")
        silent_since = time.monotonic()
        newer_polls = 0
        while True:
            records = dependency.wait_for(lambda: consumer.poll(_BATCH, _POLL_SECONDS), LogUnavailable, stop)
            if stop.is_set():
                raise Stopped
            if taken := reading.take(records):
                yield taken
                silent_since, newer_polls = time.monotonic(), 0
                continue
            newer_polls += 1
            # An empty poll proves that all partitions are assigned. While new records keep arriving no poll is
            # empty, so several polls without an old one count too.
            if (not records or newer_polls > _NEWER_POLLS) and reading.is_done(consumer):
                return
            if time.monotonic() - silent_since > _LONGEST_SILENCE_SECONDS:
                raise LogUnavailable(f"{topic} did not report its end within {_LONGEST_SILENCE_SECONDS:.0f} s")


class _Reading:
    """The listener: where to start each partition, and how far it is read."""

    def __init__(self, start: Position) -> None:
        self._start = start
        self._ends: dict[int, int] = {}
        self._next: dict[int, int] = {}

    def on_assigned(self, assignment: Assignment) -> Position:
        """As `Listener.on_assigned`. A reassigned partition continues where it was and keeps its first end."""
        self._ends.setdefault(assignment.partition, assignment.end_offset)
        if assignment.begin_offset >= assignment.end_offset:
            self._next[assignment.partition] = assignment.end_offset
        read_to = self._next.get(assignment.partition)
        return self._start if read_to is None else FromOffset(read_to)

    def on_revoked(self, partition: int) -> None:
        """As `Listener.on_revoked`."""

    def take(self, records: Sequence[Record]) -> list[Record]:
        """The records before the end."""
        for record in records:
            self._next[record.partition] = record.offset + 1
        return [record for record in records if record.offset < self._ends[record.partition]]

    def is_done(self, consumer: Consumer) -> bool:
        """Whether every partition is read to its end. On Kafka the last offsets may hold transaction markers."""
        lag = consumer.lag()
        return bool(self._ends) and all(
            self._next.get(partition, -1) >= end or lag.get(partition) == 0 for partition, end in self._ends.items()
        )
