"""Whole numbers that pandas and Spark wrote as floats, because a value of the column was missing. Pure.

`2000` becomes `2000.0`; a large number becomes `1.2345678E7` in Spark and `1e+16` in pandas. Ids in such a column match
neither the catalogue nor those of other recordings.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.0|-?[1-9](?:\.[0-9]{1,17}[eE]\+?|[eE]\+)[0-9]{1,2}")
MISSING: Final = frozenset({"", "nan", "NaN", "NA", "<NA>", "null", "NULL", "None", r"\N"})
"""What stands in such a column where there is no number."""

Rows = Iterable[Sequence[str]]


def whole(cell: str) -> str | None:
    """`2000` for `2000.0`; None for a cell that is no whole number written as a float."""
    if cell.endswith(".0"):
        return cell[:-2] if _FLOAT.fullmatch(cell) else None
    if not _FLOAT.fullmatch(cell):
        return None
    number = Decimal(cell)
    return str(int(number)) if number == number.to_integral_value() else None


def float_columns(rows: Rows, places: Iterable[int]) -> frozenset[int]:
    """Of these columns, those whose every value is a whole number written as a float; read as far as it needs."""
    candidates = set(places)
    proven: set[int] = set()
    for row in rows:
        for place in list(candidates):
            cell = row[place] if place < len(row) else ""
            if cell in MISSING:
                continue
            if whole(cell) is None:
                candidates.discard(place)
            else:
                proven.add(place)
        if not candidates:
            break
    return frozenset(candidates & proven)
