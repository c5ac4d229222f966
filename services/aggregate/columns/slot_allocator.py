"""Slots 0, 1, 2, … that are allocated, freed and reused, so that arrays indexed by slot stay small."""

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.digests import as_bools


class SlotAllocator:
    """Which slots are free."""

    def __init__(self) -> None:
        self._free = np.empty(0, np.int64)  # below `capacity`, the next one last
        self.capacity = 0
        """Above every slot allocated so far."""

    def allocate(self, count: int) -> Ints:
        """Allocate `count` slots, freed ones first."""
        again = min(count, len(self._free))
        recycled = self._free[len(self._free) - again :]
        self._free = self._free[: len(self._free) - again]
        fresh = np.arange(self.capacity, self.capacity + count - again)
        self.capacity += len(fresh)
        return np.concatenate((recycled, fresh))

    def take(self, slots: Ints) -> None:
        """Record slots that were allocated elsewhere. `settle` has to follow before the next `allocate`."""
        self.capacity = max(self.capacity, int(slots.max(initial=-1)) + 1)

    def settle(self, taken: Ints) -> None:
        """Free every slot but these."""
        self.take(taken)
        self._free = np.flatnonzero(~as_bools(taken, self.capacity))[::-1]
