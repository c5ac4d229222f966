"""Events by name in each complete minute of the last two hours: for what rises, and for the hour before.

A minute is counted once, when it completes. Its counts are sparse. Three sums over minutes are kept by code and move
by the minutes that enter and leave them. Late events are added to the sums at once, to their minute when it is needed.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, count_at, grown
from services.aggregate.columns.batch import NONE, is_bot
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.engine.recent_rows import NO_ROWS, RecentRows
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.events.time_units import MINUTE_SECONDS

RECENT, BASE, BEFORE = range(3)
SPANS: Final = ((15, 0), (75, 15), (120, 60))
"""By RECENT, BASE and BEFORE: from how many complete minutes ago, the first included, to how many, excluded.

    ├─────────────── BEFORE ──────────────┤                       complete
    │              ├──────────── BASE ───────────┤─── RECENT ───┤··· running minute
  −120            −75                   −60    −15              0
"""
KEPT_MINUTES: Final = max(first for first, _ in SPANS)


class Counts(NamedTuple):
    """The events of one minute: `keys` are 2 × code + 1 for bots and 2 × code for humans, ascending."""

    keys: Array
    events: Array


NO_COUNTS: Final = Counts(np.empty(0, np.int32), np.empty(0, np.uint8))


def complete_until(now_s: int) -> int:
    """The first minute that is not complete at `now_s`: all seconds of those before are up to it."""
    return (now_s + 1) // MINUTE_SECONDS


class MinuteCounts:
    """Counts by minute, for each ranked dimension. See `Window`."""

    name: Final = "minute_counts"

    def __init__(self, now_s: int, recent_rows: RecentRows) -> None:
        """`recent_rows` has the rows of each minute when it completes, so this enters a step before it."""
        self._recent_rows = recent_rows
        self._until = complete_until(now_s)
        self._minutes: dict[int, dict[str, Counts]] = {}
        self._late: dict[int, list[Array]] = {}  # rows that are to be added to complete minutes
        self._sums = {dimension.name: np.zeros((2 * len(SPANS), 0), np.int32) for dimension in RANKED_DIMENSIONS}
        self._frozen: dict[str, Array] = {}  # of the sums, which are copied before they change
        self.unsaved: set[int] = set()  # minutes that changed since they were last saved

    @property
    def oldest_minute(self) -> int:
        """The first minute that is kept."""
        return self._until - KEPT_MINUTES

    def sums(self, dimension: str, codes: int) -> Array:
        """Events by code, at most those below `codes`: of humans and of bots, for RECENT, then BASE, then BEFORE.

        They never change; for as long as they would be the same, it returns the same array.
        """
        if dimension not in self._frozen:
            self._frozen[dimension] = self._sums[dimension][:, :codes]
        return self._frozen[dimension]

    def enter(self, step: Step) -> None:
        """See `Window`."""
        until = complete_until(step.last_second)
        if until == self._until:
            return
        for minute in list(self._late):
            self._settle(minute)
        before = self._until
        for minute in self._recent_rows.minutes():
            if before <= minute < until and minute >= until - KEPT_MINUTES:
                self._minutes[minute] = _counts_of([self._recent_rows.minute(minute)])
                self.unsaved.add(minute)
        for span, (first, last) in enumerate(SPANS):
            was, now = range(before - first, before - last), range(until - first, until - last)
            for minute in self._minutes:
                if (minute in was) != (minute in now):
                    self._add(span, minute, 1 if minute in now else -1)
        self._until = until
        self._minutes = {minute: own for minute, own in self._minutes.items() if minute >= self.oldest_minute}
        self.unsaved = {minute for minute in self.unsaved if minute >= self.oldest_minute}

    def fold(self, events: Events) -> None:
        """See `Window`. Nearly all events are of the running minute, which is counted when it completes."""
        if events.second.min(initial=self._until * MINUTE_SECONDS) == self._until * MINUTE_SECONDS:
            return
        minute = events.second // MINUTE_SECONDS
        is_late = (minute < self._until) & (minute >= self.oldest_minute)
        if is_late.any():
            self._fold_late(events.rows[is_late], minute[is_late])

    def _fold_late(self, rows: Array, minute: Ints) -> None:
        ago = self._until - minute
        for span, (first, last) in enumerate(SPANS):
            within = (ago <= first) & (ago > last)
            if within.any():
                for dimension, keys in _keys_of(rows if within.all() else rows[within]):
                    self._count(span, dimension, keys, 1)
        for number in np.unique(minute).tolist():
            self._late.setdefault(number, []).append(rows[minute == number])
            self.unsaved.add(number)

    def _settle(self, minute: int) -> None:
        """Add the late events of a minute to its counts."""
        late = _counts_of(self._late.pop(minute))
        own = self._minutes.get(minute, {})
        self._minutes[minute] = {name: _merged(own.get(name, NO_COUNTS), counts) for name, counts in late.items()}

    def _add(self, span: int, minute: int, by: int) -> None:
        for dimension, (keys, events) in self._minutes[minute].items():
            self._count(span, dimension, keys, by * events.astype(np.int32))

    def _count(self, span: int, dimension: str, keys: Array, by: Array | int) -> None:
        if not len(keys):
            return
        if self._frozen.pop(dimension, None) is not None:
            self._sums[dimension] = self._sums[dimension].copy()
        sums = self._sums[dimension] = grown(self._sums[dimension], int(keys.max() >> 1) + 1)
        places = (2 * span + (keys & 1)) * sums.shape[1] + (keys >> 1)
        if isinstance(by, int):
            count_at(sums.reshape(-1), places, by)
        else:
            sums.reshape(-1)[places] += by  # keys of a minute are distinct

    def mark_in_use(self, dimension: str, in_use: Bools) -> None:
        """Set `in_use` at each code of a dimension."""
        for minute in list(self._late):
            self._settle(minute)
        for own in self._minutes.values():
            in_use[own.get(dimension, NO_COUNTS).keys >> 1] = True

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`. It keeps nothing by visitor."""

    def save(self) -> dict[str, Array]:
        """See `Window`. The codec saves each minute on its own, when it has changed."""
        return {}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""

    def save_minutes(self) -> dict[int, dict[str, Counts]]:
        """The counts of the minutes that changed since `unsaved` was last cleared."""
        for minute in list(self._late):
            self._settle(minute)
        return {minute: self._minutes[minute] for minute in sorted(self.unsaved)}

    def load_minutes(self, saved: Mapping[int, dict[str, Counts]]) -> None:
        """Restore what `save_minutes` returned, of all minutes. These count as saved."""
        self._minutes = {minute: own for minute, own in saved.items() if self.oldest_minute <= minute < self._until}
        for span, (first, last) in enumerate(SPANS):
            for minute in self._minutes:
                if self._until - first <= minute < self._until - last:
                    self._add(span, minute, 1)


