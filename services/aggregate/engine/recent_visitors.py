"""Slots for the visitors of the last hour and a half.

The state of a visitor's recent events takes far more memory than its last-seen second. So it is kept by slot, and a
slot is reused once the visitor's last event is too old.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, grown
from services.aggregate.columns.slot_allocator import SlotAllocator

RECENT_SECONDS: Final = 5400
"""How far back state by slot reaches at most, see `sessions`. Minutes and devices reach back less."""


class RecentVisitors:
    """The slot of each visitor code."""

    def __init__(self) -> None:
        self._slot = np.full(0, -1, np.int32)  # by visitor code; -1: none
        self._slots = SlotAllocator()

    @property
    def capacity(self) -> int:
        """Above every slot allocated so far."""
        return self._slots.capacity

    def slots(self, visitors: Ints) -> Ints:
        """The slots of visitor codes, which may repeat; a visitor without one gets one."""
        self._slot = grown(self._slot, int(visitors.max(initial=-1)) + 1, fill=-1)
        slots: Ints = self._slot[visitors].astype(np.int64)
        missing = slots < 0
        if missing.any():
            newcomers = np.unique(visitors[missing])
            self._slot[newcomers] = self._slots.allocate(len(newcomers))
            slots = self._slot[visitors].astype(np.int64)
        return slots

    def forget(self, last_seen_s: Array, oldest_s: int) -> Ints:
        """Free the slots of visitors last seen before `oldest_s` and return them. `last_seen_s` is by code."""
        with_slot = np.flatnonzero(self._slot >= 0)
        gone = with_slot[last_seen_s[with_slot] < oldest_s]
        slots = self._slot[gone].astype(np.int64)
        self._slot[gone] = -1
        self._settle()
        return slots

    def _settle(self) -> None:
        self._slots.settle(self._slot[self._slot >= 0].astype(np.int64))

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"slot": self._slot}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
        self._slot = saved["slot"]
        self._settle()
