"""A hash table of 128-bit digests that works on whole columns.

Ids do not collide in 128 bits, so a digest replaces its id: 16 bytes, where the text as a Python object and its entry
in a dict take 150.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.aggregate.columns.arrays import Bools, Ints, zeros

Digests = npt.NDArray[np.uint64]
"""One row per id: the two halves of its digest, see `digester`. Neither is 0, which marks a free slot of the table."""

_FEWEST_SLOTS: Final = 1024
_FULLEST: Final = 0.5  # share of used slots; above it probing gets slow
_BOTH: Final = 0x0101  # two bytes of True


class DigestTable:
    """A hash table from digests to numbers below 2³², open addressing with double hashing.

    Digests are numbered in the order in which they were added. The slots, of which at least half are free, have only
    these numbers: four bytes, where a digest and its value take twenty.

    Every step works on all unsettled rows: a batch takes as many steps as its longest probe. The halves of a digest are
    independent, so the second serves as the second hash and keeps the longest probe short. Both are random to whoever
    chooses the ids, so nobody can make probes long.
    """

    def __init__(self, capacity: int = 0) -> None:
        """`capacity` digests fit before the table has to be rebuilt."""
        self._used = 0
        self._allocate(_slots_for(capacity, _FEWEST_SLOTS))

    def _allocate(self, slots: int) -> None:
        # Zeros that were never written take address space and no memory, so these arrays are as long as they can get.
        places = int(slots * _FULLEST) + 1  # none has number 0, which marks a free slot
        self._numbers = np.zeros(slots, np.uint32)
        self._digests: Digests = zeros((places, 2), np.uint64)
        self.values = zeros((places,), np.uint32)
        """By number. The owner sets the value of a digest that `locate` added."""

    def __len__(self) -> int:
        return self._used

    def locate(self, digests: Digests) -> tuple[Ints, Ints]:
        """Add unknown digests. Returns the number of each digest, and the first row of each that was added."""
        self._reserve(len(digests))
        known = self._used
        self._digests[known + 1 : known + 1 + len(digests)] = digests  # each row has a number until it is settled
        slot, step = self._first_slots(digests)
        number = np.empty(len(digests), np.int64)
        pending = np.arange(len(digests))
        wanted, at = digests, slot
        while len(pending):
            found = self._numbers.take(at)
            is_free = found == 0
            if is_free.any():
                self._numbers[at[is_free]] = known + 1 + pending[is_free]  # of several that claim a slot one wins
                found = self._numbers.take(at)
            number[pending] = found
            is_pending = ~_equal(self._digests.take(found, axis=0), wanted)  # far faster than self._digests[found]
            pending = pending[is_pending]
            wanted = digests[pending]
            at = slot[pending] = self._next_slots(slot[pending], step[pending])
        return number, self._added(digests, number, slot)

    def find(self, digests: Digests) -> tuple[Ints, Ints]:
        """The rows of the digests that are known, and their numbers. Fast when these are few."""
        at, step = self._first_slots(digests)
        rows, wanted = np.arange(len(digests)), digests[:, 0]
        found, numbers = [rows[:0]], [rows[:0]]
        while len(rows):
            number = self._numbers.take(at)
            goes_on = number != 0
            if not goes_on.all():
                rows, wanted, step = rows[goes_on], wanted[goes_on], step[goes_on]
                at, number = at[goes_on], number[goes_on]
            alike = np.flatnonzero(self._digests[number, 0] == wanted)
            if len(alike):
                alike = alike[self._digests[number[alike], 1] == digests[rows[alike], 1]]
                found.append(rows[alike])
                numbers.append(number[alike].astype(np.int64))
                others = ~as_bools(alike, len(rows))
                rows, wanted, step, at = rows[others], wanted[others], step[others], at[others]
            at = self._next_slots(at, step)
        return np.concatenate(found), np.concatenate(numbers)

    def _first_slots(self, digests: Digests) -> tuple[Ints, Ints]:
        """The first slot to probe for each digest, and the step to the next."""
        slot, step = (digests & np.uint64(len(self._numbers) - 1)).astype(np.int64).T
        return slot, step | 1  # odd: it reaches every slot

    def _next_slots(self, slot: Ints, step: Ints) -> Ints:
        after: Ints = (slot + step) & (len(self._numbers) - 1)
        return after

    def _added(self, digests: Digests, number: Ints, slot: Ints) -> Ints:
        """The first row of each new digest. Numbers the new digests in order of these rows."""
        known = self._used
        new = np.flatnonzero(number > known)
        if not len(new):
            return new
        claim = number[new] - known - 1  # the row that won the slot
        first_row = np.empty(len(digests), np.int64)
        first_row[claim[::-1]] = new[::-1]
        first: Ints = new[first_row[claim] == new]
        self._used += len(first)
        lasting = np.empty(len(digests), np.int64)
        lasting[first] = np.arange(known + 1, self._used + 1)
        number[new] = lasting[first_row[claim]]
        self._numbers[slot[first]] = number[first]
        self._digests[known + 1 : self._used + 1] = digests[first]
        return first

    def used(self) -> Ints:
        """The numbers in use."""
        return np.arange(1, self._used + 1)

    def keys(self, numbers: Ints) -> Digests:
        """The digests with these numbers."""
        return self._digests[numbers]

    def keep(self, numbers: Ints) -> None:
        """Drop everything but the digests with these numbers, and number them anew. The table does not shrink."""
        self._rebuild(len(self._numbers), numbers)

    def is_full_for(self, newcomers: int) -> bool:
        """Whether the table has to grow for `newcomers` more."""
        return self._used + newcomers > len(self._numbers) * _FULLEST

    def _reserve(self, newcomers: int) -> None:
        size = _slots_for(self._used + newcomers, len(self._numbers))
        if size > len(self._numbers):
            self._rebuild(size, self.used())

    def _rebuild(self, size: int, numbers: Ints) -> None:
        digests, values = self._digests[numbers], self.values[numbers]
        self._used = 0
        self._allocate(size)
        number, _ = self.locate(digests)
        if values.any():  # the places of names have none
            self.values[number] = values


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
