"""Buckets as pieces that the rollups hold: whole days, hours and minutes (UTC). Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from services.history.questions.spans import DAY, HOUR, MINUTE, Span, ceiled, floored

MINUTES: Final = "traffic_1m"
HOURS: Final = "traffic_1h"
DAYS: Final = "traffic_1d"
UNITS: Final = {MINUTES: MINUTE, HOURS: HOUR, DAYS: DAY}


class Piece(NamedTuple):
    """Part of the bucket at a place: what one table of rollups holds of it."""

    place: int
    table: str
    span: Span

    @property
    def is_one_row(self) -> bool:
        """Whether it is a single bucket of its table, whose distinct visitors are exact."""
        return self.span.end - self.span.start == UNITS[self.table]


def pieces_of(buckets: Sequence[Span]) -> list[Piece] | None:
    """The pieces of all buckets, as few as possible; None if one does not begin or end with a minute."""
    pieces: list[Piece] = []
    for place, (start, end) in enumerate(buckets):
        if floored(start, MINUTE) != start or floored(end, MINUTE) != end:
            return None
        cut = _cut(start, end, (DAYS, HOURS, MINUTES))
        pieces += (Piece(place, table, span) for table, span in cut if span.start < span.end)
    return pieces


def _cut(start: datetime, end: datetime, tables: Sequence[str]) -> Iterator[tuple[str, Span]]:
    """The largest units of the first table that are inside, and what is left at either end by the finer tables."""
    table, finer = tables[0], tables[1:]
    first, last = ceiled(start, UNITS[table]), floored(end, UNITS[table])
    if not finer or first < last:
        yield table, Span(first, last)
        if finer:
            yield from _cut(start, first, finer)
            yield from _cut(last, end, finer)
    else:
        yield from _cut(start, end, finer)