def _keys_of(rows: Array) -> Iterable[tuple[str, Ints]]:
    """For each ranked dimension the keys of the rows that have a name."""
    bots = is_bot(rows).astype(np.int64)
    for dimension in RANKED_DIMENSIONS:
        code = rows[dimension.name].astype(np.int64)
        keys = 2 * code + bots
        has_name = code != NONE
        yield dimension.name, keys if has_name.all() else keys[has_name]


def _counts_of(chunks: Iterable[Array]) -> dict[str, Counts]:
    counts = {}
    for name, own in _keys_of(np.concatenate([NO_ROWS, *chunks])):
        by_key = np.bincount(own)
        keys = np.flatnonzero(by_key)
        counts[name] = Counts(keys.astype(np.int32), _small(by_key[keys]))
    return counts


def _merged(one: Counts, other: Counts) -> Counts:
    if not len(one.keys) or not len(other.keys):
        return other if len(other.keys) else one
    keys = np.union1d(one.keys, other.keys)
    events = np.zeros(len(keys), np.int64)
    for own in (one, other):
        events[np.searchsorted(keys, own.keys)] += own.events
    return Counts(keys.astype(np.int32), _small(events))


def _small(events: Ints) -> Array:
    """Most names have few events a minute: one byte each."""
    return events.astype(np.min_scalar_type(int(events.max(initial=0))))
