"""Product and visitor files: all formats give the same rows; each row is a lookup or refused with a reason."""

import gzip
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.lookup_files.columns import UnusableColumns, columns_of
from services.enrich.lookup_files.command import report
from services.enrich.lookup_files.fields import PRODUCTS, VISITORS, Fields, Kind, Lookup, RefusedRow, Row
from services.enrich.lookup_files.loader import Summary
from services.enrich.lookup_files.reading import Reading
from services.enrich.lookup_files.rows import UnreadableFile, read_rows
from shared.events.limits import Limits

VASES = [{"id": "V1", "title": "Blue, tall"}, {"id": "V2", "title": "Größe 2"}]
FORMATS = {
    "array": json.dumps(VASES, indent=2).encode(),
    "ndjson": "\n".join(json.dumps(vase, ensure_ascii=False) for vase in VASES).encode(),
    "csv": 'id,title\nV1,"Blue, tall"\nV2,Größe 2\n'.encode(),
    "tsv": "id\ttitle\r\nV1\tBlue, tall\r\nV2\tGröße 2\r\n".encode(),
    "CR": 'id,title\rV1,"Blue, tall"\rV2,Größe 2\r'.encode(),
    "bars": "id|title\nV1|Blue, tall\nV2|Größe 2\n".encode(),
    "feed": "<feed><entry><id>V1</id><title>Blue, tall</title></entry><entry><id>V2</id>"
    "<title>Größe 2</title></entry></feed>".encode(),
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


def test_utf_16_is_read(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "id\ttitle\nV1\tBlue, tall\nV2\tGröße 2\n".encode("utf-16"))
    assert [row.fields for row in rows] == VASES


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
        b"<rss><channel><item><id>V1</id>",
        b'<!DOCTYPE x [<!ENTITY a "aa">]><rss><item><id>&a;</id></item></rss>',
        b"\xff\xfei",
    ],
)
def test_file_in_another_format_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile, match="rows: "):
        rows_of(tmp_path, content)


@given(
    content=st.binary(max_size=200)
    | st.text('[]{}",:\n\r\t1a', max_size=60).map(str.encode)
    | st.text("<>/aid ", max_size=60).map(lambda text: f"<a><item><id>1</id>{text}</item></a>".encode())
    | st.text(',"\n1a', max_size=60).map(lambda text: f"id,name,categories,parent\n{text}".encode())
)
def test_any_bytes_are_rows_or_an_unreadable_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        rows = rows_of(tmp_path_factory.getbasetemp(), content)
    except UnreadableFile:
        return
    reading = Reading(PRODUCTS)
    readable = [row.fields for row in rows if not isinstance(row.fields, str)]
    with suppress(UnusableColumns):
        reading.columns = columns_of(PRODUCTS, readable, [])
    for row in rows:
        assert isinstance(reading.read(row, Limits()), Lookup | RefusedRow | None)


