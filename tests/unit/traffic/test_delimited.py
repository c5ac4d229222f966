"""CSV and TSV: quoting, renamed columns, and rows that do not match the header."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.formats.delimited import read_delimited
from services.traffic.formats.entries import Entry, Skip, UnusableRecording
from services.traffic.formats.lines import LONGEST_LINE_BYTES, read_lines
from shared.events.refusals import Reason, Refusal

HEADER = b"timestamp,userId,productId,url\n"


def entries_of(recording: bytes, names: Mapping[str, str] | None = None, delimiter: str = ",") -> list[Entry]:
    return list(read_delimited(read_lines(io.BytesIO(recording)), delimiter, names or {}))


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
    names = {"visitor": "userId", "when": "timestamp", "sku": "productId"}
    entries = entries_of(b"when\tcolour\tvisitor\tsku\tproductId\n5\tred\tbob\tS1\tP1\n", names, "\t")
    assert outcomes_of(entries) == [(2, {"timestamp": "5", "userId": "bob", "productId": "S1"})]


def test_a_numeric_age_becomes_a_number() -> None:
    entries = entries_of(b"timestamp,userId,age\n1,a,41\n1,a,41.5\n1,a,forty\n")
    assert [event["age"] for _, event in outcomes_of(entries)] == [41, 41.5, "forty"]


@pytest.mark.parametrize(
    ("header", "names", "complaint"),
    [
        (b"when,userId\n1,a\n", {}, r"no column timestamp: the columns are when, userId; .*--map NAME=timestamp"),
        (b"timestamp,visitor\n1,a\n", {}, "--map NAME=userId"),
        (b"timestamp,userId\n1,a\n", {"sku": "productId"}, "--map sku=productId: the columns are timestamp, userId"),
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


def test_a_long_cell_is_accepted() -> None:
    url = "u" * (LONGEST_LINE_BYTES - 20)
    assert outcomes_of(entries_of(HEADER + f"1,a,p,{url}\n".encode()))[0][1]["url"] == url


cell = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


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
