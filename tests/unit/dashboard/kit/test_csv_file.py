"""CSV that a spreadsheet opens as text, whatever untrusted text it contains."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.kit.csv_file import as_csv, harmless

SIGNS = "=+-@\t\r"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1+1|cmd", "'-1+1|cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("\0=1", "'=1"),
        ("books;=1", "books;'=1"),
        ("books\n=1", "books\n'=1"),
        ("home & garden, 2-in-1", "home & garden, 2-in-1"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_text_starts_a_formula(text: str, written: str) -> None:
    assert harmless(text) == written


def test_text_is_quoted_and_numbers_are_numbers() -> None:
    written = as_csv(["a", "=b"], [['x,"y"\n', -3], [None, 1.5], [True, "Zürich"]])
    assert written == '\ufeff"a","\'=b"\r\n"x,""y""\n",-3\r\n"",1.5\r\n1,"Zürich"\r\n'


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_no_cell_is_a_formula_under_any_separator(rows: list[tuple[str, str]]) -> None:
    written = as_csv(["a", "b"], rows).removeprefix("\ufeff")
    read = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert len(read) == len(rows)
    for cells, texts in zip(read, rows, strict=True):
        assert [cell.replace("'", "") for cell in cells] == [text.replace("\0", "").replace("'", "") for text in texts]
    for separator in ",;\t|\n":
        for cell in written.split(separator):
            assert not cell.strip('" ').startswith(tuple(SIGNS[:4]))
