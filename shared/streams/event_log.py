"""The event log: partitioned topics of records that the services read and write.

One small interface, two implementations under one contract test-suite: `shared.streams.kafka.log` (the production log)
and `shared.streams.redis.log` (the small-site log). `shared.streams.choose` picks one from the settings.

Every call may block for its timeout. It raises `LogUnavailable` while the log cannot be reached (the caller waits and
retries) and `Fenced` when another process has taken over (the caller stops). Sending raises `Refused` when no retry
would help.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, overload

Headers = tuple[tuple[str, bytes], ...]


class LogUnavailable(Exception):  # noqa: N818 - a condition of the log, not an error of the caller
    """The log cannot be reached, or rejected the call for a passing reason. The call took effect as a whole or not."""


class Fenced(Exception):  # noqa: N818 - same
    """Another process owns this work now. The call had no effect."""


class Refused(Exception):  # noqa: N818 - same
    """The log never takes a record, such as one that is too large: no retry would help.

    A processor's transaction had no effect, and `records` is empty: any of its records may be the one. A producer has
    appended all others, and `records` are those that it refused.
    """

    def __init__(self, reason: str, records: Sequence["NewRecord"] = ()) -> None:
        super().__init__(reason)
        self.records = records


class Record(NamedTuple):
    """One record read from the log. `timestamp_ms` is its append time, epoch ms. Offsets rise within a partition."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Headers = ()


class RecordBatch(Sequence[Record]):
    """Records that were read together. A fast log overrides it to return single fields without creating records."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    @property
    def values(self) -> Sequence[bytes]:
        """The value of each record."""
        return [record.value for record in self._records]

    @property
    def timestamps_ms(self) -> Sequence[int]:
        """The append time of each record, epoch ms."""
        return [record.timestamp_ms for record in self._records]

    def next_offsets(self) -> dict[int, int]:
        """The offset after the last record of each partition."""
        return {record.partition: record.offset + 1 for record in self._records}

    def by_partition(self) -> "dict[int, RecordBatch]":
        """The records of each partition, in order."""
        records: dict[int, list[Record]] = {}
        for record in self._records:
            records.setdefault(record.partition, []).append(record)
        return {partition: RecordBatch(own) for partition, own in records.items()}

    def followed_by(self, others: "Sequence[RecordBatch]") -> "RecordBatch":
        """These records and then those of other batches, as one batch."""
        return RecordBatch([record for batch in (self, *others) for record in batch])

    def halves(self) -> tuple["RecordBatch", "RecordBatch"]:
        """The first half of at least two records, and the rest."""
        middle = len(self) // 2
        return RecordBatch(self[:middle]), RecordBatch(self[middle:])

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


def as_batch(records: Sequence[Record]) -> RecordBatch:
    """The records as a batch, which a fast log's already are."""
    return records if isinstance(records, RecordBatch) else RecordBatch(records)


class NewRecord(NamedTuple):
    """One record to append. Records with the same key land on the same partition of a topic."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()


ToAppend = tuple[str, bytes | None, bytes, Headers]
"""The fields of a NewRecord. A processor also takes them as a plain tuple, which costs a third of the class."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must exist. Retention goes by append time.

    `is_exact`: its records must not be kept for longer, even if the topic existed before.
    """

    name: str
    partitions: int
    retention_ms: int
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """An existing topic. A record is gone `kept_ms` after its append at the latest; None: it may stay for good."""

    partitions: int
    kept_ms: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A partition assigned to a consumer: its first retained offset, and the offset that the next record gets.

    A recreated topic has another `topic_id`, and its offsets start over. The id is empty when unknown.
    """

    partition: int
    begin_offset: int
    end_offset: int
    topic_id: str = ""
    counts_records: bool = True
    """Whether the difference of two offsets says how many records are between them, but for markers."""


@dataclass(frozen=True, slots=True)
class FromCommitted:
    """Start at the group's committed offset, or at the earliest retained record without one."""


