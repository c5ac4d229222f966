"""CSV and TSV: quoting, renamed columns, and rows that do not match the header."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.formats.choices import Choices
from services.traffic.formats.delimited import read_delimited, whole_number_columns
from services.traffic.formats.entries import Entry, Skip, UnusableRecording
from services.traffic.formats.lines import LONGEST_LINE_BYTES, read_lines
from services.traffic.formats.visitors import NO_USER_ID, visitor_of
from shared.events.refusals import Reason, Refusal

HEADER = b"timestamp,userId,productId,url\n"


def entries_of(
    recording: bytes,
    names: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    notes: Counter[str] | None = None,
    **choices: Any,
) -> list[Entry]:
    chosen = Choices(names=names or {}, **choices)
    floats = whole_number_columns(read_lines(io.BytesIO(recording)), delimiter, chosen)
    counted = Counter() if notes is None else notes
    return list(read_delimited(read_lines(io.BytesIO(recording)), delimiter, chosen, counted, floats))


def outcomes_of(entries: list[Entry]) -> list[tuple[int, Any]]:
    """Line number and the event, the reason, or None for a blank line."""

    def outcome(document: bytes | Refusal | Skip | None) -> Any:
        if isinstance(document, bytes):
            return msgspec.json.decode(document)
        return document.reason if document is not None else None

    return [(entry.line, outcome(entry.document)) for entry in entries]


def test_rows_become_events_without_their_empty_cells() -> None:
    entries = entries_of(HEADER + b'1,ann,,"/a,b"\r\n\r\n2,"b ""B""",p,\n')
    assert outcomes_of(entries) == [
        (2, {"timestamp": "1", "userId": "ann", "url": "/a,b"}),
        (3, None),
        (4, {"timestamp": "2", "userId": 'b "B"', "productId": "p"}),
    ]


def test_columns_are_renamed_and_unknown_ones_dropped() -> None:
    names = {"userId": "visitor", "timestamp": "when", "productId": "sku"}
    entries = entries_of(b"when\tcolour\tvisitor\tsku\tproductId\n5\tred\tbob\tS1\tP1\n", names, "\t")
    assert outcomes_of(entries) == [(2, {"timestamp": "5", "userId": "bob", "productId": "S1"})]


def test_a_numeric_age_becomes_a_number() -> None:
    entries = entries_of(b"timestamp,userId,age\n1,a,41\n1,a,41.5\n1,a,forty\n")
    assert [event["age"] for _, event in outcomes_of(entries)] == [41, 41.5, "forty"]


@pytest.mark.parametrize(
    ("header", "names", "complaint"),
    [
        (b"when,userId\n1,a\n", {}, r"no column timestamp: the columns are when, userId; .*--map NAME=timestamp"),
        (b"timestamp,visitor\n1,a\n", {}, "--map NAME=userId, or else .* --map NAME=ip"),
        (b"timestamp:userId\n1:a\n", {}, "the only column is timestamp:userId .*separated by one of ,, ;, |, tab"),
        (
            b"timestamp,userId\n1,a\n",
            {"productId": "sku"},
            "no column sku to read productId from: .* timestamp, u",
        ),
        (b'"timestamp\n', {}, "cannot read the header"),
    ],
)
def test_a_header_without_a_required_column_is_refused(header: bytes, names: dict[str, str], complaint: str) -> None:
    with pytest.raises(UnusableRecording, match=complaint):
        entries_of(header, names)


def test_a_row_may_span_lines_and_counts_once() -> None:
    entries = entries_of(HEADER + b'1,a,p,"two\nlines"\n2,b,p,u\n')
    assert [(number, event["url"]) for number, event in outcomes_of(entries)] == [(2, "two\nlines"), (4, "u")]
    assert entries[0].raw == b'1,a,p,"two\nlines"'


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,a,p,u,more", Reason.UNREADABLE_LINE),
        (b'1,a,"p"x,u', Reason.UNREADABLE_LINE),
        (b"1,a,p,\xff", Reason.NOT_UTF8),
        (b"1,a,p," + b"x" * LONGEST_LINE_BYTES, Reason.TOO_LARGE),
        (b'1,a,p,"never closed', Reason.UNREADABLE_LINE),
    ],
)
@pytest.mark.parametrize("rows_after", [1, 500])
def test_a_bad_row_does_not_affect_others(row: bytes, reason: Reason, rows_after: int) -> None:
    after = b"".join(b"%d,b,p,u\n" % number for number in range(1, rows_after + 1))
    outcomes = outcomes_of(entries_of(HEADER + b"0,a,p,u\n" + row + b"\n" + after))
    assert outcomes[1] == (3, reason)
    assert [event["timestamp"] for _, event in outcomes[2:]] == [str(number) for number in range(1, rows_after + 1)]


def test_text_of_excel_in_windows_1252_is_refused_with_the_remedy() -> None:
    recording = "timestamp;userId;url\n1;ann;/café\n2;bob;/tea\n".encode("cp1252")
    first, second = (entry.document for entry in entries_of(recording))
    assert isinstance(first, Refusal)
    assert "iconv -f CP1252 -t UTF-8" in first.error
    assert isinstance(second, bytes)


