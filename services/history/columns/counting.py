"""Counts events and exact distinct visitors by bucket. Pure.

Visitors are counted by marking each in a table with a place for every visitor: that takes a nanosecond or two an event,
where sorting or hashing takes fifty.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from services.history.columns.segment import EVERYBODY, Segment
from services.history.columns.selection import Condition, Times, Visitors, most_visitors, selected

_SPARSE: Final = 512
"""With fewer events than one for so many visitors, sorting is cheaper than an empty table of all."""


class Count(NamedTuple):
    """Events, and the distinct visitors that have them, which are None unless asked for."""

    views: int
    visitors: int | None


def count_spans(
    segments: Sequence[Segment], edges_ms: Sequence[int], conditions: Sequence[Condition], *, with_visitors: bool
) -> list[Count]:
    """The count of each span. Spans follow one another: each begins at an edge and ends before the next."""
    places = most_visitors(segments)
    views = [0] * (len(edges_ms) - 1)
    buckets: list[list[Visitors]] = [[] for _ in views]
    for selection in selected(segments, Times(edges_ms[0], edges_ms[-1]), conditions):
        times_ms = selection.of(selection.segment.times_ms)
        edges = np.searchsorted(times_ms, [edge - selection.segment.starts_ms for edge in edges_ms]).tolist()
        spans = [place for place in range(len(views)) if edges[place] < edges[place + 1]]
        once = selection.once(EVERYBODY) if len(spans) == 1 else None
        visitors = selection.visitors if once is None else once.visitors
        for place in spans:
            first, last = edges[place], edges[place + 1]
            views[place] += last - first
            buckets[place].append(visitors[first:last] if once is None else visitors)
    return [
        Count(number, distinct(bucket, places) if with_visitors else None)
        for number, bucket in zip(views, buckets, strict=True)
    ]


def distinct(visitors: Sequence[Visitors], places: int) -> int:
    """How many distinct numbers below `places` the arrays have."""
    if sum(map(len, visitors)) * _SPARSE < places:
        return len(np.unique(np.concatenate(visitors))) if visitors else 0
    seen = np.zeros(places, np.bool_)
    for own in visitors:
        seen[own] = True
    return int(np.count_nonzero(seen))


def count_by_events(
    segments: Sequence[Segment], times: Times, conditions: Sequence[Condition]
) -> list[tuple[int, int]]:
    """For each number of events that visitors have, the smallest first, how many visitors have as many."""
    events = np.zeros(most_visitors(segments), np.int64)
    for selection in selected(segments, times, conditions):
        once = selection.once(EVERYBODY)
        if once is None:
            events += np.bincount(selection.visitors, minlength=len(events))
        else:
            events[once.visitors] += once.events
    numbers, visitors = np.unique(events[events > 0], return_counts=True)
    return list(zip(numbers.tolist(), visitors.tolist(), strict=True))
