"""The code of each name: a hash table that takes a fifth of what a dict of the names takes."""

import sys
from array import array
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

import numpy as np

from services.aggregate.columns.arrays import Ints

Name = TypeVar("Name", bound=Hashable)

OTHER_CODE: Final = 0
"""Of the names of an open dimension: stands for all names beyond the limit."""
MOST_NAMES: Final = 1_000_000
"""The limit unless a site sets one."""

_HASH_BITS: Final = 32
_HASH_MASK: Final = (1 << _HASH_BITS) - 1
_FEWEST_SLOTS: Final = 64
_FULLEST: Final = 0.6  # share of used slots; above it probing gets slow
_GROWTH: Final = 1.5
_TAIL: Final = 64
"""Slots behind the others: probing does not wrap around."""


class NameCodes(Generic[Name]):
    """Open addressing with linear probing. The table has codes and their hashes, and the names are in a list by code.

    Looking up an unknown name assigns it a free code, the smallest first, else the next one: this is a hot path.

    Nobody can choose names that meet: Python hashes text under a random key. The slots are in order of the hashes, so
    many codes at once are placed without looking at their names.
    """

    def __init__(self, names: list[Name | None], reused: list[int], *, has_other: bool) -> None:
        """`names` are by code, None at a free one. Codes that are assigned again are added to `reused`."""
        self._names = names
        self._reused = reused
        self.free = _free_codes(names)
        self.most = MOST_NAMES if has_other else sys.maxsize  # names besides OTHER_CODE
        self.has_refused = False
        self._hashes = array("I", (0 if name is None else hash(name) & _HASH_MASK for name in names))  # by code
        self._place(np.array([code for code, name in enumerate(names) if name is not None], np.int64))

    def __len__(self) -> int:
        return self._used

    def __getitem__(self, name: Name) -> int:
        own = hash(name) & _HASH_MASK
        slots = self._slots
        slot = (own * self._size) >> _HASH_BITS
        while after := slots[slot]:
            if self._hashes[after - 1] == own and self._names[after - 1] == name:
                return after - 1
            slot += 1
        if self._used > self.most:  # one of them is the other ones
            self.has_refused = True
            return OTHER_CODE
        if self.free:
            code = self.free.pop()
            self._hashes[code] = own
            self._names[code] = name
            self._reused.append(code)  # after the name: another thread looks up what it finds here
        else:
            code = len(self._names)
            self._hashes.append(own)
            self._names.append(name)
        self._take(slot, code)
        return code

    def assign(self, code: int, name: Name) -> None:
        """Repeat an assignment. `settle` has to follow before the next name.

        Raises ValueError if it contradicts another.
        """
        own = hash(name) & _HASH_MASK
        slots = self._slots
        slot = (own * self._size) >> _HASH_BITS
        is_known = False
        while (after := slots[slot]) and not is_known:
            is_known = self._hashes[after - 1] == own and self._names[after - 1] == name
            slot += 1
        if is_known or (code < len(self._names) and self._names[code] is not None):
            raise ValueError(f"code {code} or the name {name!r} is assigned already")
        if code < len(self._names):
            self._reused.append(code)
        missing = code + 1 - len(self._names)
        self._names += [None] * missing
        self._hashes.extend([0] * missing)
        self._names[code], self._hashes[code] = name, own
        self._take(slot, code)

    def settle(self) -> None:
        """Free every code without a name."""
        self.free = _free_codes(self._names)

    def move(self, names: list[Name | None], reused: list[int], unused: Ints) -> None:
        """Continue with a copy of the names, without those of the codes `unused`, which are free."""
        for code in unused.tolist():
            assert names[code] is not None
            names[code] = None
        self._names, self._reused = names, reused
        self.free = sorted([*self.free, *unused.tolist()], reverse=True)
        is_unused = np.zeros(len(self._hashes), np.bool_)
        is_unused[unused] = True
        codes = self._codes()
        self._place(codes[~is_unused[codes]])

    def _take(self, slot: int, code: int) -> None:
        self._slots[slot] = code + 1
        self._used += 1
        if self._used > self._fullest or slot == self._last:
            self._place(self._codes(), _GROWTH)

    def _codes(self) -> Ints:
        slots = np.frombuffer(self._slots, np.uint32)
        return slots[slots > 0].astype(np.int64) - 1

    def _place(self, codes: Ints, growth: float = 1.0) -> None:
        """Lay out the slots for these codes, of which so many times as many fit."""
        hashes = np.frombuffer(self._hashes, np.uint32)[codes] if len(codes) else np.empty(0, np.uint32)
        order = np.argsort(hashes, kind="stable")
        size = max(_FEWEST_SLOTS, int(len(codes) * growth / _FULLEST))
        # As if they were taken one by one: each has its own slot or, if that is taken, the next free one.
        first = (hashes[order].astype(np.uint64) * np.uint64(size) >> np.uint64(_HASH_BITS)).astype(np.int64)
        place = np.arange(len(codes))
        slots = np.maximum.accumulate(first - place) + place
        laid_out = np.zeros(max(size, int(slots.max(initial=0)) + 1) + _TAIL, np.uint32)
        laid_out[slots] = codes[order] + 1
        self._size, self._fullest, self._used = size, int(size * _FULLEST), len(codes)
        self._last = len(laid_out) - 2  # the one behind it stays free, so that every search ends
        self._slots = array("I", laid_out.tobytes())


def _free_codes(names: list[Name | None]) -> list[int]:
    """The codes without a name, the smallest last."""
    return [code for code in range(len(names) - 1, -1, -1) if names[code] is None]
