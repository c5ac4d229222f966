"""Lines of a byte stream, in memory bounded independently of the longest line."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from shared.events.schema import MAX_EVENT_BYTES

LONGEST_LINE_BYTES: Final = MAX_EVENT_BYTES
_READ_BYTES: Final = LONGEST_LINE_BYTES + 2  # the longest line and its CR LF
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
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
    """Every line of the stream; the last may lack a line end. Raises DamagedRecording."""
    number = 0
    while read := _readline(stream, number):
        number += 1
        if len(read) == _READ_BYTES and not read.endswith(b"\n"):
            _skip_line(stream, number)
        if number == 1:
            read = read.removeprefix(_BYTE_ORDER_MARK)
        yield Line(number, read.rstrip(b"\r\n"))


def _skip_line(stream: ByteStream, number: int) -> None:
    while (rest := _readline(stream, number)) and not rest.endswith(b"\n"):
        pass


def _readline(stream: ByteStream, number: int) -> bytes:
    try:
        return stream.readline(_READ_BYTES)
    except _DAMAGE as error:
        raise DamagedRecording(f"the recording is damaged after line {number}: {error}") from error
