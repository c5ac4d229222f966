"""Distinct visitors by name over the last minutes, exact to the second.

For each pair of a name and a visitor, the second it was last seen; each name counts the pairs seen within the window. A
pair is looked at again when the second in which it was last seen leaves, so expiry costs no search.
"""

from secrets import randbits
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, count_at, grown
from services.aggregate.engine.popularity import BOT, HUMAN
from shared.rollups.model import AUDIENCES

ALL: Final = AUDIENCES.index("all")
assert (AUDIENCES.index("human"), AUDIENCES.index("bot")) == (HUMAN, BOT)

_FEWEST_SLOTS: Final = 4096
_64: Final = 64


class SeenByName:
    """A hash table of pairs, open addressing with linear probing, that works on whole columns.

    Slots come from the high bits of a product with a random odd number, which spreads any keys evenly (multiply-shift
    hashing: Dietzfelbinger et al., J. Algorithms 25, 1997). Whoever chooses the names cannot know the number.
    """

    def __init__(self, window_seconds: int) -> None:
        self._window_seconds = window_seconds
        self._factor = np.uint64(randbits(_64) | 1)
        self._counts = np.zeros((len(AUDIENCES), 0), np.int32)
        self._by_second: dict[int, list[tuple[int, Ints]]] = {}  # audience and slots that were last seen then, or later
        self._clear(_FEWEST_SLOTS)

    def _clear(self, slots: int) -> None:
        self._shift = np.uint64(_64 - slots.bit_length() + 1)
        self._key = np.zeros(slots, np.uint64)  # name and visitor; 0: free
        self._last = np.zeros((2, slots), np.uint32)  # by HUMAN and BOT; 0: not within the window
        self._writer = np.zeros(slots, np.uint32)
        self._used = 0

    def counts(self, names: int) -> Array:
        """Distinct visitors by audience and name, for the names below `names`."""
        self._counts = grown(self._counts, names)
        return self._counts[:, :names]

    def enter(self, last_second: int) -> None:
        """Move to end at `last_second`."""
        oldest = last_second - self._window_seconds + 1
        left = [second for second in self._by_second if second < oldest]
        chunks = [(second, *chunk) for second in left for chunk in self._by_second.pop(second)]
        for audience in (HUMAN, BOT):
            own = [(second, slots) for second, of, slots in chunks if of == audience]
            if own:
                self._expire(audience, np.concatenate([slots for _, slots in own]), [(at, len(of)) for at, of in own])

    def _expire(self, audience: int, slots: Ints, seconds: list[tuple[int, int]]) -> None:
        """Take off the pairs that were not seen later. `seconds` has each second and how many slots are of it."""
        last = self._last[audience]
        gone = slots[last[slots] == np.repeat(*np.array(seconds, np.int64).T)]  # each once: a pair has one last second
        last[gone] = 0
        self._count(audience, gone, -1)

    def fold(self, audience: int, name: Ints, visitor: Ints, second: Ints) -> None:
        """Add visits of an audience, HUMAN or BOT, all of them within the window."""
        if not len(name):
            return
        slots = self._located((name << 32 | visitor).astype(np.uint64) + np.uint64(1))
        last = self._last[audience]
        before = last[slots]
        later = second > before
        if not later.all():
            slots, second, before = slots[later], second[later], before[later]
        last[slots] = second  # of several visits of a pair the last one wins, which is the latest unless it came late
        missed = last[slots] < second
        while missed.any():
            last[slots[missed]] = second[missed]
            missed = last[slots] < second
        place = np.arange(len(slots), dtype=np.uint32)
        self._writer[slots] = place
        once = self._writer[slots] == place
        slots, before = slots[once], before[once]
        self._count(audience, slots[before == 0], 1)
        self._queue(audience, slots, last[slots])

    def _count(self, audience: int, slots: Ints, by: int) -> None:
        """Count pairs that entered or left the window of an audience, one by one."""
        if not len(slots):
            return
        name = ((self._key[slots] - np.uint64(1)) >> np.uint64(32)).astype(np.int64)
        self._counts = grown(self._counts, int(name.max()) + 1)
        count_at(self._counts[audience], name, by)
        is_alone = self._last[1 - audience][slots] == 0  # else the other audience counts it among all
        count_at(self._counts[ALL], name[is_alone], by)

    def _queue(self, audience: int, slots: Ints, second: Array) -> None:
        if not len(slots):
            return
        first = int(second.min())
        if first == int(second.max()):
            self._by_second.setdefault(first, []).append((audience, slots))
            return
        since = (second - np.uint32(first)).astype(np.int16)
        order = np.argsort(since, kind="stable")  # of small integers: a radix sort
        ends = np.bincount(since).cumsum()
        start = 0
        for after, end in enumerate(ends.tolist()):
            if end > start:
                self._by_second.setdefault(first + after, []).append((audience, slots[order[start:end]]))
            start = end

    def _located(self, keys: Array) -> Ints:
        """The slot of each key; unknown keys are added."""
        if self._used + len(keys) > len(self._key) // 2:
            self._rebuild(len(keys))
        slot: Ints = ((keys * self._factor) >> self._shift).astype(np.int64)
        pending, wanted, at = None, keys, slot
        while True:
            found = self._key[at]
            is_free = found == 0
            if is_free.any():
                self._key[at[is_free]] = wanted[is_free]  # of several that claim a slot the last one wins
                found = self._key[at]
                self._used += int(np.count_nonzero(is_free))  # at most: a pair may claim one several times
            goes_on = found != wanted
            if not goes_on.any():
                return slot
            pending = np.flatnonzero(goes_on) if pending is None else pending[goes_on]
            wanted = keys[pending]
            at = slot[pending] = (slot[pending] + 1) & (len(self._key) - 1)

    def _rebuild(self, newcomers: int) -> None:
        """Drop the pairs that left, and find room for as many again."""
        live = np.flatnonzero(self._last.any(axis=0))
        keys, last = self._key[live], self._last[:, live]
        slots = _FEWEST_SLOTS
        while slots < 4 * (len(live) + newcomers):
            slots *= 2
        self._clear(slots)
        slot = self._located(keys)
        self._last[:, slot] = last
        self._by_second = {}
        for audience, own in enumerate(last):
            self._queue(audience, slot[own > 0], own[own > 0])
