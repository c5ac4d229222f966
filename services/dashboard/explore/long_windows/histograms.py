"""Numbers that history counted visitors and events by, in the classes of the short windows' histograms. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

from services.dashboard.explore.counting.distributions import (
    AGE_LABELS,
    AGES_FROM,
    EVENT_LABELS,
    EVENTS_FROM,
    Histogram,
)
from services.dashboard.explore.counting.series import Measure
from services.dashboard.explore.long_windows.answers import Row, Said


def events_per_visitor(said: Said) -> Histogram:
    """The number of visitors with one event, two, and so on. Each number that is left out has a visitor at least."""
    counts = _classes(said.rows, "visitors", EVENTS_FROM, len(EVENT_LABELS))
    counts[-1] += said.more
    return Histogram(EVENT_LABELS, counts)


def ages(said: Said, measure: Measure) -> Histogram:
    """Views or visitors by age; the last class is the unknown ages. A visitor counts at each age of their events."""
    return Histogram(AGE_LABELS, _classes(said.rows, measure, AGES_FROM, len(AGE_LABELS)))


def _classes(rows: Sequence[Row], measure: Measure, starts: Sequence[int], length: int) -> list[int]:
    counts = [0] * length
    for row in rows:
        # What is no number is unknown, and has the last class.
        place = bisect_right(starts, int(row.name)) - 1 if row.name.isascii() and row.name.isdigit() else length - 1
        counts[place] += (row.views if measure == "views" else row.visitors) or 0
    return counts
