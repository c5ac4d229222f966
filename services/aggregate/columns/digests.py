"""A hash table of 128-bit digests that works on whole columns.

Ids do not collide in 128 bits, so a digest replaces its id: 16 bytes, where the text as a Python object and its entry
in a dict take 150.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.aggregate.columns.arrays import Bools, Ints

Digests = npt.NDArray[np.uint64]
"""One row per id: the two halves of its digest, see `digester`. Neither is 0, which marks a free slot of the table."""

_FEWEST_SLOTS: Final = 1024
_FULLEST: Final = 0.5  # share of used slots; above it probing gets slow
_BOTH: Final = 0x0101  # two bytes of True


class DigestTable:
    """A hash table from digests to numbers below 2³², open addressing with double hashing.

    Every step works on all unsettled rows: a batch takes as many steps as its longest probe. The halves of a digest are
    independent, so the second serves as the second hash and keeps the longest probe short. Both are random to whoever
    chooses the ids, so nobody can make probes long.
    """

    def __init__(self, capacity: int = 0) -> None:
        """`capacity` digests fit before the table has to be rebuilt."""
        size = _slots_for(capacity, _FEWEST_SLOTS)
        self._keys: Digests = np.zeros((size, 2), np.uint64)
        self.values = np.zeros(size, np.uint32)
        """By slot. The owner sets the value of a digest that `locate` added."""
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def locate(self, digests: Digests) -> tuple[Ints, Ints]:
        """Add unknown digests. Returns the slot of each digest, and the first row of each that was added."""
        self._reserve(len(digests))
        slot, step = self._first_slots(digests)
        is_new = np.zeros(len(digests), np.bool_)
        pending = np.arange(len(digests))
        wanted, at = digests, slot
        while len(pending):
            is_free = self._keys[at, 0] == 0
            if is_free.any():
                self._keys[at[is_free]] = wanted[is_free]  # of several that claim a slot the last one wins
            is_settled = _equal(self._keys.take(at, axis=0), wanted)  # far faster than self._keys[at]
            is_new[pending] = is_free & is_settled
            pending = pending[~is_settled]
            wanted = digests[pending]
            at = slot[pending] = self._next_slots(slot[pending], step[pending])
        return slot, self._added(slot, np.flatnonzero(is_new))

    def find(self, digests: Digests) -> tuple[Ints, Ints]:
        """The rows of the digests that are known, and their slots. Fast when these are few."""
        at, step = self._first_slots(digests)
        rows, wanted = np.arange(len(digests)), digests[:, 0]
        found, slots = [rows[:0]], [rows[:0]]
        while len(rows):
            key = self._keys[at, 0]
            goes_on = key != 0
            alike = np.flatnonzero(key == wanted)
            if len(alike):
                alike = alike[self._keys[at[alike], 1] == digests[rows[alike], 1]]
                found.append(rows[alike])
                slots.append(at[alike])
                goes_on[alike] = False
            rows, wanted, step = rows[goes_on], wanted[goes_on], step[goes_on]
            at = self._next_slots(at[goes_on], step)
        return np.concatenate(found), np.concatenate(slots)

    def _first_slots(self, digests: Digests) -> tuple[Ints, Ints]:
        """The first slot to probe for each digest, and the step to the next."""
        slot, step = (digests & np.uint64(len(self.values) - 1)).astype(np.int64).T
        return slot, step | 1  # odd: it reaches every slot

    def _next_slots(self, slot: Ints, step: Ints) -> Ints:
        after: Ints = (slot + step) & (len(self.values) - 1)
        return after

    def _added(self, slot: Ints, new: Ints) -> Ints:
        """The first row of each new digest; the value of its slot identifies that row."""
        backwards = new[::-1]
        self.values[slot[backwards]] = backwards
        first: Ints = new[self.values[slot[new]] == new]
        self._used += len(first)
        return first

    def used(self) -> Ints:
        """The slots in use."""
        return np.flatnonzero(self._keys[:, 0])

    def keys(self, slots: Ints) -> Digests:
        """The digests in slots in use."""
        return self._keys[slots]

    def keep(self, slots: Ints) -> None:
        """Drop everything but the digests in these slots. The table does not shrink."""
        self._rebuild(len(self.values), slots)

    def is_full_for(self, newcomers: int) -> bool:
        """Whether the table has to grow for `newcomers` more."""
        return self._used + newcomers > len(self.values) * _FULLEST

    def _reserve(self, newcomers: int) -> None:
        size = _slots_for(self._used + newcomers, len(self.values))
        if size > len(self.values):
            self._rebuild(size, self.used())

    def _rebuild(self, size: int, slots: Ints) -> None:
        digests, values = self._keys[slots], self.values[slots]
        self._keys, self.values, self._used = np.zeros((size, 2), np.uint64), np.zeros(size, np.uint32), 0
        slot, _ = self.locate(digests)
        self.values[slot] = values


def _slots_for(digests: int, fewest: int) -> int:
    """The smallest power of two, at least `fewest`, at which `digests` digests keep the table below _FULLEST."""
    size = fewest
    while digests > size * _FULLEST:
        size *= 2
    return size


def _equal(digests: Digests, others: Digests) -> Bools:
    """Row by row. Comparing the two bools as one number is far faster than numpy's `all` along an axis."""
    same: Bools = (digests == others).view(np.uint16)[:, 0] == _BOTH
    return same


def as_bools(rows: Ints, size: int) -> Bools:
    """A mask of `size` rows that is true at `rows`."""
    mask = np.zeros(size, np.bool_)
    mask[rows] = True
    return mask
