"""Lines, NDJSON and format detection."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.formats.choices import Choices, Format
from services.traffic.formats.entries import Entry, UnusableRecording
from services.traffic.formats.lines import LONGEST_LINE_BYTES, DamagedRecording, read_lines
from services.traffic.formats.reading import detect_format, read_entries
from shared.events.refusals import Reason, Refusal

LOG_LINE = b'192.0.2.1 - - [20/Feb/2016:00:00:45 -0500] "GET / HTTP/1.1" 200 187 "-" "curl/8"'


def read(recording: bytes, name: str = "recording", **names: str) -> tuple[Format, list[Entry]]:
    found, entries = read_entries(io.BytesIO(recording), name, Choices(names=names), Counter())
    return found, list(entries)


whole_lines = st.binary(max_size=20).map(lambda raw: raw.translate(None, b"\r\n"))


@given(st.lists(whole_lines.filter(lambda raw: not raw.startswith(codecs.BOM_UTF8)), min_size=1))
def test_lines_are_split_at_line_ends(lines: list[bytes]) -> None:
    lines[0] = b"x" + lines[0]
    for end in (b"\n", b"\r\n", b"\r", b"\r\r\n"):
        got = list(read_lines(io.BytesIO(end.join(lines) + end)))
        assert got == list(enumerate(lines, start=1))


def test_the_last_line_needs_no_end() -> None:
    assert list(read_lines(io.BytesIO(b"a\nb"))) == [(1, b"a"), (2, b"b")]


def test_line_ends_may_be_mixed() -> None:
    assert [raw for _, raw in read_lines(io.BytesIO(b"a\rb\r\nc\n\rd\r"))] == [b"a", b"b", b"c", b"", b"d"]


def test_many_lines_that_end_in_cr_alone_are_read() -> None:
    size = 3 * LONGEST_LINE_BYTES
    for end in (b"\r", b"\r\n"):
        recording = b"".join(b"%07d" % number + end for number in range(size // 8))
        assert [int(raw) for _, raw in read_lines(io.BytesIO(recording))] == list(range(size // 8))


def test_byte_order_marks_are_removed_also_where_files_were_joined() -> None:
    mark = b"\xef\xbb\xbf"
    assert list(read_lines(io.BytesIO(mark * 2 + b"a\n" + mark + b"b\n"))) == [(1, b"a"), (2, b"b")]


@pytest.mark.parametrize("excess", [1, 2, 3, 100, 3 * LONGEST_LINE_BYTES])
def test_an_overlong_line_is_cut_without_affecting_others(excess: int) -> None:
    lines = list(read_lines(io.BytesIO(b"a\n" + b"x" * (LONGEST_LINE_BYTES + excess) + b"\nb\n")))
    assert [number for number, _ in lines] == [1, 2, 3]
    assert LONGEST_LINE_BYTES < len(lines[1].raw) <= LONGEST_LINE_BYTES + 2
    assert lines[2].raw == b"b"


def test_a_line_of_the_maximum_length_is_kept() -> None:
    longest = b"x" * LONGEST_LINE_BYTES
    assert [line.raw for line in read_lines(io.BytesIO(longest + b"\r\n" + longest))] == [longest, longest]


def test_a_truncated_stream_raises_after_its_lines() -> None:
    class Breaking(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if line := super().readline(size):
                return line
            raise EOFError("cut off")

    lines = read_lines(Breaking(b"a\nb\n"))
    assert [next(lines).raw, next(lines).raw] == [b"a", b"b"]
    with pytest.raises(DamagedRecording, match="after line 2: cut off"):
        next(lines)


def test_ndjson_passes_through_byte_for_byte() -> None:
    line = b'{"userId": "a",  "timestamp": 1, "big": 1.00000000000000000001, "x": "\\u00e9"}'
    found, entries = read(b"\n  " + line + b" \nno json\n\n")
    assert found is Format.NDJSON
    assert [(entry.line, entry.document) for entry in entries] == [(1, None), (2, line), (3, b"no json"), (4, None)]


def test_ndjson_fields_are_renamed_and_others_unchanged() -> None:
    _, entries = read(b'{"v":"a","t":1.0e3,"userId":"old"}\n{"t":2}\n[1\n', timestamp="t", userId="v")
    assert [entry.document for entry in entries] == [b'{"userId":"a","timestamp":1.0e3}', b'{"timestamp":2}', b"[1"]


def test_an_overlong_line_is_refused_unparsed() -> None:
    _, entries = read(b'{"a":1}\n{"a":"' + b"x" * LONGEST_LINE_BYTES + b'"}\n')
    refusal = entries[1].document
    assert isinstance(refusal, Refusal)
    assert refusal.reason == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("first_line", "name", "found"),
    [
        (b'{"timestamp": 1}', "clicks.csv", Format.NDJSON),
        (LOG_LINE, "clicks.csv", Format.ACCESS_LOG),
        (b"timestamp,userId", "-", Format.CSV),
        (b'"timestamp";"userId"', "-", Format.CSV),
        (b"timestamp|userId|url", "clicks.txt", Format.CSV),
        (b"timestamp\tuserId, or so", "-", Format.TSV),
        (b"timestamp,userId\tx", "clicks.csv.gz", Format.CSV),
        (b"garbage", "access.log.zip", Format.ACCESS_LOG),
        (LOG_LINE[:60] + b"; cut, off", "-", Format.ACCESS_LOG),
        (b"garbage", "2026.clicks.JSONL.bz2", Format.NDJSON),
        (b"garbage", "clicks", None),
    ],
)
def test_the_format_is_detected_by_content_then_by_name(first_line: bytes, name: str, found: Format | None) -> None:
    assert detect_format([first_line], name, Choices()) == found


def test_the_format_is_detected_behind_a_programs_first_messages() -> None:
    noise = b"/docker-entrypoint.sh: is not empty, will attempt to perform configuration"
    assert detect_format([noise, noise, LOG_LINE], "-", Choices()) is Format.ACCESS_LOG
    assert detect_format([noise, b'{"level":"info"}', b'{"timestamp":1,"userId":"a"}'], "-", Choices()) is Format.NDJSON
    assert detect_format([noise, b"t,visitor"], "-", Choices(names={"timestamp": "t"})) is Format.CSV
    found, entries = read(b"\n".join([noise] * 19 + [LOG_LINE]))
    assert found is Format.ACCESS_LOG
    assert len(entries) == 20
    assert read(b"\n".join([noise] * 19 + [LOG_LINE]))[0] is Format.ACCESS_LOG


def test_messages_with_commas_are_no_table() -> None:
    messages = [b"starting, please wait", b"ready", b"listening on 80, 443, and 8080"]
    assert detect_format(messages, "-", Choices()) is None
    assert detect_format([b"time,visitor", b'1,"a,b"'], "-", Choices()) is Format.CSV
    error = (
        b'2026/11/26 10:00:00 [error] 12#12: open() failed, client: 203.0.113.7, server: s, request: "GET / HTTP/1.1"'
    )
    assert detect_format([error, error], "-", Choices()) is None
    assert detect_format([b"[Thu Nov 26 10:00:00 2026] [core:error] [pid 1] AH00126: Invalid"], "-", Choices()) is None


def test_lines_before_the_header_of_a_table_are_named() -> None:
    with pytest.raises(UnusableRecording, match=r"Line 4 looks like the header: tail -n \+4 FILE"):
        read(b"Report;;\nNovember;;\n\ntimestamp;userId\n1;a\n")
    with pytest.raises(UnusableRecording, match=r"name it with --map NAME=timestamp$"):
        read(b"time,userId\n1,a\n")


def test_an_undetectable_format_names_the_option() -> None:
    with pytest.raises(UnusableRecording, match="--format ndjson, csv, tsv, access-log, nginx-json"):
        read(b"garbage\n")


CLICK = b'{"timestamp":1,"userId":"a"}'


@pytest.mark.parametrize("chosen", [None, Format.NDJSON, Format.GA4])
@pytest.mark.parametrize(
    "recording", [b"[%s]" % CLICK, b"[\n%s,\n%s\n]\n" % (CLICK, CLICK), b'{\n"timestamp": 1,\n"userId": "a"\n}', b"[ "]
)
def test_json_over_several_lines_is_refused_with_the_way_to_convert_it(recording: bytes, chosen: Format | None) -> None:
    with pytest.raises(UnusableRecording, match="jq"):
        read_entries(io.BytesIO(recording), "clicks.json", Choices(format=chosen), Counter())


def test_an_empty_recording_has_no_entries() -> None:
    assert read(b"")[1] == []
    assert [entry.document for entry in read(b"\n \n")[1]] == [None, None]


def test_detection_does_not_lose_the_first_line() -> None:
    _, entries = read(b"\n" + LOG_LINE + b"\n" + LOG_LINE + b"\n")
    events: list[Any] = [msgspec.json.decode(entry.document) for entry in entries if isinstance(entry.document, bytes)]
    assert [entry.line for entry in entries] == [1, 2, 3]
    assert [event["productId"] for event in events] == ["/", "/"]


def test_detection_waits_only_for_a_line_that_proves_the_format() -> None:
    class Live:
        """A pipe with one line so far."""

        def __init__(self) -> None:
            self.lines: Iterator[bytes] = iter([b'{"timestamp": 1}\n'])

        def readline(self, _: int, /) -> bytes:
            return next(self.lines)  # a second call would block; here it raises StopIteration

    found, _ = read_entries(Live(), "-", Choices(), Counter())
    assert found is Format.NDJSON
