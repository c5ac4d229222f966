"""The event log: partitioned topics of records that the services read and write.

One small interface, two implementations under one contract test-suite: `shared.streams.kafka.log` (the production log)
and `shared.streams.redis.log` (the small-site log). `shared.streams.choose` picks one from the settings.

Every call may block for its timeout, raises `LogUnavailable` when the log cannot be reached for now (the caller waits
and tries again) and `Fenced` when another process has taken this one's place (the caller stops).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, overload

Headers = tuple[tuple[str, bytes], ...]


class LogUnavailable(Exception):  # noqa: N818 - a condition of the log, not a mistake of the caller
    """The log cannot be reached or refused for a passing reason. Nothing of the call took effect, or all of it did."""


class Fenced(Exception):  # noqa: N818 - likewise
    """Another process owns this work now. Nothing of the call took effect."""


class Record(NamedTuple):
    """One record read from the log. `timestamp_ms` is when it was appended, epoch ms; `offset` rises by partition."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Headers = ()


class RecordBatch(Sequence[Record]):
    """Records that were read together. A log that reads many overrides this, so that a few fields cost no records."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    @property
    def values(self) -> Sequence[bytes]:
        """The value of each."""
        return [record.value for record in self._records]

    @property
    def timestamps_ms(self) -> Sequence[int]:
        """When each was appended, epoch ms."""
        return [record.timestamp_ms for record in self._records]

    def next_offsets(self) -> dict[int, int]:
        """By partition, the offset after its last record."""
        return {record.partition: record.offset + 1 for record in self._records}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        return self._records[place]


class NewRecord(NamedTuple):
    """One record to append. Records with the same key land on the same partition of a topic."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()


ToAppend = tuple[str, bytes | None, bytes, Headers]
"""What a NewRecord is. A processor also takes it plain, which costs a third of making and dropping the class."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to make sure of. Retention is by time of append."""

    name: str
    partitions: int
    retention_ms: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A partition handed to a consumer: its first retained offset, and the offset the next record will get.

    A topic that is deleted and made anew has another `topic_id`, and its offsets begin again; empty when unknown.
    """

    partition: int
    begin_offset: int
    end_offset: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class FromCommitted:
    """Start at the group's committed offset; at the earliest retained record when there is none."""


@dataclass(frozen=True, slots=True)
class FromOffset:
    """Start at this offset; at the earliest retained record when it has left retention."""

    offset: int


@dataclass(frozen=True, slots=True)
class FromTime:
    """Start at the first record appended at or after this instant, epoch ms."""

    timestamp_ms: int


Position = FromCommitted | FromOffset | FromTime


class Listener(Protocol):
    """What a consumer tells its owner, from within `poll` and `close`, on the polling thread."""

    def on_assigned(self, assignment: Assignment) -> Position:
        """Take a partition over and say where to start reading it.

        Called again for the same partition, without `on_revoked` between, when starting it failed after this call.
        """

    def on_revoked(self, partition: int) -> None:
        """Give a partition up. No record of it is delivered after this call until it is assigned again."""


class Consumer(Protocol):
    """Reads one topic as a member of a group."""

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """Return up to `max_records`, of one or more partitions, each partition's in offset order.

        Waits up to `timeout_seconds` for the first; an empty result is no error.
        """

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Store, by partition, the offset that the group reads next; it may take effect after the call.

        For those who watch the group. Who must not read a record twice uses a Processor, or keeps offsets of its own.
        """

    def lag(self) -> dict[int, int]:
        """Records behind the end of each assigned partition, from what the consumer knows already; cheap."""

    def close(self) -> None:
        """Revoke what is assigned, leave the group and free the connection."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Producer(Protocol):
    """Appends records."""

    def send(self, records: Sequence[NewRecord]) -> None:
        """Append all records in order, durably when it returns. After `LogUnavailable` some may have been appended."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Processor(Protocol):
    """Reads one topic and appends to others, exactly once."""

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Consumer.poll`, starting at the committed offsets. Records after a failed `send` are delivered again."""

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """Append the records and commit the source's offsets in one transaction.

        After `LogUnavailable` nothing counts as done: reading goes back to the last committed offsets.
        """

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class EventLog(Protocol):
    """A connection to the log; the factory of its readers and writers."""

    @property
    def address(self) -> str:
        """Where the log is, without secrets, for messages."""

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create the topics that are missing; leave the others as they are."""

    def consumer(self, topic: str, group: str, listener: Listener) -> Consumer: ...
    def producer(self) -> Producer: ...
    def processor(self, topic: str, group: str) -> Processor: ...
    def close(self) -> None: ...
