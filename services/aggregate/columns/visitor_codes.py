"""Visitors as numbers. A visitor keeps the number while any window or minute segment may hold an event of theirs."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.digests import Digests, DigestTable
from services.aggregate.columns.slot_allocator import Numbering

_WORTH_SHARE: Final = 8


class VisitorCodes:
    """The code of each userId's digest. Codes that were given up are given again, so that they stay few."""

    def __init__(self) -> None:
        self._code = DigestTable()
        self._codes = Numbering()

    @property
    def room(self) -> int:
        """Above every code that was ever given."""
        return self._codes.room

    def codes(self, digests: Digests) -> tuple[Ints, Digests, Ints]:
        """The code of each digest; and the digests that are new, a row each, with the codes they were given."""
        slot, first = self._code.locate(digests)
        given = self._codes.give(len(first))
        self._code.values[slot[first]] = given
        return self._code.values[slot].astype(np.int64), digests[first], given

    def take_over(self, digests: Digests, codes: Ints) -> None:
        """Add visitors that were given codes before. `settle` has to follow before any is given here."""
        slot, _ = self._code.locate(digests)
        self._code.values[slot] = codes
        self._codes.take(codes)

    def settle(self) -> None:
        """Find the codes that are free."""
        self._codes.settle(self._code.values[self._code.used()].astype(np.int64))

    def forget(self, last_seen_s: Array, oldest_s: int) -> Ints:
        """Give up the visitors last seen before `oldest_s`, by code; returns their codes.

        Not before they are an eighth of all: each time the whole table is made anew.
        """
        used = self._code.used()
        codes = self._code.values[used].astype(np.int64)
        gone = last_seen_s[codes] < oldest_s
        if np.count_nonzero(gone) * _WORTH_SHARE < len(used) or not gone.any():
            return codes[:0]
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
