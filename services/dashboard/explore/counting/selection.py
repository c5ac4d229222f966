"""The span of minutes and the filter that a viewer chose, and the events that match. Pure."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from services.dashboard.sources.segments import Array, Frame
from shared.rollups.model import Audience

SEARCHED: Final = ("page", "productId")
"""The dimensions with too many names for a list."""

_VISITOR: Final = re.compile("([0-9]{1,9}):([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Span:
    """Whole minutes: `minutes` of them, the last one before `end_minute`."""

    end_minute: int
    minutes: int

    @property
    def first_minute(self) -> int:
        return self.end_minute - self.minutes


@dataclass(frozen=True, slots=True)
class Filter:
    """An audience, the names that pass by dimension, and a text; what is absent lets all pass.

    An event has the text if its page or product contains it, in any case, or if it is its visitor (`partition:number`,
    as the table of events shows it). `finds_visitors` is False for who may not see single visitors.
    """

    audience: Audience = "all"
    names: tuple[tuple[str, frozenset[str]], ...] = ()
    search: str = ""
    finds_visitors: bool = True


@dataclass(frozen=True, eq=False)
class Selection:
    """The events of a span that pass a filter, as row indexes of the frame, ordered by minute."""

    frame: Frame
    span: Span
    rows: Array | slice = field(default_factory=lambda: slice(0, 0))

    @cached_property
    def minutes(self) -> Array:
        return self.frame.minutes[self.rows]

    @cached_property
    def visitors(self) -> Array:
        return self.frame.visitors[self.rows]

    @cached_property
    def weights(self) -> Array | None:
        return None if self.frame.weights is None else self.frame.weights[self.rows]

    def codes(self, dimension: str) -> Array:
        """The code of each event in a dimension."""
        return self.frame.codes[dimension][self.rows]

    @property
    def is_sampled(self) -> bool:
        """Whether some events represent several."""
        return self.weights is not None and bool((self.weights > 1).any())

    def within(self, span: Span) -> "Selection":
        """The part inside `span`."""
        start, end = np.searchsorted(self.minutes, [span.first_minute, span.end_minute])
        if isinstance(self.rows, slice):
            return Selection(self.frame, span, slice(self.rows.start + int(start), self.rows.start + int(end)))
        return Selection(self.frame, span, self.rows[start:end])

    def __len__(self) -> int:
        return len(self.minutes)


def select(frame: Frame, span: Span, wanted: Filter) -> Selection:
    """The events of `span` in `frame` that pass the filter."""
    rows = frame.rows_between(span.first_minute, span.end_minute)
    tests: list[Array] = []
    if wanted.audience != "all":
        bots = frame.bots[rows]
        tests.append(bots if wanted.audience == "bot" else ~bots)
    for dimension, names in wanted.names:
        # One entry more, for the code of an absent text, -1.
        passes = np.array([*(name in names for name in frame.names[dimension]), False])
        tests.append(passes[frame.codes[dimension][rows]])
    if wanted.search:
        tests.append(_has_text(frame, rows, wanted.search, finds_visitors=wanted.finds_visitors))
    if not tests:
        return Selection(frame, span, rows)
    return Selection(frame, span, rows.start + np.flatnonzero(np.logical_and.reduce(tests)))


def _has_text(frame: Frame, rows: slice, text: str, *, finds_visitors: bool) -> Array:
    folded = text.casefold()
    found = np.zeros(rows.stop - rows.start, np.bool_)
    for dimension in SEARCHED:
        passes = np.array([*(folded in name.casefold() for name in frame.names[dimension]), False])
        found |= passes[frame.codes[dimension][rows]]
    visitor = _VISITOR.fullmatch(text) if finds_visitors else None
    if visitor is not None:
        partition, number = (int(digits) for digits in visitor.groups())
        found |= (frame.partitions[rows] == partition) & (frame.visitor_numbers[rows] == number)
    return found


def views(selection: Selection) -> int:
    """The number of events; for sampled minutes, the number that the sample represents."""
    return len(selection) if selection.weights is None else round(float(selection.weights.sum()))


def distinct_visitors(selection: Selection) -> int:
    """The exact number of visitors; for sampled minutes, those in the sample."""
    seen = np.zeros(selection.frame.visitors_known, np.bool_)
    seen[selection.visitors] = True
    return int(np.count_nonzero(seen))
