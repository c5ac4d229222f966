"""Product and visitor files: all formats give the same rows; each row is a lookup or refused with a reason."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.lookup_files.fields import PRODUCTS, VISITORS, Kind, Lookup, RefusedRow
from services.enrich.lookup_files.rows import Row, UnreadableFile, read_rows
from shared.events.limits import Limits

VASES = [{"id": "V1", "title": "Blue, tall"}, {"id": "V2", "title": "Größe 2"}]
FORMATS = {
    "array": json.dumps(VASES, indent=2).encode(),
    "ndjson": "\n".join(json.dumps(vase, ensure_ascii=False) for vase in VASES).encode(),
    "csv": 'id,title\nV1,"Blue, tall"\nV2,Größe 2\n'.encode(),
    "tsv": "id\ttitle\r\nV1\tBlue, tall\r\nV2\tGröße 2\r\n".encode(),
}


def rows_of(tmp_path: Path, content: bytes) -> list[Row]:
    path = tmp_path / "rows"
    path.write_bytes(content)
    return list(read_rows(path))


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "with a byte order mark"])
def test_every_format_gives_the_same_rows(tmp_path: Path, content: bytes, packed: bool, mark: bytes) -> None:
    content = gzip.compress(mark + content) if packed else mark + content
    assert [row.fields for row in rows_of(tmp_path, content)] == VASES


def test_unreadable_lines_are_named_by_their_number(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path, b'{"id":"V1"}\n\nnonsense\n[1]\n{"id":"\xff"}\n' + b'{"id":"' + b"x" * 2_000_000 + b'"}\n{"id":"V2"}'
    )
    assert rows == [
        Row(1, {"id": "V1"}),
        Row(3, "not a JSON object"),
        Row(4, "not a JSON object"),
        Row(5, "not a JSON object"),
        Row(6, "longer than 1048576 bytes"),
        Row(7, {"id": "V2"}),
    ]


def test_array_item_that_is_not_an_object_is_named_by_its_position(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b'[{"id":1}, 7, {"id":2}]')[1] == Row(2, "not a JSON object")


def test_csv_row_is_named_by_its_first_line(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'id,title\nV1,"two\nlines"\nV2\n\nV3,three,3\nV4,four\n')
    assert rows == [
        Row(2, {"id": "V1", "title": "two\nlines"}),
        Row(4, "1 columns, the header has 2"),
        Row(6, "3 columns, the header has 2"),
        Row(7, {"id": "V4", "title": "four"}),
    ]


def test_quote_that_is_never_closed_is_one_refused_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'id,title\nV1,one\nV2,"two\n')
    assert [(row.number, isinstance(row.fields, str)) for row in rows] == [(2, False), (3, True)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"just text\n",
        b'[{"id":1}',
        b"[" * 100_000,
        gzip.compress(b"id,title\nV1,one\n" * 99, mtime=0)[:-20],
        b"\x1f\x8bno",
    ],
)
def test_file_in_another_format_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile, match="rows: "):
        rows_of(tmp_path, content)


@given(content=st.binary(max_size=200) | st.text('[]{}",:\n\t1a', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_an_unreadable_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        rows = rows_of(tmp_path_factory.getbasetemp(), content)
    except UnreadableFile:
        return
    for row in rows:
        assert isinstance(row.fields, str) or isinstance(PRODUCTS.read(row.fields, Limits()), Lookup | RefusedRow)


@pytest.mark.parametrize(
    ("kind", "fields", "stored"),
    [
        (PRODUCTS, {"productId": "V1", "category": "vases", "title": "Blue"}, {"cat": "vases", "title": "Blue"}),
        (PRODUCTS, {"id": "V1", "cat": "vases", "price": 3}, {"cat": "vases", "title": ""}),
        (
            VISITORS,
            {"userId": "V1", "gender": "female", "birthDate": "1990-09-22"},
            {"gender": "F", "birthday": "1990-09-22"},
        ),
        (VISITORS, {"id": "V1", "birthdate": "1990-09-22T00:00:00"}, {"gender": "", "birthday": "1990-09-22"}),
        (VISITORS, {"id": "V1", "gender": "m", "birthday": ""}, {"gender": "M", "birthday": ""}),
        (PRODUCTS, {"id": "V1", "title": "ö" * 300}, {"cat": "", "title": "ö" * 254 + "…"}),
    ],
)
def test_row_is_stored_under_the_contracts_names(kind: Kind, fields: dict[str, object], stored: dict[str, str]) -> None:
    assert kind.read(fields, Limits()) == Lookup("V1", stored)


def test_id_may_be_a_number() -> None:
    assert PRODUCTS.read({"id": 7, "title": "Blue"}, Limits()) == Lookup("7", {"cat": "", "title": "Blue"})


@pytest.mark.parametrize(
    ("kind", "fields", "refused"),
    [
        (PRODUCTS, {"title": "Blue"}, RefusedRow("no productId")),
        (PRODUCTS, {"id": " ", "title": "Blue"}, RefusedRow("no productId")),
        (PRODUCTS, {"id": True, "title": "Blue"}, RefusedRow("id has the wrong type")),
        (PRODUCTS, {"id": "x" * 513, "title": "Blue"}, RefusedRow("productId longer than 256 bytes")),
        (PRODUCTS, {"id": "V1"}, RefusedRow("neither category nor title", "", "V1")),
        (PRODUCTS, {"id": "V1", "title": ["Blue"]}, RefusedRow("title has the wrong type", "", "V1")),
        (PRODUCTS, {"id": "V1", "title": "\udcff"}, RefusedRow("title is not UTF-8", "", "V1")),
        (VISITORS, {"id": "V1"}, RefusedRow("neither gender nor birthDate", "", "V1")),
        (VISITORS, {"id": "V1", "gender": "?"}, RefusedRow("gender is not M, F or U", "'?'", "V1")),
        (
            VISITORS,
            {"id": "V1", "birthday": "1990-02-30"},
            RefusedRow("birthDate is not a date YYYY-MM-DD", "'1990-02-30'", "V1"),
        ),
    ],
)
def test_row_is_refused_with_its_reason(kind: Kind, fields: dict[str, object], refused: RefusedRow) -> None:
    assert kind.read(fields, Limits()) == refused
