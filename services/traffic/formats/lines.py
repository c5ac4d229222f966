"""Lines of a byte stream, in memory bounded independently of the longest line."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from shared.events.schema import MAX_EVENT_BYTES

LONGEST_LINE_BYTES: Final = MAX_EVENT_BYTES
_READ_BYTES: Final = LONGEST_LINE_BYTES + 2  # the longest line and its CR LF
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r*\n|\r")
# What gzip, bz2 and zip raise for truncated or corrupt bytes.
_DAMAGE: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


class DamagedRecording(Exception):  # noqa: N818 - a property of the file, raised after its good part
    """The bytes are corrupt from here on, as in a truncated compressed file."""


class Line(NamedTuple):
    """A line without its end, numbered from 1. A line over LONGEST_LINE_BYTES is cut, but stays over the limit."""

    number: int
    raw: bytes


class ByteStream(Protocol):
    """The part of a buffered binary stream that reading lines needs."""

    def readline(self, size: int, /) -> bytes: ...


def read_lines(stream: ByteStream) -> Iterator[Line]:
    """Every line of the stream, ended by LF, CR LF or CR; the last may lack an end. Raises DamagedRecording."""
    number, rest = 0, b""
    while read := _readline(stream, number):
        if not rest and read.endswith(b"\n") and b"\r" not in read[:-2]:  # nearly always: half the time
            number += 1
            yield _line(number, read.rstrip(b"\r\n"))
            continue
        is_cut = len(read) == _READ_BYTES and not read.endswith(b"\n")
        pieces = _LINE_END.split(rest + read[:-1] if is_cut else rest + read)
        rest = pieces.pop()
        if is_cut:
            rest += read[-1:]  # a CR may be half of a line end
        for piece in pieces:
            number += 1
            yield _line(number, piece)
        if is_cut and len(rest) > _READ_BYTES - 1:
            number += 1
            yield _line(number, rest)
            rest = _skip_line(stream, number)
    if rest:
        yield _line(number + 1, rest.rstrip(b"\r"))


def _line(number: int, raw: bytes) -> Line:
    while raw.startswith(_BYTE_ORDER_MARK):  # also where files were joined
        raw = raw.removeprefix(_BYTE_ORDER_MARK)
    return Line(number, raw[: LONGEST_LINE_BYTES + 1])


def _skip_line(stream: ByteStream, number: int) -> bytes:
    """Skip the rest of a line. Returns what was read of the next one."""
    while rest := _readline(stream, number):
        if end := _LINE_END.search(rest):
            return rest[end.end() :]
    return b""


def _readline(stream: ByteStream, number: int) -> bytes:
    try:
        return stream.readline(_READ_BYTES)
    except _DAMAGE as error:
        raise DamagedRecording(f"the recording is damaged after line {number}: {error}") from error
