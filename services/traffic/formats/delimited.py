"""CSV and its kin with a header: RFC 4180 quoting, renamed columns, unknown columns dropped."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from services.traffic.formats import columns
from services.traffic.formats.choices import Choices
from services.traffic.formats.columns import Columns
from services.traffic.formats.entries import TOO_LONG, Entry, UnusableRecording
from services.traffic.formats.lines import LONGEST_LINE_BYTES, Line
from services.traffic.formats.sales import SALE_FIELDS, without_missing_numbers, without_others_sales
from services.traffic.formats.visitors import NO_USER_ID, address_in, tells_visitors_apart, visitor_of
from services.traffic.formats.whole_numbers import MISSING, float_columns, whole
from shared.events.refusals import Reason, Refusal

_LONGEST_ROW_LINES: Final = 100
"""A quoted cell may hold line breaks; a row with more lines counts as an unclosed quote."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_TO_UTF8: Final = "; Excel writes Windows-1252: iconv -f CP1252 -t UTF-8 FILE | clickpulse replay -"
_WHOLE_NUMBERS: Final = ("timestamp", "userId", "productId", "eventId", "orderId")
"""The fields that a fraction never belongs to."""

_encode = msgspec.json.Encoder().encode


class _Table(NamedTuple):
    """The rows below the header, and the lines that each comes from. Databases pad the cells between `|`."""

    columns: Columns
    is_padded: bool
    source: "_RowLines"
    rows: Iterator[list[str]]


def read_delimited(
    lines: Iterable[Line],
    delimiter: str | None,
    choices: Choices,
    notes: Counter[str],
    floats: frozenset[int] | None = None,
) -> Iterator[Entry]:
    """The rows below the header, with the delimiter or, by default, the one that the header shows.

    `floats` are the columns that `whole_number_columns` found; None: each is one until a value proves that it is not.
    `notes` counts what was changed. Raises UnusableRecording at once when the header lacks a required column.
    """
    table = _open(lines, delimiter, choices)
    return iter(()) if table is None else _read_rows(table, notes, floats, choices.sales)


def whole_number_columns(lines: Iterable[Line], delimiter: str | None, choices: Choices) -> frozenset[int]:
    """The places of the columns of ids and times that hold nothing but whole numbers written as floats.

    Reads until no column can be one, which nearly always takes a row. Raises UnusableRecording like `read_delimited`.
    """
    table = _open(lines, delimiter, choices)
    if table is None:
        return frozenset()
    rows = (row for _, row in _rows(table) if isinstance(row, list))
    return float_columns(rows, _places(table.columns, _WHOLE_NUMBERS))


def _open(lines: Iterable[Line], delimiter: str | None, choices: Choices) -> _Table | None:
    """The table, opened behind its header; None without any text."""
    csv.field_size_limit(LONGEST_LINE_BYTES)  # the library's default, a global limit, is half of that
    source = _RowLines(lines)
    first = source.peek()
    if first is not None and (announced := columns.announced_delimiter(first)):
        delimiter = announced
        next(source)
        first = source.peek()
    if first is None:
        return None
    if delimiter is None:
        delimiter = columns.delimiter_of(",".join(choices.header) or first, choices.names)
    rows = csv.reader(source, delimiter=delimiter, strict=True, skipinitialspace=True)
    if choices.header:
        return _Table(columns.columns_of(choices.header, choices.names), delimiter == "|", source, rows)
    try:
        header = next(rows)
    except csv.Error as error:
        raise UnusableRecording(f"cannot read the header: {error}") from None
    return _Table(columns.columns_of([cell.strip() for cell in header], choices.names), delimiter == "|", source, rows)


def _rows(table: _Table) -> Iterator[tuple[list[Line], list[str] | Refusal]]:
    """The rows, each with its lines; of one that cannot be read, the first line and the refusal."""
    while True:
        table.source.start_row()
        try:
            row = next(table.rows)
        except StopIteration:
            return
        except csv.Error as error:
            # Refuse only the first line: an unclosed quote may have swallowed good rows.
            line = table.source.return_all_but_first()
            is_long = len(line.raw) > LONGEST_LINE_BYTES
            yield [line], TOO_LONG if is_long else Refusal(Reason.UNREADABLE_LINE, str(error))
            continue
        yield table.source.taken, [cell.rstrip() for cell in row] if table.is_padded else row


def _read_rows(
    table: _Table, notes: Counter[str], floats: frozenset[int] | None, sales: frozenset[str]
) -> Iterator[Entry]:
    repair = _Repair(table.columns, notes, floats)
    for lines, row in _rows(table):
        raw = lines[0].raw if len(lines) == 1 else b"\n".join(line.raw for line in lines)
        document = row if isinstance(row, Refusal) else _document(row, table.columns, raw, repair, sales)
        yield Entry(lines[0].number, raw, document)


def _document(
    row: list[str], columns: Columns, raw: bytes, repair: "_Repair", sales: frozenset[str]
) -> bytes | Refusal | None:
    if not raw.strip():
        return None
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            return Refusal(Reason.NOT_UTF8, f"{error}{_TO_UTF8}")
    if any(row[len(columns.header) :]):
        return Refusal(Reason.UNREADABLE_LINE, f"expected {len(columns.header)} cells, got {len(row)}")
    repair.row(row)
    cells = len(row)
    event: dict[str, object] = {
        name: row[place] for name, place in columns.fields.items() if place < cells and row[place]
    }
    age = event.get("age")
    if isinstance(age, str) and _NUMBER.fullmatch(age):
        event["age"] = float(age) if "." in age else int(age)
    if not SALE_FIELDS.isdisjoint(columns.fields):
        without_missing_numbers(event)
        without_others_sales(event, sales)
    if ip := event.get("ip"):
        event["ip"] = address = address_in(str(ip))
        if "userId" not in event and tells_visitors_apart(address):
            event["userId"] = visitor_of(address, str(event.get("userAgent") or ""))
            repair.notes[NO_USER_ID] += 1
    return _encode(event)


def _places(columns: Columns, fields: Iterable[str]) -> list[int]:
    return sorted({columns.fields[field] for field in fields if field in columns.fields})


class _Repair:
    """Reads whole numbers that were written as floats, and notes it by column."""

    def __init__(self, columns: Columns, notes: Counter[str], floats: frozenset[int] | None) -> None:
        self.notes = notes
        self._places = set(_places(columns, _WHOLE_NUMBERS) if floats is None else floats)
        self._proven = set(floats or ())
        self._note_of = {
            place: f"column {columns.header[place]}: whole numbers written as 2000.0 are read as 2000"
            for place in self._places
        }

    def row(self, row: list[str]) -> None:
        """Change the cells of one row."""
        for place in tuple(self._places):
            cell = row[place] if place < len(row) else ""
            if cell in MISSING:
                if place in self._proven and cell:
                    row[place] = ""
            elif (number := whole(cell)) is not None:
                row[place] = number
                self._proven.add(place)
                self.notes[self._note_of[place]] += 1
            else:
                self._places.discard(place)


class _RowLines:
    """The line source of a csv.reader; remembers the lines of the current row so they can be read again."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []
        self._bytes = 0

    def peek(self) -> str | None:
        """The next line that is not blank, without its end; None at the end. Blank lines before it are skipped."""
        for line in self._lines:
            if line.raw.strip():
                self._returned.append(line)
                return line.raw.decode("utf-8", "replace")
        return None

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
