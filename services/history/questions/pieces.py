"""Buckets as pieces that the rollups hold: whole days, hours and minutes (UTC). Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from services.history.questions.spans import DAY, HOUR, MINUTE, Span, ceiled, floored

MINUTES: Final = "1m"
HOURS: Final = "1h"
DAYS: Final = "1d"
UNITS: Final = {MINUTES: MINUTE, HOURS: HOUR, DAYS: DAY}


class Piece(NamedTuple):
    """Part of the bucket at a place: what the rollups of one unit hold of it."""

    place: int
    unit: str  # how the names of their tables end
    span: Span


def pieces_of(buckets: Sequence[Span]) -> list[Piece] | None:
    """The pieces of all buckets, as few as possible; None if one does not begin or end with a minute."""
    pieces: list[Piece] = []
    for place, (start, end) in enumerate(buckets):
        if floored(start, MINUTE) != start or floored(end, MINUTE) != end:
            return None
        pieces += (Piece(place, unit, span) for unit, span in _cut(start, end, (DAYS, HOURS, MINUTES)))
    return pieces


def _cut(start: datetime, end: datetime, units: Sequence[str]) -> Iterator[tuple[str, Span]]:
    """The largest units of the first kind that are inside, and what is left at either end by the finer kinds."""
    unit, finer = units[0], units[1:]
    first, last = ceiled(start, UNITS[unit]), floored(end, UNITS[unit])
    if first < last:
        yield unit, Span(first, last)
        if start < first:
            yield from _cut(start, first, finer)
        if last < end:
            yield from _cut(last, end, finer)
    elif finer:
        yield from _cut(start, end, finer)
