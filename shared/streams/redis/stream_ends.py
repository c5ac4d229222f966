"""The ends of a partition's stream, where to start reading it, and how far it is read. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final

from shared.streams.event_log import FromCommitted, FromOffset, FromTime, Position
from shared.streams.redis.layout import first_offset_at, offset_of, timestamp_ms_of

_MOST_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class StreamEnds:
    """What XINFO STREAM reports. All zero when the stream does not exist yet."""

    begin_offset: int = 0
    end_offset: int = 0
    length: int = 0
    added: int = 0
    read_end_offset: int = 0
    """After the last entry that is there. Whoever deletes an entry (XDEL) may delete the last one."""
    last_id: bytes = field(default=b"0-0", compare=False)
    """Of the last entry ever; it may be foreign, and then fits no offset."""

    def read_before(self, offset: int) -> int:
        """How many of all entries were added before `offset`.

        Exact at both ends. Redis cannot count in between without reading, so entries count as evenly spread in time.
        """
        if offset >= self.read_end_offset:
            return self.added
        trimmed = self.added - self.length
        if offset <= self.begin_offset:
            return trimmed
        begin_ms, end_ms = timestamp_ms_of(self.begin_offset), timestamp_ms_of(self.end_offset)
        passed = (timestamp_ms_of(offset) - begin_ms) / max(end_ms - begin_ms, 1)
        return trimmed + min(int(self.length * passed), self.length - 1)


def decode_ends(reply: Any) -> StreamEnds:
    """The ends in a reply of XINFO STREAM."""
    fields = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    end_offset = offset_of(fields[b"last-generated-id"]) + 1
    first, last = fields[b"first-entry"], fields[b"last-entry"]
    return StreamEnds(
        begin_offset=offset_of(first[0]) if first else end_offset,
        end_offset=end_offset,
        length=fields[b"length"],
        added=fields[b"entries-added"],
        last_id=fields[b"last-generated-id"],
        read_end_offset=offset_of(last[0]) + 1 if last else 0,
    )


def decode_offset(committed: bytes | None) -> int | None:
    """An offset as a group's hash holds it; None for anything else, which a stranger wrote."""
    if committed is None or not committed.isdigit() or len(committed) > _MOST_DIGITS:
        return None
    return int(committed)


def start_offset(position: Position, committed: bytes | None, ends: StreamEnds) -> int:
    """Where to start reading."""
    match position:
        case FromTime(timestamp_ms):
            return first_offset_at(timestamp_ms)
        case FromOffset(offset):
            wanted = offset
        case FromCommitted():
            wanted = decode_offset(committed) or 0
    # An offset ahead of the end means that the stream was recreated, so nothing of it has been read.
    return wanted if ends.begin_offset <= wanted <= ends.end_offset else ends.begin_offset


@dataclass(slots=True)
class Progress:
    """How far one partition is read. Counts entries since the stream was created; `read` may be an estimate."""

    next_offset: int
    read: int
    added: int
    read_end_offset: int

    @classmethod
    def starting_at(cls, offset: int, ends: StreamEnds) -> "Progress":
        """Reading starts at `offset`."""
        return cls(offset, ends.read_before(offset), ends.added, ends.read_end_offset)

    @property
    def lag(self) -> int:
        """Entries not read yet. An estimate is at least 1 until the end is reached."""
        return max(self.added - self.read, 1 if self.next_offset < self.read_end_offset else 0)

    def advance(self, next_offset: int, count: int) -> None:
        """`count` more entries were read."""
        self.next_offset = next_offset
        self.read += count

    def update(self, ends: StreamEnds) -> None:
        """Take over the stream's ends as they are now."""
        is_recreated = ends.added < self.added  # the database was flushed
        self.added, self.read_end_offset = ends.added, ends.read_end_offset
        if self.next_offset >= ends.read_end_offset or is_recreated:
            self.read = ends.read_before(self.next_offset)  # exact at the end, which ends an estimate
        else:
            self.read = max(self.read, ends.added - ends.length)  # trimmed entries cannot be read
