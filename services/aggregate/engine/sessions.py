"""Sessions: a visitor's events with gaps under half an hour, in any order; a late event may join two.

Four figures are kept by the second in which sessions started. A session that grows, or two that join, are taken off
their second and added to another. So are sessions by entry and exit page. When the event that a session started with
leaves the hour, it is taken off its pages.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import (
    Array,
    Bools,
    Ints,
    count_at,
    enter_seconds,
    grown,
    ring_slots,
    run_starts,
    trailing,
)
from services.aggregate.columns.batch import NONE
from services.aggregate.columns.slot_allocator import SlotAllocator
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


ENTRY, EXIT = range(2)

_SESSION: Final = np.dtype(
    [
        ("first", np.uint32),  # epoch second of the first event
        ("last", np.uint32),
        ("events", np.uint32),  # 0: no session
        ("entry_ms", np.uint32),  # time of the first event with a page, modulo 2³²
        ("exit_ms", np.uint32),
        ("entry", np.int32),  # its page, or NONE
        ("exit", np.int32),
    ]
)
_WRAP: Final = 1 << 32
_LONGEST_SECONDS: Final = 40 * 86_400
"""Times before are read wrongly. Of such a session no page is counted, as it started before the hour."""
_WORDS: Final = _SESSION.itemsize // 4
_LATER: Final = 1 << 62  # than any time


class _Run(NamedTuple):
    """Runs of events without a gap: the second of the first and the last event, and their number.

    Of the first and the last event with a page: the time in ms, and the page. Without any: _LATER, −1 and NONE.
    """

    first: Ints
    last: Ints
    events: Ints
    entry_ms: Ints
    exit_ms: Ints
    entry: Array
    exit: Array

    def only(self, which: Bools) -> "_Run":
        return _Run(*(column[which] for column in self))

    def touches(self, other: "_Run") -> Bools:
        """Where both belong to one session. A run of 0 events touches none."""
        near: Bools = self.events > 0
        near &= other.first - self.last < SESSION_GAP_SECONDS
        near &= self.first - other.last < SESSION_GAP_SECONDS
        return near

    def joined(self, later: "_Run", where: Bools) -> "_Run":
        """`later`, joined with these where `where`. Of events of one millisecond, these are earlier in the log."""
        enters_here = where & (self.entry_ms <= later.entry_ms)
        exits_here = where & (self.exit_ms > later.exit_ms)
        return _Run(
            np.where(where, np.minimum(later.first, self.first), later.first),
            np.where(where, np.maximum(later.last, self.last), later.last),
            later.events + np.where(where, self.events, 0),
            np.where(enters_here, self.entry_ms, later.entry_ms),
            np.where(exits_here, self.exit_ms, later.exit_ms),
            np.where(enters_here, self.entry, later.entry),
            np.where(exits_here, self.exit, later.exit),
        )

    def stored(self) -> Array:
        sessions = np.empty(len(self.first), _SESSION)
        for name, column in zip(self._fields, self, strict=True):
            sessions[name] = column & (_WRAP - 1) if name.endswith("_ms") else column
        return sessions

    @classmethod
    def restored(cls, sessions: Array, now_s: int) -> "_Run":
        """What `stored` returned. Sessions that no event up to `now_s` can touch have 0 events."""
        last = sessions["last"].astype(np.int64)
        oldest_ms = (now_s - _LONGEST_SECONDS) * 1000
        entry, exit_ = sessions["entry"], sessions["exit"]
        entry_ms, exit_ms = (
            oldest_ms + ((sessions[name].astype(np.int64) - oldest_ms) & (_WRAP - 1))
            for name in ("entry_ms", "exit_ms")
        )
        has_none = entry == NONE
        if has_none.any():
            entry_ms[has_none], exit_ms[has_none] = _LATER, -1
        events = sessions["events"].astype(np.int64)
        events[last <= now_s - RECENT_SECONDS] = 0
        return cls(sessions["first"].astype(np.int64), last, events, entry_ms, exit_ms, entry, exit_)


class Sessions:
    """The sessions of each visitor that can still change a figure. A row per audience.

    A visitor has `_KEPT` places for sessions in each row, in any order. Few visitors need more than the first, so the
    others are numbered apart.
    """

    def __init__(self, rows: int) -> None:
        self._session = np.zeros((rows, 0), _SESSION)  # by visitor
        self._other = np.full(0, -1, np.int32)  # by visitor: the number of the other places; -1: none
        self._others = np.zeros((rows, _KEPT - 1, 0), _SESSION)
        self._numbers = SlotAllocator()
        self._figures = np.zeros((rows, 4, _RING_SECONDS), np.int64)
        self._pages = np.zeros((2, rows, 0), np.int32)  # ENTRY and EXIT: sessions started within the hour by page

    def enter(self, first_second: int, last_second: int) -> None:
        """Clear the slots of the seconds that the clock entered."""
        enter_seconds(self._figures, first_second, last_second)

    def leave(self, visits: list[Visits], first_second: int, last_second: int) -> None:
        """Take the sessions off the pages that started in these seconds, which left the hour with these visits."""
        for row, own in enumerate(visits):
            who = own.visitor[run_starts(own.visitor)]
            for sessions in self._places(row, who):
                first = sessions["first"]
                left = (first >= first_second) & (first <= last_second) & (sessions["events"] > 0)
                if left.any():
                    self._count_page(ENTRY, row, sessions["entry"][left], -1)
                    self._count_page(EXIT, row, sessions["exit"][left], -1)

    def _places(self, row: int, who: Ints) -> Iterator[Array]:
        """All sessions of visitors, who are distinct numbers."""
        who = who[who < self._session.shape[1]]
        yield self._session[row].take(who)
        number = self._other[who]
        number = number[number >= 0]
        if len(number):
            yield from self._others[row][:, number]

    def fold(self, visits: list[Visits], capacity: int, now_s: int) -> None:
        """Add visits by row, none of them after `now_s`; `capacity` is above every visitor number among them."""
        self._session, self._other = grown(self._session, capacity), grown(self._other, capacity, fill=-1)
        for row, (visitor, second, time_ms, page) in since(visits, now_s - RECENT_SECONDS + 1):
            begins = run_starts(visitor)
            gaps = np.flatnonzero(np.diff(second) >= SESSION_GAP_SECONDS) + 1
            starts = np.union1d(begins, gaps) if len(gaps) else begins
            ends = np.append(starts[1:], len(visitor))
            run = _Run(second[starts], second[ends - 1], ends - starts, *_entry_and_exit(time_ms, page, starts, ends))
            who = visitor[starts]
            while len(who):  # one session of each visitor at a time; there is rarely a second
                next_of_visitor = np.zeros(len(who), np.bool_)
                next_of_visitor[1:] = who[1:] == who[:-1]
                if next_of_visitor.any():
                    self._join(row, who[~next_of_visitor], run.only(~next_of_visitor), now_s)
                    who, run = who[next_of_visitor], run.only(next_of_visitor)
                else:
                    self._join(row, who, run, now_s)
                    break

    def _join(self, row: int, who: Ints, run: "_Run", now_s: int) -> None:
        """Add one run of events to each visitor, joining the sessions that it touches."""
        known = _Run.restored(self._session[row].take(who), now_s)
        touched = known.touches(run)
        # Fast path: nearly always a visitor has at most one session, and it continues.
        slow = (self._other[who] >= 0) | ((known.events > 0) & ~touched)
        if slow.any():
            self._join_several(row, who[slow], run.only(slow), now_s)
            who, run, known, touched = who[~slow], run.only(~slow), known.only(~slow), touched[~slow]
        joined = known.joined(run, touched)
        self._replace(row, known.only(touched), joined, now_s)
        self._move_pages(row, known, touched, joined, now_s)
        self._session[row, who] = joined.stored()

    def _join_several(self, row: int, who: Ints, run: "_Run", now_s: int) -> None:
        """The same for visitors who have several sessions, or get a second one."""
        number = self._numbered(who)
        places = [self._session[row, who], *self._others[row][:, number]]
        known = [_Run.restored(place, now_s) for place in places]
        touched = [own.touches(run) for own in known]
        joined = run
        for own, here in zip(known, touched, strict=True):
            joined = own.joined(joined, here)
        old = [own.only(here) for own, here in zip(known, touched, strict=True)]
        replaced = _Run(*map(np.concatenate, zip(*old, strict=True)))
        self._replace(row, replaced, joined, now_s)
        self._count_pages(row, replaced, -1, now_s)
        self._count_pages(row, joined, 1, now_s)
        events = np.stack([np.where(here, 0, own.events) for own, here in zip(known, touched, strict=True)])
        free = np.argmin(events, axis=0)  # a place with 0 events
        for place, (sessions, own) in enumerate(zip(places, events, strict=True)):
            sessions["events"] = own
            here = free == place
            sessions[here] = joined.only(here).stored()
        self._session[row, who] = places[0]
        for others, sessions in zip(self._others[row], places[1:], strict=True):
            others[number] = sessions

    def _numbered(self, who: Ints) -> Ints:
        """The numbers of the other places of visitors; those without get one."""
        without = who[self._other[who] < 0]
        self._other[without] = self._numbers.allocate(len(without))
        self._others = grown(self._others, self._numbers.capacity)
        return self._other[who].astype(np.int64)

    def _replace(self, row: int, old: "_Run", new: "_Run", now_s: int) -> None:
        """Take `old` sessions off the figures and add `new` ones."""
        first, last, events = (np.concatenate((getattr(old, name), getattr(new, name))) for name in _Run._fields[:3])
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

    def _move_pages(self, row: int, old: "_Run", is_known: Bools, new: "_Run", now_s: int) -> None:
        """Count `new` sessions in place of the `old` ones, where those are known. Nearly all keep their entry page."""
        oldest = now_s - STARTED_WITHIN_SECONDS + 1
        was_within, is_within = is_known & (old.first >= oldest), new.first >= oldest
        for kind, before, after in ((ENTRY, old.entry, new.entry), (EXIT, old.exit, new.exit)):
            moved = (before != after) | (was_within != is_within)
            self._count_page(kind, row, before[moved & was_within], -1)
            self._count_page(kind, row, after[moved & is_within], 1)

    def _count_pages(self, row: int, sessions: "_Run", by: int, now_s: int) -> None:
        within = sessions.first > now_s - STARTED_WITHIN_SECONDS
        self._count_page(ENTRY, row, sessions.entry[within], by)
        self._count_page(EXIT, row, sessions.exit[within], by)

    def _count_page(self, kind: int, row: int, pages: Array, by: int) -> None:
        pages = pages[pages != NONE].astype(np.int64)
        if len(pages):
            self._pages = grown(self._pages, int(pages.max()) + 1)
            count_at(self._pages[kind, row], pages, by)

    def pages(self, kind: int, pages: int) -> Array:
        """By row and page code below `pages`: the sessions that started in the trailing hour, by ENTRY or EXIT page."""
        self._pages = grown(self._pages, pages)
        return self._pages[kind, :, :pages]

    def mark_pages_in_use(self, in_use: Bools, now_s: int) -> None:
        """Set `in_use` at the page codes of the sessions that can still change a figure."""
        for sessions in (self._session, self._others):
            live = sessions[(sessions["events"] > 0) & (sessions["last"] > now_s - RECENT_SECONDS)]
            for name in ("entry", "exit"):
                pages = live[name]
                in_use[pages[pages != NONE]] = True

    def count_again(self, now_s: int) -> None:
        """Count the pages of the sessions that `load` restored."""
        for row in range(len(self._session)):
            for sessions in (self._session[row], *self._others[row]):
                own = sessions[(sessions["events"] > 0) & (sessions["first"] > now_s - STARTED_WITHIN_SECONDS)]
                self._count_page(ENTRY, row, own["entry"], 1)
                self._count_page(EXIT, row, own["exit"], 1)

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
        visitors = visitors[visitors < self._session.shape[1]]
        self._session["events"][:, visitors] = 0
        number = self._other[visitors]
        self._others["events"][:, :, number[number >= 0]] = 0
        self._other[visitors] = -1
        self._settle()

    def _settle(self) -> None:
        self._numbers.settle(self._other[self._other >= 0].astype(np.int64))

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {
            "session": self._session.view(np.uint32).reshape(*self._session.shape, _WORDS),
            "others": self._others.view(np.uint32).reshape(*self._others.shape, _WORDS),
            "other": self._other,
            "figures": self._figures,
        }

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned. `count_again` has to follow."""
        self._session = saved["session"].view(_SESSION)[..., 0]
        self._others = saved["others"].view(_SESSION)[..., 0]
        self._other, self._figures = saved["other"], saved["figures"]
        self._settle()


def _entry_and_exit(time_ms: Ints, page: Array, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Array, Array]:
    """From each start to before its end: the time of the first and of the last visit with a page, and the pages."""
    has_page = page != NONE
    if has_page.all():
        return time_ms[starts], time_ms[ends - 1], page[starts], page[ends - 1]
    place = np.arange(len(page))
    first = np.minimum.accumulate(np.where(has_page, place, len(page))[::-1])[::-1][starts]
    last = np.maximum.accumulate(np.where(has_page, place, -1))[ends - 1]
    has_any = first < ends
    first, last = np.where(has_any, first, 0), np.where(has_any, last, 0)
    return (
        np.where(has_any, time_ms[first], _LATER),
        np.where(has_any, time_ms[last], -1),
        np.where(has_any, page[first], NONE),
        np.where(has_any, page[last], NONE),
    )
