"""Ranks names by a count, at a cost that hardly depends on how many there are. Pure."""

from collections.abc import Sequence
from heapq import nsmallest
from typing import Final, TypeVar

import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.rollups.name_order import NameOrder

_GROUPS: Final = 4_096
_MANY: Final = 4_096  # ties, which are looked at one by one below
_Ordered = TypeVar("_Ordered", str, tuple[str, str])


def ranked(
    members: Sequence[_Ordered], events: Array, most: int | None = None, order: NameOrder | None = None
) -> list[tuple[_Ordered, int]]:
    """The members with events, greatest first, ties to the smaller member bytewise, at most `most`.

    `order` is that of the members, if it is kept. Text in Python sorts by code point, and so does its UTF-8 by byte.
    """
    if most is None:
        places = np.flatnonzero(events)
        return _sorted(members, places, events)
    least = least_ranked(events, most)
    above = np.flatnonzero(events > least)  # fewer than `most`
    ties = np.flatnonzero(events == least)  # as many as names, if nearly all have one event
    if order is None or len(ties) < _MANY:
        first = nsmallest(most - len(above), map(members.__getitem__, ties.tolist()))
    else:
        first = order.smallest(ties, most - len(above))
    return _sorted(members, above, events) + [(member, least) for member in first]


def _sorted(members: Sequence[_Ordered], places: Array, events: Array) -> list[tuple[_Ordered, int]]:
    counted = [(members[place], count) for place, count in zip(places.tolist(), events[places].tolist(), strict=True)]
    return sorted(counted, key=lambda member: (-member[1], member[0]))


def least_ranked(events: Array, most: int) -> int:
    """The number of events of the `most`th greatest, at least 1.

    np.partition would take a hundred times as long when nearly all have one event.
    """
    # The greatest of every group are distinct members, so the `most`th of them is no greater than the one wanted, and
    # what exceeds it is in fewer than `most` groups. Names of one group are far apart, because those that came first
    # have most events.
    while most < _GROUPS and len(events) > 2 * _GROUPS:
        whole = len(events) - len(events) % _GROUPS
        greatest = events[:whole].reshape(-1, _GROUPS).max(axis=0)
        least = int(np.sort(greatest)[-most])
        above = events[events > least]
        if len(above) < most:
            return max(1, least)
        events = above
    if len(events) < most:
        return 1
    return max(1, int(np.sort(events)[-most]))