@dataclass(frozen=True, slots=True)
class FromOffset:
    """Start at this offset, or at the earliest retained record if it has left retention."""

    offset: int


@dataclass(frozen=True, slots=True)
class FromTime:
    """Start at the first record appended at or after this instant, epoch ms."""

    timestamp_ms: int


Position = FromCommitted | FromOffset | FromTime


class Listener(Protocol):
    """What a consumer calls within `poll` and `close`, on the polling thread."""

    def on_assigned(self, assignment: Assignment) -> Position:
        """Take over a partition. Returns where to start reading it.

        Called again for the same partition, without `on_revoked` in between, when starting it failed after this call,
        or when an outage ended the session of its group and no other member got it.
        """

    def on_revoked(self, partition: int) -> None:
        """Give up a partition. No record of it is delivered until it is assigned again."""


class StartAtCommitted:
    """A processor's listener."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - not needed here
        """As `Listener.on_assigned`."""
        return FromCommitted()

    def on_revoked(self, partition: int) -> None:
        """As `Listener.on_revoked`."""


class Consumer(Protocol):
    """Reads one topic as a member of a group."""

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """Return up to `max_records` of one or more partitions, in offset order within each.

        Waits up to `timeout_seconds` for the first. An empty result is not an error.
        """

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Store the offset that the group reads next, by partition. May take effect after the call.

        For monitoring. To read no record twice use a Processor, or store offsets with the results.
        """

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start each partition."""

    def revoke_kept(self) -> None:
        """Revoke what is kept while the group does not answer. Call it once another member may own it.

        When the log is unavailable for longer than the group's session, or its topic is deleted, partitions stay with
        their listener: `poll` raises LogUnavailable meanwhile, and assigns them again, or revokes them, afterwards.
        """

    def lag(self) -> dict[int, int]:
        """Records behind the end of each partition that is read, as far as the consumer knows. Cheap."""

    def close(self) -> None:
        """Revoke all partitions, leave the group and close the connection."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Producer(Protocol):
    """Appends records."""

    def send(self, records: Sequence[NewRecord]) -> None:
        """Append all records in order, durable on return. After `LogUnavailable` some may have been appended.

        Raises Refused when all but some have been appended.
        """

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Processor(Protocol):
    """Reads one topic and appends to others, exactly once."""

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Consumer.poll`, starting at the committed offsets. Records after a failed `send` are delivered again."""

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """Append the records and commit the source's offsets in one transaction.

        After `LogUnavailable` nothing counts as done, and reading returns to the last committed offsets. After
        `Refused` nothing is done either, and reading continues where it was: the caller sends something else instead.
        """

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Past(Protocol):
    """Records that were appended before, read without a group: nothing in the log changes."""

    @property
    def end_offsets(self) -> Mapping[int, int]:
        """The offset that the next record of each partition gets."""

    @property
    def missing_until_ms(self) -> int:
        """Records appended before may have been removed, epoch ms; 0: none. Known once all are read."""

    def records(self) -> Iterator[Sequence[Record]]:
        """Batches, in offset order within each partition. Call it once."""


class EventLog(Protocol):
    """A connection to the log, and the factory of its consumers, producers and processors."""

    @property
    def address(self) -> str:
        """The log's address without secrets, for messages."""

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create missing topics. Existing ones stay as they are."""

    def facts(self, topics: Sequence[str]) -> dict[str, TopicFacts]:
        """The facts of those topics that exist."""

    def delete(self, topic: str, records: Sequence[Record]) -> int:
        """Delete records that were read. Returns how many were: none on a log that deletes only by age."""

    def past(self, topic: str, since_ms: int, end: Mapping[int, int]) -> Past:
        """The records appended from an instant, epoch ms, and before an offset of each of these partitions."""

    def consumer(self, topic: str, group: str, listener: Listener) -> Consumer: ...
    def producer(self) -> Producer: ...
    def processor(self, topic: str, group: str) -> Processor: ...
    def close(self) -> None: ...
