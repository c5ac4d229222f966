"""Messages of Kafka's client as records, and the errors among them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, compress, repeat
from typing import Any, Final, NamedTuple, overload

from confluent_kafka import KafkaError, Message

from shared.streams.event_log import Headers, Record, RecordBatch
from shared.streams.kafka.errors import FATAL, UNREADABLE

_make_record: Final[Callable[[tuple[Any, ...]], Record]] = partial(tuple.__new__, Record)
"""A record from all its fields, in a third of the time that the class takes."""


class SplitMessages(NamedTuple):
    """Messages without errors, the first error of the others, their first fatal one, and an unreadable batch."""

    messages: Sequence[Message]
    first: KafkaError
    fatal: KafkaError | None
    unreadable: Message | None


def split_errors(messages: Sequence[Message], errors: Sequence[KafkaError | None]) -> SplitMessages:
    """Split the messages that are records from those that report an error; `errors` holds each message's.

    At least one reports an error.
    """
    found = [error for error in errors if error is not None]
    return SplitMessages(
        [message for message, error in zip(messages, errors, strict=True) if error is None],
        found[0],
        next((error for error in found if error.code() in FATAL), None),
        next((m for m, error in zip(messages, errors, strict=True) if error and error.code() in UNREADABLE), None),
    )


class MessageBatch(RecordBatch):
    """Messages without errors, as records. The work per message runs in C: it is most of the cost of reading."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    @property
    def values(self) -> Sequence[bytes]:
        """As `RecordBatch.values`."""
        values: list[bytes] = list(map(Message.value, self._messages))
        return [value or b"" for value in values] if None in values else values  # None is a tombstone

    @property
    def timestamps_ms(self) -> Sequence[int]:
        """As `RecordBatch.timestamps_ms`."""
        return [timestamp_ms for _, timestamp_ms in map(Message.timestamp, self._messages)]

    def next_offsets(self) -> dict[int, int]:
        """As `RecordBatch.next_offsets`."""
        last = dict(zip(map(Message.partition, self._messages), map(Message.offset, self._messages), strict=True))
        return {partition: offset + 1 for partition, offset in last.items()}

    def by_partition(self) -> dict[int, RecordBatch]:
        """As `RecordBatch.by_partition`."""
        partitions = list(map(Message.partition, self._messages))
        found = set(partitions)
        if len(found) == 1:
            return {partitions[0]: self}
        return {
            partition: MessageBatch(list(compress(self._messages, map(partition.__eq__, partitions))))
            for partition in found
        }

    def followed_by(self, others: Sequence[RecordBatch]) -> RecordBatch:
        """As `RecordBatch.followed_by`."""
        messages = [batch._messages for batch in (self, *others) if isinstance(batch, MessageBatch)]  # noqa: SLF001 - our own
        if len(messages) <= len(others):
            return super().followed_by(others)
        return MessageBatch(list(chain.from_iterable(messages)))

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Record]:
        messages = self._messages
        headers = _headers(messages)
        return map(
            _make_record,
            zip(
                map(Message.partition, messages),
                map(Message.offset, messages),
                self.timestamps_ms,
                map(Message.key, messages),
                self.values,
                map(_decode_headers, headers) if any(headers) else repeat((), len(headers)),
                strict=True,
            ),
        )

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return MessageBatch(self._messages[place])
        (record,) = MessageBatch((self._messages[place],))
        return record


def _headers(messages: Sequence[Message]) -> list[list[tuple[str, bytes | None]] | None]:
    """The headers of each message; none where a name is not UTF-8, for which the client raises SystemError.

    A second look at those would crash the process, so they are replaced.
    """
    found: list[list[tuple[str, bytes | None]] | None] = []
    rest = map(Message.headers, messages)
    while True:
        try:
            found.extend(rest)
        except SystemError:
            messages[len(found)].set_headers([])
            found.append(None)
        else:
            return found


def _decode_headers(headers: list[tuple[str, bytes | None]] | None) -> Headers:
    return tuple((name, value or b"") for name, value in headers) if headers else ()
