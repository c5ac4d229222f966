"""Numbers 0, 1, 2, … that are given out, given up, and given again, so that arrays by number stay small."""

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.digests import as_bools


class Numbering:
    """Which numbers are free."""

    def __init__(self) -> None:
        self._free = np.empty(0, np.int64)  # below `room`, the next one last
        self.room = 0
        """Above every number that was ever given."""

    def give(self, count: int) -> Ints:
        """So many numbers, those that were given up first."""
        again = min(count, len(self._free))
        recycled = self._free[len(self._free) - again :]
        self._free = self._free[: len(self._free) - again]
        fresh = np.arange(self.room, self.room + count - again)
        self.room += len(fresh)
        return np.concatenate((recycled, fresh))

    def take(self, numbers: Ints) -> None:
        """Note that numbers were given elsewhere. `settle` has to follow before any is given here."""
        self.room = max(self.room, int(numbers.max(initial=-1)) + 1)

    def settle(self, taken: Ints) -> None:
        """Make all others than these free."""
        self.take(taken)
        self._free = np.flatnonzero(~as_bools(taken, self.room))[::-1]
