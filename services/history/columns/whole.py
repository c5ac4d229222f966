"""What a whole segment contributes to questions about all its events. It is kept: a segment never changes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.history.columns.kept import Key
from services.history.columns.segment import AGE, NONE, Segment, narrowed
from services.history.columns.visitor_sets import VisitorSet, as_numbers, set_of

MOST_VALUES: Final = 256
"""Sets of more values would drop those of others, and each costs Python some microseconds."""

_DENSE: Final = 64
"""Up to so many places for each event, counting in a table takes less than sorting."""
_PAIR_BYTES: Final = 8
"""Of a visitor and a figure."""
_EVENTS: Final = "events of visitors"
"""In place of a column."""
_CATEGORY: Final = "category_id"
_ASKED_FIRST: Final = (_CATEGORY, AGE)

Figures = NDArray[np.int64]


def prepare(segment: Segment) -> None:
    """Keep what Explore asks as it opens, so that its first view is as fast as the next."""
    _events_of(segment)
    for column in _ASKED_FIRST:
        views_of(segment, column)
    categories = [own for own in segment.columns[_CATEGORY].values.tolist() if own != NONE]
    if len(categories) <= MOST_VALUES:
        visitors_of(segment, _CATEGORY, categories)


def views_of(segment: Segment, column: str) -> Figures:
    """How many events each of the column's values has."""
    own = segment.columns[column]
    return segment.kept.of(Key(segment.owner, column), lambda: np.bincount(own.codes, minlength=len(own.values)))


def visitors_of(segment: Segment, column: str, values: Sequence[int]) -> Sequence[VisitorSet]:
    """The visitors of each of these values, which differ."""
    keys = {value: Key(segment.owner, column, value) for value in values}
    found = segment.kept.find(keys.values())
    missing = [value for value, key in keys.items() if key not in found]
    if missing:
        new = {keys[value]: own for value, own in zip(missing, _sets(segment, column, missing), strict=True)}
        segment.kept.add(new)
        found |= new
    return [found[key] for key in keys.values()]


def everybody_of(segment: Segment) -> VisitorSet:
    """All its visitors."""
    events = _events_of(segment)
    return np.packbits(events != 0) if events.ndim == 1 else events[0]


def add_events(segment: Segment, events: NDArray[np.integer]) -> None:
    """Add those of each visitor, in the visitor's place."""
    own = _events_of(segment)
    if own.ndim == 1:
        events[: len(own)] += own
    else:
        events[own[0]] += own[1]


def _sets(segment: Segment, column: str, values: Sequence[int]) -> Sequence[VisitorSet]:
    own = segment.columns[column]
    places = {value: place for place, value in enumerate(values)}
    of_values = narrowed(np.array([places.get(value, len(values)) for value in own.values.tolist()]))
    of_events = of_values.take(own.codes, mode="clip")  # none is beyond: not looking halves the time
    order = np.argsort(of_events, kind="stable")
    visitors = segment.visitors[order]
    ends = np.cumsum(np.bincount(of_events, minlength=len(values))).tolist()
    marks = np.zeros(segment.places, np.bool_)
    return [set_of(visitors[first:last], marks) for first, last in pairwise([0, *ends[: len(values)]])]


def _events_of(segment: Segment) -> NDArray[Any]:
    """A figure for each place; or where that is shorter, a row of visitors and one of their figures."""
    return segment.kept.of(Key(segment.owner, _EVENTS), lambda: _events(segment))


def _events(segment: Segment) -> NDArray[Any]:
    if segment.places < _DENSE * segment.size:
        dense = narrowed(np.bincount(segment.visitors))
        if dense.nbytes < _PAIR_BYTES * np.count_nonzero(dense):
            return dense
    return as_numbers(np.stack(np.unique(segment.visitors, return_counts=True), dtype=np.int64, casting="unsafe"))
