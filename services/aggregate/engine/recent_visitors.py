"""Places for the visitors of the last hour and a half.

What is known of a visitor's recent events takes far more memory than that there was one in the last eight hours. It is
kept by place, and a place is given to another visitor when the last event of the one before has become too old for it.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, grown
from services.aggregate.columns.slot_allocator import Numbering

RECENT_SECONDS: Final = 5400
"""The longest that anything kept by place looks back: see `sessions`. Minutes and devices reach less far."""


class RecentVisitors:
    """The place of each visitor code."""

    def __init__(self) -> None:
        self._place = np.full(0, -1, np.int32)  # by visitor code; -1: none
        self._places = Numbering()

    @property
    def room(self) -> int:
        """Above every place that was ever given."""
        return self._places.room

    def places(self, visitors: Ints) -> Ints:
        """The places of visitor codes, which may repeat; given where there was none."""
        self._place = grown(self._place, int(visitors.max(initial=-1)) + 1, fill=-1)
        places: Ints = self._place[visitors].astype(np.int64)
        homeless = places < 0
        if homeless.any():
            newcomers = np.unique(visitors[homeless])
            self._place[newcomers] = self._places.give(len(newcomers))
            places = self._place[visitors].astype(np.int64)
        return places

    def forget(self, last_seen_s: Array, oldest_s: int) -> Ints:
        """Take their places from the visitors last seen before `oldest_s`, by code; returns the places."""
        with_place = np.flatnonzero(self._place >= 0)
        gone = with_place[last_seen_s[with_place] < oldest_s]
        places = self._place[gone].astype(np.int64)
        self._place[gone] = -1
        self._settle()
        return places

    def _settle(self) -> None:
        self._places.settle(self._place[self._place >= 0].astype(np.int64))

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"place": self._place}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        self._place = saved["place"]
        self._settle()
