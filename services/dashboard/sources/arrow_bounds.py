"""How large an Arrow IPC stream becomes, from its metadata, before anything of it is decompressed. Pure.

A few kilobytes of zstd may declare gigabytes, and Arrow allocates what a buffer declares. Format:
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CONTINUATION: Final = 0xFFFF_FFFF
_DICTIONARY_BATCH: Final = 2  # values of `Message.header_type`
_RECORD_BATCH: Final = 3
_SCHEMA: Final = 1
_MOST_MESSAGES: Final = 1_000
_MOST_BUFFERS: Final = 10_000


class Unbounded(ValueError):  # noqa: N818 - a state of the data
    """The stream is malformed or larger than allowed; the message says how."""


def check_bounds(stream: bytes, most_rows: int, most_bytes: int) -> None:
    """Raise Unbounded unless `stream` has at most so many rows, and so many bytes once decompressed."""
    rows = size = 0
    for kind, batch, body in _batches(stream):
        own_rows = batch.int64(0)
        lengths = [own_rows, *(length for length, _ in batch.structs(1))]
        if not all(0 <= length <= most_rows for length in lengths):
            raise Unbounded(f"a batch of {max(lengths, key=abs):,} rows, more than {most_rows:,}")
        rows += own_rows if kind == _RECORD_BATCH else 0
        size += sum(_sizes(batch, body, is_compressed=batch.has(3)))
        if rows > most_rows:
            raise Unbounded(f"more than {most_rows:,} rows")
        if size > most_bytes:
            raise Unbounded(f"{size:,} bytes once decompressed, more than {most_bytes:,}")


def _sizes(batch: "_Table", body: memoryview, *, is_compressed: bool) -> Iterator[int]:
    """The size of each buffer of a batch once decompressed."""
    for offset, length in batch.structs(2):
        if not (0 <= offset <= len(body) and 0 <= length <= len(body) - offset):
            raise Unbounded("a buffer outside of its message")
        if length == 0 or not is_compressed:
            yield length
            continue
        if length < 8:
            raise Unbounded("a compressed buffer without its size")
        (declared,) = struct.unpack_from("<q", body, offset)
        if declared < -1:
            raise Unbounded("a compressed buffer of negative size")
        yield length if declared == -1 else declared  # -1: not compressed after all


def _batches(stream: bytes) -> Iterator[tuple[int, "_Table", memoryview]]:
    """The kind, the RecordBatch and the body of each message that has one."""
    view, place = memoryview(stream), 0
    for _ in range(_MOST_MESSAGES):
        if place == len(view):
            return
        marker, length = _unpacked("<Ii", view, place)
        if marker != _CONTINUATION:
            raise Unbounded("not an Arrow stream")
        if length == 0:
            return
        start = place + 8 + length
        if length < 0 or start > len(view):
            raise Unbounded("metadata outside of the stream")
        metadata = view[place + 8 : start]
        message = _Table(metadata, _unpacked("<I", metadata, 0)[0])
        body_length = message.int64(3)
        if not 0 <= body_length <= len(view) - start:
            raise Unbounded("a body outside of the stream")
        kind = message.uint8(1)
        place = start + body_length
        if kind == _SCHEMA:
            continue
        if kind not in {_RECORD_BATCH, _DICTIONARY_BATCH}:
            raise Unbounded(f"a message of the kind {kind}")
        header = message.table(2)
        yield kind, header.table(1) if kind == _DICTIONARY_BATCH else header, view[start:place]
    raise Unbounded(f"more than {_MOST_MESSAGES:,} messages")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a flatbuffer: fields by number, absent ones 0."""

    buffer: memoryview
    place: int

    def has(self, field: int) -> bool:
        return self._field(field) != 0

    def uint8(self, field: int) -> int:
        return self._number("<B", field)

    def int64(self, field: int) -> int:
        return self._number("<q", field)

    def table(self, field: int) -> "_Table":
        return _Table(self.buffer, self._target(field))

    def structs(self, field: int) -> Iterator[tuple[int, int]]:
        """The elements of a vector of two int64 each."""
        if not self.has(field):
            return
        start = self._target(field)
        (count,) = _unpacked("<I", self.buffer, start)
        if count > _MOST_BUFFERS:
            raise Unbounded(f"{count:,} buffers")
        for number in range(count):
            first, second = _unpacked("<qq", self.buffer, start + 4 + 16 * number)
            yield first, second

    def _target(self, field: int) -> int:
        at = self._field(field)
        if not at:
            raise Unbounded("a part is missing")
        return at + _unpacked("<I", self.buffer, at)[0]

    def _number(self, form: str, field: int) -> int:
        at = self._field(field)
        return _unpacked(form, self.buffer, at)[0] if at else 0

    def _field(self, field: int) -> int:
        """Where the field is; 0 when it is absent."""
        vtable = self.place - _unpacked("<i", self.buffer, self.place)[0]
        (size,) = _unpacked("<H", self.buffer, vtable)
        entry = 4 + 2 * field
        offset = _unpacked("<H", self.buffer, vtable + entry)[0] if entry + 2 <= size else 0
        return self.place + offset if offset else 0


def _unpacked(form: str, buffer: memoryview, at: int) -> tuple[int, ...]:
    if not 0 <= at <= len(buffer) - struct.calcsize(form):
        raise Unbounded("metadata that points outside of itself")
    return struct.unpack_from(form, buffer, at)
