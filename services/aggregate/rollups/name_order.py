"""The order of names that are merged each second, so that ties among very many are broken without looking at each."""

from bisect import bisect_left
from collections.abc import Sequence
from heapq import nsmallest
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Bools, Ints

_FEW: Final = 4_096
_FEW_OF: Final = 64
"""Names wait unsorted while they are FEW, or one in this many of the others: sorting them in moves all places."""
_MOST_AT_ONCE: Final = 4_096
"""Names sorted in with one publish, which takes about a fiftieth of a second."""
_MANY: Final = 4
"""If more than one in this many of the sorted are new, as after a start, one publish sorts all, and comes late."""


class NameOrder:
    """The order of names by their places. Names are only added, until `keep`. Not thread-safe."""

    def __init__(self, names: Sequence[Any]) -> None:
        """The first of the names is of nobody, and is never asked for."""
        self._names = names
        self._places = np.empty(0, np.int32)  # of the sorted names, in their order
        self._size = 1  # the names at the places below are sorted

    def smallest(self, places: Ints, most: int) -> list[Any]:
        """The `most` smallest of the names at these places, ascending."""
        self._sort_in_new()
        is_wanted = np.zeros(len(self._names), np.bool_)
        is_wanted[places] = True
        first = self._places[np.flatnonzero(is_wanted[self._places])[:most]]
        unsorted = places[places >= self._size]
        return nsmallest(most, map(self._names.__getitem__, [*first.tolist(), *unsorted.tolist()]))

    def keep(self, is_kept: Bools, place: Ints, names: Sequence[Any]) -> None:
        """Follow names that moved to `place`, by their places before, without those that are not kept."""
        self._places = place[self._places[is_kept[self._places]]].astype(np.int32)
        self._size = int(np.count_nonzero(is_kept[: self._size]))
        self._names = names

    def _sort_in_new(self) -> None:
        new = len(self._names) - self._size
        if new <= max(_FEW, self._size // _FEW_OF):
            return
        name = self._names.__getitem__
        if new > max(_MOST_AT_ONCE, self._size // _MANY):
            self._size = len(self._names)
            self._places = np.array(
                sorted([*self._places.tolist(), *range(self._size - new, self._size)], key=name), np.int32
            )
            return
        until = self._size + min(new, _MOST_AT_ONCE)
        added = sorted(range(self._size, until), key=name)
        places = self._places.tolist()
        before = [bisect_left(places, name(place), key=name) for place in added]
        self._places = np.insert(self._places, before, added)
        self._size = until
