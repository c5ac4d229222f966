"""Which events of some segments are counted. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.history.columns.segment import NONE, Coded, Segment

Visitors = NDArray[np.unsignedinteger]

_FEW: Final = 8
"""To compare all codes with so many takes less than to look each up."""


class Times(NamedTuple):
    """From an instant until before another, in milliseconds since 1970."""

    from_ms: int
    until_ms: int


class Condition(NamedTuple):
    """Only events whose column has one of the ids; or with `is_excluded`, none of them and not NONE."""

    column: str
    ids: Sequence[int]
    is_excluded: bool = False

    def of_values(self, column: Coded) -> NDArray[np.bool_]:
        """Whether each of the column's values meets it."""
        if not self.is_excluded:
            return np.isin(column.values, self.ids)
        if not self.ids:  # as `<> ALL` of nothing, which is true of null
            return np.ones(len(column.values), np.bool_)
        return ~np.isin(column.values, (*self.ids, NONE))


class Selection(NamedTuple):
    """The events of a segment between two instants that meet the conditions: all of `rows`, or the `chosen` of them."""

    segment: Segment
    rows: slice
    chosen: NDArray[np.intp] | None  # places in `rows`; an array of truths would take four times as long to apply

    @property
    def is_whole(self) -> bool:
        """Whether these are all events of the segment."""
        return self.chosen is None and self.rows == slice(0, self.segment.size)

    def places(self, instants_ms: Sequence[int]) -> Sequence[int]:
        """Where each instant belongs among the events."""
        segment = self.segment
        own = [place - self.rows.start for place in segment.places_of(instants_ms)]
        places: Sequence[int] = own if self.chosen is None else np.searchsorted(self.chosen, own).tolist()
        return places

    @property
    def visitors(self) -> Visitors:
        """The visitor of each event."""
        return self.of(self.segment.visitors)

    def of(self, values: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Of the values of all the segment's events, those of the selected."""
        own = values[self.rows]
        return own if self.chosen is None else own.take(self.chosen)

    def codes(self, column: str) -> Coded:
        """The column of the selected events."""
        own = self.segment.columns[column]
        return own._replace(codes=self.of(own.codes))


def selected(segments: Sequence[Segment], times: Times, conditions: Sequence[Condition]) -> Iterator[Selection]:
    """What is selected of each segment, but for those without an event."""
    for segment in segments:
        rows = segment.rows(*times)
        if rows.start == rows.stop:
            continue
        met = None
        for condition in conditions:
            column = segment.columns[condition.column]
            meeting = condition.of_values(column)
            if meeting.all():
                continue
            own = _looked_up(meeting, column.codes[rows])
            met = own if met is None else met & own
        chosen = None if met is None else np.flatnonzero(met)
        if chosen is None or len(chosen):
            yield Selection(segment, rows, chosen)


def _looked_up(truths: NDArray[np.bool_], codes: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """The truth of each code."""
    for truth in (True, False):
        few = np.flatnonzero(truths == truth).tolist()
        if len(few) <= _FEW:
            among = np.zeros(len(codes), np.bool_)
            for code in few:
                among |= codes == code
            return among if truth else ~among
    return truths.take(codes, mode="clip")  # none is beyond: not looking halves the time


def most_visitors(segments: Sequence[Segment]) -> int:
    """A number above that of each visitor."""
    return max((own.places for own in segments), default=1)
