"""CSV and TSV with a header: RFC 4180 quoting, renamed columns, unknown columns dropped."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from services.traffic.formats.entries import TOO_LONG, Entry, UnusableRecording
from services.traffic.formats.lines import LONGEST_LINE_BYTES, Line
from shared.events.refusals import Reason, Refusal
from shared.events.schema import RawEvent

FIELDS: Final = RawEvent.__struct_fields__
REQUIRED: Final = ("timestamp", "userId")
_LONGEST_ROW_LINES: Final = 100
"""A quoted cell may hold line breaks; a row with more lines counts as an unclosed quote."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")

_encode = msgspec.json.Encoder().encode


def read_delimited(lines: Iterable[Line], delimiter: str, names: Mapping[str, str]) -> Iterator[Entry]:
    """The rows below the header. Raises UnusableRecording at once when the header lacks a required column."""
    csv.field_size_limit(LONGEST_LINE_BYTES)  # the library's default, a global limit, is half of that
    source = _RowLines(lines)
    rows = csv.reader(source, delimiter=delimiter, strict=True)
    try:
        header = next((row for row in rows if any(cell.strip() for cell in row)), None)
    except csv.Error as error:
        raise UnusableRecording(f"cannot read the header: {error}") from None
    if header is None:
        return iter(())
    columns = _columns([cell.strip() for cell in header], names)
    return _read_rows(source, rows, columns)


def _columns(header: list[str], names: Mapping[str, str]) -> list[str | None]:
    """The field of each column; None drops the column."""
    absent = [theirs for theirs in names if theirs not in header]
    if absent:
        raise UnusableRecording(f"--map {absent[0]}={names[absent[0]]}: the columns are {', '.join(header)}")
    mapped = set(names.values())
    columns = [names.get(name) or (name if name in FIELDS and name not in mapped else None) for name in header]
    for required in REQUIRED:
        if required not in columns:
            raise UnusableRecording(
                f"no column {required}: the columns are {', '.join(header)}; name it with --map NAME={required}"
            )
    return columns


def _read_rows(source: "_RowLines", rows: Iterator[list[str]], columns: list[str | None]) -> Iterator[Entry]:
    while True:
        source.start_row()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            # Refuse only the first line: an unclosed quote may have swallowed good rows.
            line = source.return_all_but_first()
            refusal = TOO_LONG if len(line.raw) > LONGEST_LINE_BYTES else Refusal(Reason.UNREADABLE_LINE, str(error))
            yield Entry(line.number, line.raw, refusal)
            continue
        taken = source.taken
        raw = taken[0].raw if len(taken) == 1 else b"\n".join(line.raw for line in taken)
        yield Entry(taken[0].number, raw, _document(row, columns, raw))


def _document(row: list[str], columns: list[str | None], raw: bytes) -> bytes | Refusal | None:
    if not raw.strip():
        return None
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            return Refusal(Reason.NOT_UTF8, str(error))
    if any(row[len(columns) :]):
        return Refusal(Reason.UNREADABLE_LINE, f"{len(row)} cells, but the header has {len(columns)}")
    event: dict[str, object] = {
        name: cell for name, cell in zip(columns, row, strict=False) if name is not None and cell
    }
    age = event.get("age")
    if isinstance(age, str) and _NUMBER.fullmatch(age):
        event["age"] = float(age) if "." in age else int(age)
    return _encode(event)


class _RowLines:
    """The line source of a csv.reader; remembers the lines of the current row so they can be read again."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []
        self._bytes = 0

    def start_row(self) -> None:
        self.taken = []
        self._bytes = 0

    def return_all_but_first(self) -> Line:
        first, *others = self.taken
        self._returned.extendleft(reversed(others))
        return first

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self._bytes += len(line.raw)
        if self._bytes > LONGEST_LINE_BYTES or len(self.taken) > _LONGEST_ROW_LINES:
            raise csv.Error(f"a row of more than {_LONGEST_ROW_LINES} lines or {LONGEST_LINE_BYTES} bytes")
        # Bytes that are not UTF-8 must pass the reader, so that only their own row is refused.
        return line.raw.decode("utf-8", "surrogateescape") + "\n"