@pytest.mark.parametrize(
    ("kind", "fields", "stored"),
    [
        (PRODUCTS, {"productId": "V1", "category": "vases", "title": "Blue"}, {"cat": "vases", "title": "Blue"}),
        (PRODUCTS, {"id": "V1", "cat": "vases", "price": 3}, {"cat": "vases", "title": ""}),
        (PRODUCTS, {"Product ID": "V1", "CATEGORY": "vases", "Name": "Blue"}, {"cat": "vases", "title": "Blue"}),
        (PRODUCTS, {"sku": "V1", "category_name": " ", "categories": "vases"}, {"cat": "vases", "title": ""}),
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
    assert read(kind, fields) == Lookup("V1", stored)


def read(kind: Kind, fields: Fields) -> Lookup | RefusedRow | None:
    reading = Reading(kind)
    reading.columns = columns_of(kind, [fields], [])
    return reading.read(Row(1, fields), Limits())


@pytest.mark.parametrize(("number", "text"), [(7, "7"), (7.0, "7"), (0, "0")])
def test_id_may_be_a_number(number: float, text: str) -> None:
    assert read(PRODUCTS, {"id": number, "title": "Blue"}) == Lookup(text, {"cat": "", "title": "Blue"})


@pytest.mark.parametrize(
    ("kind", "fields", "refused"),
    [
        (PRODUCTS, {"id": " ", "title": "Blue"}, RefusedRow("no productId")),
        (PRODUCTS, {"id": True, "title": "Blue"}, RefusedRow("productId has the wrong type")),
        (PRODUCTS, {"id": "x" * 513, "title": "Blue"}, RefusedRow("productId longer than 256 bytes")),
        (PRODUCTS, {"id": "V1", "title": ""}, RefusedRow("neither category nor title", "", "V1")),
        (PRODUCTS, {"id": "V1", "title": ["Blue"]}, RefusedRow("title has the wrong type", "", "V1")),
        (PRODUCTS, {"id": "V1", "title": "\udcff"}, RefusedRow("title is not UTF-8", "", "V1")),
        (VISITORS, {"id": "V1", "gender": None}, RefusedRow("neither gender nor birthDate", "", "V1")),
        (VISITORS, {"id": "V1", "gender": "?"}, RefusedRow("gender is not M, F or U", "'?'", "V1")),
        (
            VISITORS,
            {"id": "V1", "birthday": "1990-02-30"},
            RefusedRow("birthDate is not a date YYYY-MM-DD", "'1990-02-30'", "V1"),
        ),
    ],
)
def test_row_is_refused_with_its_reason(kind: Kind, fields: dict[str, object], refused: RefusedRow) -> None:
    assert read(kind, fields) == refused


SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Variant SKU
blue-vase,Blue vase,<p>Tall</p>,Ada,Home & Garden > Decor > Vases,Vases,new,BV-S
blue-vase,,,,,,,BV-L
red-cup,Red cup,,Ada,Home & Garden > Kitchen,,,RC
"""
SHOPIFY_2025 = """\
Title,URL handle,Description,Vendor,Product category,Type,SKU
Blue vase,blue-vase,Tall,Ada,Home & Garden > Decor > Vases,Vases,BV-S
,blue-vase,,,,,BV-L
Red cup,red-cup,,Ada,Home & Garden > Kitchen,,RC
"""
WOOCOMMERCE = """\
ID,Type,SKU,Name,Published,Categories,Tags,Parent
7,variable,BV,Blue vase,1,"Vases, Sale",new,
8,variation,BV-S,Blue vase - S,1,,,id:7
9,simple,RC,Red cup,1,"Cups\\, small > Red",,
"""
GOOGLE_TSV = """\
id\ttitle\tdescription\tlink\tgoogle product category\tproduct type
V1\tBlue vase\tTall\thttps://shop.example/v1\t602\tHome > Vases
V2\tRed cup\t\thttps://shop.example/v2\t2169\t
"""
GOOGLE_XML = """\
<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>My shop</title>
<item><g:id>V1</g:id><title>Blue vase</title><g:product_type>Home &gt; Vases</g:product_type>
<g:product_type>Sale</g:product_type><g:shipping><g:price>4</g:price></g:shipping></item>
<item><g:id>V2</g:id><g:title>Red cup</g:title><g:google_product_category>2169</g:google_product_category></item>
</channel></rss>
"""


@pytest.mark.parametrize(
    ("content", "export", "stored"),
    [
        (SHOPIFY, "Shopify", {"blue-vase": ("Vases", "Blue vase"), "red-cup": ("Home & Garden > Kitchen", "Red cup")}),
        (
            SHOPIFY_2025,
            "Shopify",
            {"blue-vase": ("Vases", "Blue vase"), "red-cup": ("Home & Garden > Kitchen", "Red cup")},
        ),
        (
            WOOCOMMERCE,
            "WooCommerce",
            {"7": ("Vases", "Blue vase"), "8": ("Vases", "Blue vase - S"), "9": ("Cups, small > Red", "Red cup")},
        ),
        (GOOGLE_TSV, "Google Merchant", {"V1": ("Home > Vases", "Blue vase"), "V2": ("2169", "Red cup")}),
        (GOOGLE_XML, "Google Merchant", {"V1": ("Home > Vases", "Blue vase"), "V2": ("2169", "Red cup")}),
    ],
    ids=["Shopify", "Shopify 2025", "WooCommerce", "Google TSV", "Google XML"],
)
def test_export_of_a_shop_is_recognised(
    tmp_path: Path, content: str, export: str, stored: dict[str, tuple[str, str]]
) -> None:
    rows = rows_of(tmp_path, content.encode())
    reading = Reading(PRODUCTS)
    reading.columns = columns_of(PRODUCTS, [row.fields for row in rows if not isinstance(row.fields, str)], [])
    assert reading.columns.export == export
    found = [lookup for row in rows if (lookup := reading.read(row, Limits())) is not None]
    expected = [Lookup(key, {"cat": category, "title": title}) for key, (category, title) in stored.items()]
    assert found == expected
    assert reading.further == len(rows) - len(expected)


def test_variants_have_their_products_title_and_category(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, SHOPIFY.encode())
    reading = Reading(PRODUCTS)
    fields = [row.fields for row in rows if not isinstance(row.fields, str)]
    reading.columns = columns_of(PRODUCTS, fields, [("Variant SKU", "productId")])
    assert [reading.read(row, Limits()) for row in rows] == [
        Lookup("BV-S", {"cat": "Vases", "title": "Blue vase"}),
        Lookup("BV-L", {"cat": "Vases", "title": "Blue vase"}),
        Lookup("RC", {"cat": "Home & Garden > Kitchen", "title": "Red cup"}),
    ]


def test_columns_are_named_by_the_user() -> None:
    row = {"article": "V1", "id": 3, "section": "vases", "info": {"title": "Blue"}, "type": "x"}
    renames = [("article", "productId"), ("section", "category"), ("info.title", "title")]
    fields = columns_of(PRODUCTS, [row], renames).read(row)
    assert fields == {"productId": "V1", "category": "vases", "title": "Blue"}


@pytest.mark.parametrize(
    ("columns", "renames", "told"),
    [
        (("article", "title"), [], "no column productId; the columns are article, title. Name it with --map"),
        (("id", "section"), [], "no column category or title; the columns are id, section. Name it with --map"),
        (("id", "title"), [("tilte", "title")], "--map tilte=title: no column tilte; the columns are id, title"),
        (("id", *map(str, range(99))), [], "57, 58 and 40 more. Name"),
    ],
)
def test_missing_columns_are_named_with_those_found(
    columns: tuple[str, ...], renames: list[tuple[str, str]], told: str
) -> None:
    with pytest.raises(UnusableColumns) as error:
        columns_of(PRODUCTS, [dict.fromkeys(columns, "x")], renames)
    assert told in str(error.value)


def test_ids_that_a_tool_made_decimal_are_whole_unless_one_is_not() -> None:
    rows = [{"id": "2000.0", "title": "a"}, {"id": "", "title": "b"}, {"id": "17.0", "title": "c"}]
    columns = columns_of(PRODUCTS, rows, [])
    assert [columns.read(row)["productId"] for row in rows] == ["2000", None, "17"]
    assert "2000.0 is read as 2000" in str(columns)
    others = columns_of(PRODUCTS, [*rows, {"id": "1.5", "title": "d"}], [])
    assert others.read(rows[0])["productId"] == "2000.0"


def test_field_that_no_row_has_is_reported() -> None:
    rows = [{"id": "V1", "name": "Blue", "section": "vases"}, {"id": "V2", "name": "Red", "section": "cups"}]
    reading = Reading(PRODUCTS)
    reading.columns = columns_of(PRODUCTS, rows, [])
    for number, row in enumerate(rows, 1):
        reading.read(Row(number, row), Limits())
    empty = list(report(PRODUCTS, Summary(0, Counter(), 0), is_pruned=False))
    assert empty == ["products: 0 loaded, 0 refused", "  warning: the file holds no products"]
    lines = list(report(PRODUCTS, Summary(2, Counter(), 0, 0, reading.columns, reading.empty), is_pruned=False))
    assert lines[:2] == ["products: 2 loaded, 0 refused", "  productId from id, title from name"]
    assert len(lines) == 3
    assert "no row has a category" in lines[2]
    assert lines[2].endswith("The columns are id, name, section; if one holds it, add --map COLUMN=category")


def test_field_that_only_a_later_row_has_is_read() -> None:
    columns = columns_of(VISITORS, [{"userId": "ada", "gender": "F"}], [])
    assert columns.read({"id": "bea", "birthday": "1990-09-22"})["birthDate"] == "1990-09-22"
