"""Sessions: a visitor's events with gaps under half an hour, in any order; a late event may join two.

What is published is read off four figures by the second that sessions began in, so that a session that grows, or two
that become one, are taken off their second and put on another.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, enter_seconds, grown, run_starts, slots, trailing
from services.aggregate.engine.recent_visitors import RECENT_SECONDS
from services.aggregate.engine.visits import Visits, since

SESSION_GAP_SECONDS: Final = 1800
STARTED_WITHIN_SECONDS: Final = 3600

# A session that ended so long ago can join no event of the trailing hour: whether it is known changes no figure.
assert RECENT_SECONDS == STARTED_WITHIN_SECONDS + SESSION_GAP_SECONDS

_KEPT: Final = -(-RECENT_SECONDS // SESSION_GAP_SECONDS)
"""Sessions of one visitor that can have ended since, as a gap lies between any two ends."""

_RING_SECONDS: Final = 4096  # the power of two above STARTED_WITHIN_SECONDS
STARTED, SINGLE, VIEWS, DURATION_S = range(4)
"""The figures: sessions, those of one event, their events, and the sum of last − first event."""


class _Stretch(NamedTuple):
    """Stretches of events without a gap: the second of the first and the last event, and how many there are."""

    first: Ints
    last: Ints
    events: Ints

    def only(self, which: Bools) -> "_Stretch":
        return _Stretch(self.first[which], self.last[which], self.events[which])

    def touches(self, other: "_Stretch") -> Bools:
        """Where both are parts of one session. A stretch of 0 events touches none."""
        near: Bools = self.events > 0
        near &= other.first - self.last < SESSION_GAP_SECONDS
        near &= self.first - other.last < SESSION_GAP_SECONDS
        return near


class Sessions:
    """The sessions of each visitor, as far as they can change a figure; for several rows of visits.

    A visitor has room for `_KEPT` sessions in each row, in any order.
    """

    def __init__(self, rows: int) -> None:
        self._first = np.zeros((rows, _KEPT, 0), np.uint32)  # by visitor: the second of the first event,
        self._last = np.zeros((rows, _KEPT, 0), np.uint32)  # of the last one,
        self._events = np.zeros((rows, _KEPT, 0), np.uint32)  # and how many they are; 0: no session
        self._several = np.zeros((rows, 0), np.bool_)  # by visitor: whether another than the first may be a session
        self._figures = np.zeros((rows, 4, _RING_SECONDS), np.int64)

    def enter(self, first_second: int, last_second: int) -> None:
        """Make room for the seconds that the clock entered."""
        enter_seconds(self._figures, first_second, last_second)

    def fold(self, visits: list[Visits], visitors: int, now_s: int) -> None:
        """Add visits by row, none of them after `now_s`; `visitors` is above every number in use."""
        self._first, self._last, self._events, self._several = (
            grown(kept, visitors) for kept in (*self._kept(), self._several)
        )
        for row, (visitor, second) in since(visits, now_s - RECENT_SECONDS + 1):
            begins = run_starts(visitor)
            gaps = np.flatnonzero(np.diff(second) >= SESSION_GAP_SECONDS) + 1
            starts = np.union1d(begins, gaps) if len(gaps) else begins
            ends = np.append(starts[1:], len(visitor))
            who, first, last, events = visitor[starts], second[starts], second[ends - 1], ends - starts
            while len(who):  # a visitor's sessions in this batch one after the other; there is rarely a second
                next_of_visitor = np.zeros(len(who), np.bool_)
                next_of_visitor[1:] = who[1:] == who[:-1]
                now = ~next_of_visitor
                self._join(row, who[now], _Stretch(first[now], last[now], events[now]), now_s)
                who, first, last, events = (column[next_of_visitor] for column in (who, first, last, events))

    def _join(self, row: int, who: Ints, stretch: "_Stretch", now_s: int) -> None:
        """Add one stretch of events to each visitor, joining the sessions that it touches."""
        known = _Stretch(*(kept[row, 0, who].astype(np.int64) for kept in self._kept()))
        known.events[known.last <= now_s - RECENT_SECONDS] = 0
        touched = known.touches(stretch)
        # Nearly always a visitor has one session at most, which goes on: what is dearer is left for the others.
        dear = self._several[row, who] | ((known.events > 0) & ~touched)
        if dear.any():
            self._join_several(row, who[dear], stretch.only(dear), now_s)
            who, stretch, known, touched = who[~dear], stretch.only(~dear), known.only(~dear), touched[~dear]
        joined = _Stretch(
            np.where(touched, np.minimum(stretch.first, known.first), stretch.first),
            np.where(touched, np.maximum(stretch.last, known.last), stretch.last),
            stretch.events + known.events,
        )
        self._replace(row, known.only(touched), joined, now_s)
        for kept, column in zip(self._kept(), joined, strict=True):
            kept[row, 0, who] = column

    def _join_several(self, row: int, who: Ints, stretch: "_Stretch", now_s: int) -> None:
        """The same for visitors that have several sessions, or get a second one."""
        known = _Stretch(*(kept[row][:, who].astype(np.int64) for kept in self._kept()))
        known.events[known.last <= now_s - RECENT_SECONDS] = 0
        touched = known.touches(stretch)
        joined = _Stretch(
            np.minimum(stretch.first, np.where(touched, known.first, stretch.first).min(axis=0)),
            np.maximum(stretch.last, np.where(touched, known.last, stretch.last).max(axis=0)),
            stretch.events + np.where(touched, known.events, 0).sum(axis=0),
        )
        self._replace(row, known.only(touched), joined, now_s)
        known.events[touched] = 0
        self._events[row][:, who] = known.events
        room = np.argmin(known.events, axis=0)  # one without a session: it has 0 events
        for kept, column in zip(self._kept(), joined, strict=True):
            kept[row, room, who] = column
        self._several[row, who] = True

    def _kept(self) -> tuple[Array, Array, Array]:
        return self._first, self._last, self._events

    def _replace(self, row: int, old: "_Stretch", new: "_Stretch", now_s: int) -> None:
        """Take sessions off the figures and put others on."""
        first, last, events = (np.concatenate(columns) for columns in zip(old, new, strict=True))
        sign = np.concatenate((np.full(len(old.first), -1), np.ones(len(new.first), np.int64)))
        within = first > now_s - STARTED_WITHIN_SECONDS
        if not within.all():
            first, last, events, sign = first[within], last[within], events[within], sign[within]
        figures = self._figures[row]
        slot = slots(figures, first)
        # The weights are floats: sums of integers far below 2⁵³, and so exact.
        for figure, weight in (
            (STARTED, sign),
            (SINGLE, sign * (events == 1)),
            (VIEWS, sign * events),
            (DURATION_S, sign * (last - first)),
        ):
            figures[figure] += np.bincount(slot, weight, figures.shape[1]).astype(np.int64)

    def figures(self, now_s: int) -> Ints:
        """By row: STARTED, SINGLE, VIEWS and DURATION_S of the sessions that began in the trailing hour."""
        figures: Ints = trailing(self._figures, now_s, STARTED_WITHIN_SECONDS).sum(axis=2)
        return figures

    def by_bucket(self, now_s: int, bucket_seconds: int, shown: int) -> Ints:
        """By row, figure and bucket, the running one last: as `figures`, but of the sessions that began in it.

        The buckets reach no further back than the trailing hour.
        """
        running = now_s - now_s % bucket_seconds
        whole = trailing(self._figures, running - 1, bucket_seconds * (shown - 1))
        whole = whole.reshape(*self._figures.shape[:2], shown - 1, bucket_seconds).sum(axis=3)
        now = trailing(self._figures, now_s, now_s - running + 1).sum(axis=2)[:, :, np.newaxis]
        return np.concatenate((whole, now), axis=2)

    def forget(self, visitors: Ints) -> None:
        """Make the numbers of visitors, none of whom was there within RECENT_SECONDS, those of nobody."""
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
        """Take over what `save` gave."""
        self._first, self._last = saved["first"], saved["last"]
        self._events, self._several, self._figures = saved["events"], saved["several"], saved["figures"]
