"""Tables as CSV for spreadsheets, which must not run what strangers wrote. Pure.

A spreadsheet takes a cell that begins with one of a few signs for a formula. Such text gets an apostrophe in front, as
OWASP advises ("CSV Injection"); so does what would begin a cell if the file were cut at another separator.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

Cell = str | int | float | bool | None

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

# The last four are the full-width forms, which some programs take for the plain ones.
_FORMULA: Final = re.compile(r"(^|[,;|\t\r\n])(\s*)([=+\-@\t\r＝＋－＠])")


def as_csv(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as CSV (RFC 4180), with the mark by which spreadsheets know UTF-8. Text is quoted, numbers are not."""
    written = io.StringIO(newline="")
    written.write("\ufeff")
    writer = csv.writer(written, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([harmless(title) for title in titles])
    writer.writerows([harmless(cell) if isinstance(cell, str) else _plain(cell) for cell in row] for row in rows)
    return written.getvalue()


@lru_cache(maxsize=4096)  # a column repeats its texts
def harmless(text: str) -> str:
    """`text` so that no spreadsheet takes any of it for a formula."""
    return _FORMULA.sub(r"\1'\2\3", text.replace("\0", ""))


def _plain(cell: Cell) -> Cell:
    # A flag as 1 and 0, which every spreadsheet can count; nothing as an empty cell.
    return int(cell) if isinstance(cell, bool) else cell
