"""Counts events and exact distinct visitors by bucket. Pure.

Visitors are counted by marking each in a table with a place for every visitor: that takes a nanosecond or two an event,
where sorting or hashing takes fifty.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from services.history.columns.segment import Segment
from services.history.columns.selection import Condition, Times, Visitors, most_visitors, selected
from services.history.columns.visitor_sets import VisitorSet, count_together
from services.history.columns.whole import add_events, everybody_of

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
    visitors: list[list[Visitors]] = [[] for _ in views]
    sets: list[list[VisitorSet]] = [[] for _ in views]
    for selection in selected(segments, Times(edges_ms[0], edges_ms[-1]), conditions):
        edges = selection.places(edges_ms)
        spans = [place for place in range(len(views)) if edges[place] < edges[place + 1]]
        for place in spans:
            views[place] += edges[place + 1] - edges[place]
        if with_visitors and len(spans) == 1 and selection.is_whole:
            sets[spans[0]].append(everybody_of(selection.segment))
        elif with_visitors:
            own = selection.visitors
            for place in spans:
                visitors[place].append(own[edges[place] : edges[place + 1]])
    if not with_visitors:
        return [Count(number, None) for number in views]
    return [Count(*own) for own in zip(views, map(partial(distinct, places), visitors, sets), strict=True)]


def distinct(places: int, visitors: Sequence[Visitors], sets: Sequence[VisitorSet]) -> int:
    """How many distinct numbers below `places` the arrays and sets have."""
    if not sets and sum(map(len, visitors)) * _SPARSE < places:
        return len(np.unique(np.concatenate(visitors))) if visitors else 0
    marks = np.zeros(places, np.bool_)
    for own in visitors:
        marks[own] = True
    return count_together(marks, sets)


def count_by_events(
    segments: Sequence[Segment], times: Times, conditions: Sequence[Condition]
) -> list[tuple[int, int]]:
    """For each number of events that visitors have, the smallest first, how many visitors have as many."""
    events = np.zeros(most_visitors(segments), np.int32)
    for selection in selected(segments, times, conditions):
        if selection.is_whole:
            add_events(selection.segment, events)
        else:
            np.add.at(events, selection.visitors.astype(np.intp), np.int32(1))  # with other types, twenty times as long
    numbers, visitors = np.unique(events[events > 0], return_counts=True)
    return list(zip(numbers.tolist(), visitors.tolist(), strict=True))
