"""Visitors as numbers. A visitor keeps the number while any window or minute segment may hold an event of theirs."""

from collections.abc import Mapping

import numpy as np

from services.aggregate.arrays import Array, Ints
from services.aggregate.digests import Digests, DigestTable, as_bools


class VisitorCodes:
    """The code of each userId's digest. Codes that were given up are given again, so that they stay few."""

    def __init__(self) -> None:
        self._code = DigestTable()
        self._free = np.empty(0, np.int64)  # below `room`, the next one last
        self.room = 0
        """Above every code that was ever given."""

    def __len__(self) -> int:
        return len(self._code)

    def codes(self, digests: Digests) -> tuple[Ints, Digests, Ints]:
        """The code of each digest; and the digests that are new, a row each, with the codes they were given."""
        slot, first = self._code.locate(digests)
        given = self._given(len(first))
        self._code.values[slot[first]] = given
        return self._code.values[slot].astype(np.int64), digests[first], given

    def _given(self, count: int) -> Ints:
        again = min(count, len(self._free))
        recycled = self._free[len(self._free) - again :]
        self._free = self._free[: len(self._free) - again]
        fresh = np.arange(self.room, self.room + count - again)
        self.room += len(fresh)
        return np.concatenate((recycled, fresh))

    def take_over(self, digests: Digests, codes: Ints) -> None:
        """Add visitors that were given codes before. `settle` has to follow before any is given here."""
        slot, _ = self._code.locate(digests)
        self._code.values[slot] = codes
        self.room = max(self.room, int(codes.max(initial=-1)) + 1)

    def settle(self) -> None:
        """Find the codes that are free."""
        used = as_bools(self._code.values[self._code.used()].astype(np.int64), self.room)
        self._free = np.flatnonzero(~used)[::-1]

    def forget(self, last_seen_s: Array, oldest_s: int) -> Ints:
        """Give up the visitors last seen before `oldest_s`, by code; returns their codes."""
        used = self._code.used()
        codes = self._code.values[used].astype(np.int64)
        gone = last_seen_s[codes] < oldest_s
        if gone.any():
            self._code.keep(used[~gone])
            self.settle()
        return codes[gone]

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        used = self._code.used()
        return {"digests": self._code.keys(used), "codes": self._code.values[used]}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        self.take_over(saved["digests"], saved["codes"].astype(np.int64))
        self.settle()
