"""What a replay changes in an event: an id that exposes repeated sends, and optionally the time. Pure."""

import zlib
from dataclasses import dataclass

import msgspec

from services.traffic.formats.entries import Entry
from shared.events.schema import RawEvent

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a recording, numbered from 1; `shift_ms` is added to its times, None keeps them."""

    name: str
    number: int = 1
    shift_ms: int | None = None


def stamp(entry: Entry, document: bytes, event: RawEvent, current: Pass) -> bytes:
    """The document to send for an entry that was read as `event`; all other fields stay byte for byte.

    An event without `eventId` gets one from the recording's name, the line number, a checksum of the line (names may
    repeat) and the pass: sending it twice counts once, replaying it again counts again. Later passes also mark the
    events' own ids. A shifted event keeps its time as `original_timestamp`.
    """
    event_id = _event_id(entry, event, current)
    if event_id is None and current.shift_ms is None:
        return document
    if current.shift_ms is None and b"eventId" not in document:
        # The object has at least one field, so the id can be appended after the last.
        return b'%s,"eventId":%s}' % (document[:-1], _encode(event_id))
    fields = _decode_fields(document)
    if event_id is not None:
        fields["eventId"] = msgspec.Raw(_encode(event_id))
    if current.shift_ms is not None:
        fields["timestamp"] = msgspec.Raw(b"%d" % (event.timestamp + current.shift_ms))
        fields["original_timestamp"] = msgspec.Raw(b"%d" % event.timestamp)
    return _encode(fields)


def _event_id(entry: Entry, event: RawEvent, current: Pass) -> str | None:
    """The id to write; None keeps the event's own."""
    repetition = f"#{current.number}" if current.number > 1 else ""
    if event.eventId is not None:
        return event.eventId + repetition if repetition else None
    if current.shift_ms is not None:
        repetition += f"@{current.shift_ms}"
    place = f"{entry.line}.{entry.part}" if entry.part else f"{entry.line}"
    return f"{current.name}:{place}:{zlib.crc32(entry.raw):08x}{repetition}"
