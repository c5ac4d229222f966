"""Rows of products and visitors from a file: JSON, NDJSON, CSV, TSV or an XML feed, plain or gzip, found by content."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from services.enrich.lookup_files.feed import UnreadableFeed, read_feed
from services.enrich.lookup_files.fields import Fields, Row

_LONGEST_LINE: Final = 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = ",;\t|"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")  # byte order marks; spreadsheets write them


class UnreadableFile(Exception):  # noqa: N818 - a property of the file
    """The whole file is unreadable; the message says why."""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file. Raises UnreadableFile.

    Only a JSON array, UTF-16 and lines that end in CR are held in memory.
    """
    try:
        with _opened(path) as stream:
            if stream.peek(2)[:2] in _UTF_16:
                stream = io.BufferedReader(io.BytesIO(stream.read().decode("utf-16").encode()))
            start = stream.peek(_LONGEST_LINE)
            if b"\r" in start and b"\n" not in start:  # as spreadsheets on a Mac write it
                stream = io.BufferedReader(io.BytesIO(stream.read().replace(b"\r", b"\n")))
            first = stream.peek(64).removeprefix(_BYTE_ORDER_MARK).lstrip()[:1]
            if first == b"<":
                yield from read_feed(stream)
            elif first == b"[":
                yield from _read_array(stream.read())
            elif first == b"{":
                yield from _read_ndjson(stream)
            else:
                yield from _read_csv(stream)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, UnreadableFeed) as error:
        raise UnreadableFile(f"{path}: {error}") from None
    except UnreadableFile as error:
        raise UnreadableFile(f"{path}: {error}") from None


@contextmanager
def _opened(path: Path) -> "Iterator[io.BufferedReader[Any]]":
    with path.open("rb") as plain:
        if plain.peek(2)[:2] == _GZIP:
            with io.BufferedReader(gzip.GzipFile(fileobj=plain)) as unpacked:
                yield unpacked
        else:
            yield plain


def _read_array(document: bytes) -> Iterator[Row]:
    try:
        items = msgspec.json.decode(document.removeprefix(_BYTE_ORDER_MARK), type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(f"not JSON: {error}") from None
    for number, item in enumerate(items, 1):
        yield Row(number, _object(item))


def _read_ndjson(stream: "io.BufferedReader[Any]") -> Iterator[Row]:
    for number, line in _lines(stream):
        if line is None:
            yield Row(number, f"longer than {_LONGEST_LINE} bytes")
        elif line.strip():
            yield Row(number, _object(line))


def _object(document: bytes | msgspec.Raw) -> Fields | str:
    try:
        return msgspec.json.decode(document, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not a JSON object"


def _read_csv(stream: "io.BufferedReader[Any]") -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_LINE)  # process-wide; the default is smaller
    lines = (line.decode("utf-8", "surrogateescape") if line is not None else "" for _, line in _lines(stream))
    header_line = next(lines, "")
    delimiter = max(_DELIMITERS, key=header_line.count)
    try:
        header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter), [])]
    except csv.Error:
        header = []
    if len(header) < 2:
        raise UnreadableFile("not a JSON array, NDJSON, an XML feed, or CSV with a header of two or more columns")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first_line = reader.line_num + 2  # the header is line 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(first_line, f"not CSV: {error}")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            yield Row(first_line, f"{len(cells)} columns, the header has {len(header)}")
        else:
            yield Row(first_line, dict(zip(header, cells, strict=True)))


def _lines(stream: "io.BufferedReader[Any]") -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number; None for a line that is too long."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, line
