"""Sessions: a visitor's events with gaps under half an hour, in any order; a late event may join two.

Four figures are kept by the second in which sessions started. A session that grows, or two that join, are taken off
their second and added to another.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, enter_seconds, grown, ring_slots, run_starts, trailing
from services.aggregate.engine.recent_visitors import RECENT_SECONDS
from services.aggregate.engine.visits import Visits, since

SESSION_GAP_SECONDS: Final = 1800
STARTED_WITHIN_SECONDS: Final = 3600

# A session that ended longer ago cannot join an event of the trailing hour, so it changes no figure.
assert RECENT_SECONDS == STARTED_WITHIN_SECONDS + SESSION_GAP_SECONDS

_KEPT: Final = -(-RECENT_SECONDS // SESSION_GAP_SECONDS)
"""The most sessions of one visitor that can have ended since: a gap lies between any two ends."""

_RING_SECONDS: Final = 4096  # the power of two above STARTED_WITHIN_SECONDS
STARTED, SINGLE, VIEWS, DURATION_S = range(4)
"""The figures: sessions, those of one event, their events, and the sum of last − first event."""


class _Run(NamedTuple):
    """Runs of events without a gap: the second of the first and the last event, and their number."""

    first: Ints
    last: Ints
    events: Ints

    def only(self, which: Bools) -> "_Run":
        return _Run(self.first[which], self.last[which], self.events[which])

    def touches(self, other: "_Run") -> Bools:
        """Where both belong to one session. A run of 0 events touches none."""
        near: Bools = self.events > 0
        near &= other.first - self.last < SESSION_GAP_SECONDS
        near &= self.first - other.last < SESSION_GAP_SECONDS
        return near


class Sessions:
    """The sessions of each visitor that can still change a figure. A row per audience.

    A visitor has `_KEPT` places for sessions in each row, in any order.
    """

    def __init__(self, rows: int) -> None:
        self._first = np.zeros((rows, _KEPT, 0), np.uint32)  # by visitor: the second of the first event,
        self._last = np.zeros((rows, _KEPT, 0), np.uint32)  # of the last one,
        self._events = np.zeros((rows, _KEPT, 0), np.uint32)  # and their number; 0: no session
        self._several = np.zeros((rows, 0), np.bool_)  # by visitor: whether a place after the first may hold a session
        self._figures = np.zeros((rows, 4, _RING_SECONDS), np.int64)

    def enter(self, first_second: int, last_second: int) -> None:
        """Clear the slots of the seconds that the clock entered."""
        enter_seconds(self._figures, first_second, last_second)

    def fold(self, visits: list[Visits], capacity: int, now_s: int) -> None:
        """Add visits by row, none of them after `now_s`; `capacity` is above every visitor number among them."""
        self._first, self._last, self._events, self._several = (
            grown(kept, capacity) for kept in (*self._kept(), self._several)
        )
        for row, (visitor, second) in since(visits, now_s - RECENT_SECONDS + 1):
            begins = run_starts(visitor)
            gaps = np.flatnonzero(np.diff(second) >= SESSION_GAP_SECONDS) + 1
            starts = np.union1d(begins, gaps) if len(gaps) else begins
            ends = np.append(starts[1:], len(visitor))
            who, first, last, events = visitor[starts], second[starts], second[ends - 1], ends - starts
            while len(who):  # one session of each visitor at a time; there is rarely a second
                next_of_visitor = np.zeros(len(who), np.bool_)
                next_of_visitor[1:] = who[1:] == who[:-1]
                now = ~next_of_visitor
                self._join(row, who[now], _Run(first[now], last[now], events[now]), now_s)
                who, first, last, events = (column[next_of_visitor] for column in (who, first, last, events))

    def _join(self, row: int, who: Ints, run: "_Run", now_s: int) -> None:
        """Add one run of events to each visitor, joining the sessions that it touches."""
        known = _Run(*(kept[row, 0, who].astype(np.int64) for kept in self._kept()))
        known.events[known.last <= now_s - RECENT_SECONDS] = 0
        touched = known.touches(run)
        # Fast path: nearly always a visitor has at most one session, and it continues.
        slow = self._several[row, who] | ((known.events > 0) & ~touched)
        if slow.any():
            self._join_several(row, who[slow], run.only(slow), now_s)
            who, run, known, touched = who[~slow], run.only(~slow), known.only(~slow), touched[~slow]
        joined = _Run(
            np.where(touched, np.minimum(run.first, known.first), run.first),
            np.where(touched, np.maximum(run.last, known.last), run.last),
            run.events + known.events,
        )
        self._replace(row, known.only(touched), joined, now_s)
        for kept, column in zip(self._kept(), joined, strict=True):
            kept[row, 0, who] = column

    def _join_several(self, row: int, who: Ints, run: "_Run", now_s: int) -> None:
        """The same for visitors who have several sessions, or get a second one."""
        known = _Run(*(kept[row][:, who].astype(np.int64) for kept in self._kept()))
        known.events[known.last <= now_s - RECENT_SECONDS] = 0
        touched = known.touches(run)
        joined = _Run(
            np.minimum(run.first, np.where(touched, known.first, run.first).min(axis=0)),
            np.maximum(run.last, np.where(touched, known.last, run.last).max(axis=0)),
            run.events + np.where(touched, known.events, 0).sum(axis=0),
        )
        self._replace(row, known.only(touched), joined, now_s)
        known.events[touched] = 0
        self._events[row][:, who] = known.events
        free = np.argmin(known.events, axis=0)  # a place with 0 events
        for kept, column in zip(self._kept(), joined, strict=True):
            kept[row, free, who] = column
        self._several[row, who] = True

    def _kept(self) -> tuple[Array, Array, Array]:
        return self._first, self._last, self._events

    def _replace(self, row: int, old: "_Run", new: "_Run", now_s: int) -> None:
        """Take `old` sessions off the figures and add `new` ones."""
        first, last, events = (np.concatenate(columns) for columns in zip(old, new, strict=True))
        sign = np.concatenate((np.full(len(old.first), -1), np.ones(len(new.first), np.int64)))
        within = first > now_s - STARTED_WITHIN_SECONDS
        if not within.all():
            first, last, events, sign = first[within], last[within], events[within], sign[within]
        figures = self._figures[row]
        slot = ring_slots(figures, first)
        # The weights are floats: sums of integers far below 2⁵³ are exact.
        for figure, weight in (
            (STARTED, sign),
            (SINGLE, sign * (events == 1)),
            (VIEWS, sign * events),
            (DURATION_S, sign * (last - first)),
        ):
            figures[figure] += np.bincount(slot, weight, figures.shape[1]).astype(np.int64)

    def figures(self, now_s: int) -> Ints:
        """By row: STARTED, SINGLE, VIEWS and DURATION_S of the sessions that started in the trailing hour."""
        figures: Ints = trailing(self._figures, now_s, STARTED_WITHIN_SECONDS).sum(axis=2)
        return figures

    def by_bucket(self, now_s: int, bucket_seconds: int, shown: int) -> Ints:
        """By row, figure and bucket, the running bucket last: `figures` of the sessions that started in it.

        The buckets are within the trailing hour.
        """
        running = now_s - now_s % bucket_seconds
        whole = trailing(self._figures, running - 1, bucket_seconds * (shown - 1))
        whole = whole.reshape(*self._figures.shape[:2], shown - 1, bucket_seconds).sum(axis=3)
        now = trailing(self._figures, now_s, now_s - running + 1).sum(axis=2)[:, :, np.newaxis]
        return np.concatenate((whole, now), axis=2)

    def forget(self, visitors: Ints) -> None:
        """Clear the numbers of visitors, none of whom was seen within RECENT_SECONDS."""
        visitors = visitors[visitors < self._several.shape[1]]
        self._events[..., visitors] = 0
        self._several[:, visitors] = False

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {
            "first": self._first,
            "last": self._last,
            "events": self._events,
            "several": self._several,
            "figures": self._figures,
        }

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
        self._first, self._last = saved["first"], saved["last"]
        self._events, self._several, self._figures = saved["events"], saved["several"], saved["figures"]
