"""Visitors as codes. A visitor keeps its code while any window or minute segment may hold an event of it."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.digests import Digests, DigestTable
from services.aggregate.columns.slot_allocator import SlotAllocator

_STALE_SHARE: Final = 8


class VisitorCodes:
    """The code of each userId's digest. Freed codes are reused, so that they stay small."""

    def __init__(self) -> None:
        self._code = DigestTable()
        self._codes = SlotAllocator()

    @property
    def capacity(self) -> int:
        """Above every code assigned so far."""
        return self._codes.capacity

    def codes(self, digests: Digests) -> tuple[Ints, Digests, Ints]:
        """The code of each digest, and the digests that are new, one row each, with their codes."""
        slot, first = self._code.locate(digests)
        assigned = self._codes.allocate(len(first))
        self._code.values[slot[first]] = assigned
        return self._code.values[slot].astype(np.int64), digests[first], assigned

    def restore(self, digests: Digests, codes: Ints) -> None:
        """Add visitors with the codes they have. `settle` has to follow before the next `codes`."""
        slot, _ = self._code.locate(digests)
        self._code.values[slot] = codes
        self._codes.take(codes)

    def settle(self) -> None:
        """Free the codes that no visitor has."""
        self._codes.settle(self._code.values[self._code.used()].astype(np.int64))

    def forget(self, last_seen_s: Array, oldest_s: int) -> Ints:
        """Drop the visitors last seen before `oldest_s` and return their codes. `last_seen_s` is by code.

        Waits until an eighth of the visitors is stale, because each pass rebuilds the whole table.
        """
        used = self._code.used()
        codes = self._code.values[used].astype(np.int64)
        gone = last_seen_s[codes] < oldest_s
        if np.count_nonzero(gone) * _STALE_SHARE < len(used) or not gone.any():
            return codes[:0]
        self._code.keep(used[~gone])
        self.settle()
        return codes[gone]

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        used = self._code.used()
        return {"digests": self._code.keys(used), "codes": self._code.values[used]}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
        self.restore(saved["digests"], saved["codes"].astype(np.int64))
        self.settle()
