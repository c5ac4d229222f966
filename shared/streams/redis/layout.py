"""The layout of the event log in Redis: key names, and records and offsets as stream entries. Pure.

Each partition is a stream at `<prefix><topic>:<partition>`, convenient for redis-cli: the fields of an entry are `v`
(value), `k` (key, optional) and `h` (headers in MessagePack, optional). Anyone may XADD an entry with `v` alone. An
offset is the entry's id `<ms>-<sequence>` in one integer, so it rises with the id and carries the append time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from shared.streams.event_log import Headers, Record, ToAppend, TopicSpec

_SEQUENCE_BITS: Final = 20
_SEQUENCE_LIMIT: Final = 1 << _SEQUENCE_BITS
_SEQUENCE_MASK: Final = _SEQUENCE_LIMIT - 1
_LATEST_MS: Final = (1 << 43) - 1  # an offset fits into 63 bits, as on Kafka, until the year 2248

_encode_headers: Final = msgspec.msgpack.Encoder().encode
_decode_headers: Final = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode

Entry = Sequence[Any]
"""An entry as Redis replies: its id and the flat list of its fields."""


def stream_key(prefix: str, topic: str, partition: int) -> str:
    """The stream of one partition."""
    return f"{prefix}{topic}:{partition}"


def topics_key(prefix: str) -> str:
    """The hash of topics: name → specification."""
    return f"{prefix}log:topics"


def offsets_key(prefix: str, topic: str, group: str) -> str:
    """The hash of a group's committed offsets: partition → next offset, and `OWNER_FIELD`."""
    return f"{prefix}log:{topic}:{group}"


def lease_key(prefix: str, topic: str, group: str) -> str:
    """The lease of the process that reads the topic for the group."""
    return f"{prefix}log:{topic}:{group}:owner"


class _Spec(msgspec.Struct, frozen=True):
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    retention_ms: Annotated[int, msgspec.Meta(ge=0)]


def encode_spec(spec: TopicSpec) -> bytes:
    """A topic's value in the hash of topics."""
    return msgspec.json.encode(_Spec(spec.partitions, spec.retention_ms))


def decode_spec(name: str, text: bytes) -> TopicSpec:
    """The opposite of `encode_spec`. Raises ValueError for any other text."""
    try:
        fields = msgspec.json.decode(text, type=_Spec)
    except msgspec.MsgspecError as error:
        raise ValueError(f"topic {name}: expected a specification, got {text!r}: {error}") from None
    return TopicSpec(name, fields.partitions, fields.retention_ms)


class ForeignId(Exception):  # noqa: N818 - a fact about an entry
    """An entry has an id that fits no offset."""


def is_foreign(entry_id: bytes, latest_ms: int) -> bool:
    """Whether an id fits no offset, or is of a later time than `latest_ms`."""
    time_ms, sequence = map(int, entry_id.split(b"-"))
    return sequence >= _SEQUENCE_LIMIT or time_ms > min(latest_ms, _LATEST_MS)


def offset_of(entry_id: bytes) -> int:
    """The offset of an entry id. The nearest one for a foreign id."""
    time_ms, _, sequence = entry_id.partition(b"-")
    return min(int(time_ms), _LATEST_MS) << _SEQUENCE_BITS | min(int(sequence), _SEQUENCE_MASK)


def entry_id_of(offset: int) -> bytes:
    """The entry id of an offset."""
    return b"%d-%d" % (offset >> _SEQUENCE_BITS, offset & _SEQUENCE_MASK)


def entry_id_before(offset: int) -> bytes:
    """The id to read after, so that the entry at `offset` comes first."""
    return entry_id_of(offset - 1) if offset > 0 else b"0-0"


def first_offset_at(timestamp_ms: int) -> int:
    """The smallest offset of an entry appended at this instant."""
    return max(timestamp_ms, 0) << _SEQUENCE_BITS


def timestamp_ms_of(offset: int) -> int:
    """The append time of the entry at this offset, epoch ms."""
    return offset >> _SEQUENCE_BITS


def encode_fields(record: ToAppend) -> list[str | bytes]:
    """The fields of a new entry, flat, as XADD takes them."""
    _, key, value, headers = record
    fields: list[str | bytes] = ["v", value]
    if key is not None:
        fields += ("k", key)
    if headers:
        fields += ("h", _encode_headers(headers))
    return fields


def decode_entries(partition: int, entries: Iterable[Entry]) -> list[Record]:
    """The records of one partition's entries. A missing `v` counts as an empty value, an invalid `h` as no headers.

    Raises ForeignId.
    """
    records = []
    for entry_id, fields in entries:
        time_ms, _, sequence = entry_id.partition(b"-")
        number = int(sequence)
        if number >= _SEQUENCE_LIMIT:
            raise ForeignId
        offset = int(time_ms) << _SEQUENCE_BITS | number
        match fields:
            case [b"v", value, b"k", key]:
                headers: Headers = ()
            case [b"v", value]:
                key, headers = None, ()
            case _:
                value, key, headers = _decode_any(dict(zip(fields[::2], fields[1::2], strict=False)))
        records.append(Record(partition, offset, offset >> _SEQUENCE_BITS, key, value, headers))
    return records


def _decode_any(fields: Mapping[bytes, bytes]) -> tuple[bytes, bytes | None, Headers]:
    try:
        headers = _decode_headers(fields[b"h"]) if b"h" in fields else ()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        headers = ()
    return fields.get(b"v", b""), fields.get(b"k"), headers
