"""Tables as CSV for spreadsheets, which must not run untrusted text as formulas. Pure.

A spreadsheet treats a cell that starts with certain characters as a formula. Such text gets a leading apostrophe, as
OWASP advises ("CSV Injection"), also where a cell would start if the file were split at another separator.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

Cell = str | int | float | Decimal | bool | None

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

# The last four are the full-width forms, which some programs treat as the plain ones.
_FORMULA: Final = re.compile(r"(^|[,;|\t\r\n])(\s*)([=+\-@\t\r＝＋－＠])")


def as_csv(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as CSV (RFC 4180) with a byte order mark, by which spreadsheets recognise UTF-8. Only text is quoted."""
    written = io.StringIO(newline="")
    written.write("\ufeff")
    writer = csv.writer(written, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([harmless(title) for title in titles])
    writer.writerows([harmless(cell) if isinstance(cell, str) else _plain(cell) for cell in row] for row in rows)
    return written.getvalue()


@lru_cache(maxsize=4096)  # columns repeat their values
def harmless(text: str) -> str:
    """`text` with apostrophes where a spreadsheet would see a formula."""
    return _FORMULA.sub(r"\1'\2\3", text.replace("\0", ""))


def _plain(cell: Cell) -> Cell:
    # A flag becomes 1 or 0, which every spreadsheet can sum; None becomes an empty cell.
    return int(cell) if isinstance(cell, bool) else cell