def test_a_long_cell_is_accepted() -> None:
    url = "u" * (LONGEST_LINE_BYTES - 20)
    assert outcomes_of(entries_of(HEADER + f"1,a,p,{url}\n".encode()))[0][1]["url"] == url


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("announced", [False, True])
def test_the_header_shows_the_delimiter(delimiter: str, end: str, announced: bool) -> None:
    other = ";" if delimiter == "," else ","
    rows = [["timestamp", f'"a{other}b"', "userId"], ["1", f'"{other}{other}"', f'"b{other}c"']]
    first = f"sep={delimiter}{end}" if announced else ""
    entries = entries_of((first + end.join(delimiter.join(row) for row in rows) + end).encode())
    assert [event for _, event in outcomes_of(entries)] == [{"timestamp": "1", "userId": f"b{other}c"}]


def test_one_column_may_be_two_fields() -> None:
    entries = entries_of(b"timestamp,ip\n1,192.0.2.1\n", {"userId": "ip", "ip": "ip"})
    assert outcomes_of(entries)[0][1] == {"timestamp": "1", "userId": "192.0.2.1", "ip": "192.0.2.1"}


def test_what_is_no_address_makes_no_visitor() -> None:
    outcomes = outcomes_of(entries_of(b"timestamp,ip,userAgent\n1,-,A\n1,unknown,A\n"))
    assert not any("userId" in event for _, event in outcomes)


def test_without_a_user_id_a_visitor_is_an_address_and_a_user_agent() -> None:
    notes: Counter[str] = Counter()
    rows = b"1,192.0.2.1,A,\n2,192.0.2.1,A,\n3,192.0.2.1:80,B,\n4,192.0.2.2,A,\n5,192.0.2.2,A,ann\n6,,A,\n"
    entries = entries_of(b"timestamp,ip,userAgent,userId\n" + rows, notes=notes)
    users = [event.get("userId") for _, event in outcomes_of(entries)]
    assert users[0] == users[1] == visitor_of("192.0.2.1", "A")
    assert len({*users[1:4]}) == 3
    assert users[4:] == ["ann", None]
    assert notes == {NO_USER_ID: 4}


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["2000.0", "", "7.0", "-3.0"], ["2000", None, "7", "-3"]),
        (["2000.0", "1.2345678E7", "nan", "1.0E10"], ["2000", "12345678", None, "10000000000"]),  # Spark
        (["1.0", "1e+16", "1.2345678901234568e+18"], ["1", "10000000000000000", "1234567890123456800"]),  # pandas
        (["2.0", "2.5"], ["2.0", "2.5"]),  # versions
        (["2.0", "NaN", "SKU-1"], ["2.0", "NaN", "SKU-1"]),
        (["007.0", "1.0"], ["007.0", "1.0"]),  # no float is written so
        (["1e5", "3e8"], ["1e5", "3e8"]),  # short hashes
        (["NA", "null"], ["NA", "null"]),
    ],
)
@pytest.mark.parametrize("rows_between", [0, 3000])
def test_whole_numbers_written_as_floats_are_read_as_whole(
    values: list[str], read: list[str | None], rows_between: int
) -> None:
    notes: Counter[str] = Counter()
    cells = [values[0]] * rows_between + values
    recording = "timestamp,userId,sku\n" + "".join(f"1,ann,{cell}\n" for cell in cells)
    entries = entries_of(recording.encode(), {"productId": "sku"}, notes=notes)
    products = [event.get("productId") for _, event in outcomes_of(entries)]
    assert products == [read[0]] * rows_between + read
    changed = sum(cell != before and cell is not None for cell, before in zip(products, cells, strict=True))
    assert sum(notes.values()) == changed
    assert all("column sku" in note for note in notes)


def test_without_a_first_pass_a_column_is_float_until_a_value_proves_otherwise() -> None:
    lines = read_lines(io.BytesIO(b"timestamp,userId\n1,1.0\n2,nan\n3,1.5\n4,2.0\n5,nan\n"))
    entries = list(read_delimited(lines, None, Choices(), Counter()))
    assert [event.get("userId") for _, event in outcomes_of(entries)] == ["1", None, "1.5", "2.0", "nan"]


cell = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_spaces_behind_a_delimiter_are_no_part_of_a_cell() -> None:
    (entry,) = entries_of(b'timestamp, userId, productId\n1, "u,1",  p1\n')
    assert outcomes_of([entry]) == [(2, {"timestamp": "1", "userId": "u,1", "productId": "p1"})]


def test_the_padding_of_a_databases_table_is_no_part_of_a_cell() -> None:
    entries = entries_of(
        b" timestamp | userId | productId \n-----------+--------+-----------\n 1         | u1     | p1\n"
    )
    assert outcomes_of(entries)[1] == (3, {"timestamp": "1", "userId": "u1", "productId": "p1"})


@given(st.lists(st.tuples(cell, cell, cell), max_size=8), st.sampled_from([",", "\t"]))
def test_the_output_of_a_csv_writer_is_read_back(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("timestamp", "userId", "url"))
    writer.writerows(rows)
    read = outcomes_of(entries_of(written.getvalue().encode(), delimiter=delimiter))
    assert [tuple(event.values()) for _, event in read] == rows


@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.translate(None, b"\r\n")), max_size=12))
def test_every_line_belongs_to_exactly_one_entry(rows: list[bytes]) -> None:
    entries = entries_of(HEADER + b"".join(row + b"\n" for row in rows))
    covered = [number for entry in entries for number in range(entry.line, entry.line + 1 + entry.raw.count(b"\n"))]
    assert covered == list(range(2, len(rows) + 2))
