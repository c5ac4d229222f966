"""The events of a batch as visits: who was seen when and where, grouped by visitor and ordered by time."""

from collections.abc import Iterator
from functools import cached_property
from typing import Final, NamedTuple, Self

import numpy as np

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.batch import BOT_DEVICE, ROW
from shared.events.schema import DEVICE_TYPES
from shared.rollups.model import AUDIENCES


class Visits(NamedTuple):
    """Who was seen when, and on which page. A visitor's visits are adjacent and ordered by time, then as in the log.

    Visitors are numbers, seconds are epoch seconds, `page` is a code or NONE.
    """

    visitor: Ints
    second: Ints
    time_ms: Ints
    page: Array

    def since(self, oldest: int) -> "Visits":
        """The visits from second `oldest` on."""
        if self.second.min(initial=oldest) >= oldest:
            return self
        within = self.second >= oldest
        return Visits(*(column[within] for column in self))


class GroupedVisits:
    """The visits of each audience and of each device type, in the order of AUDIENCES and DEVICE_TYPES."""

    def __init__(self, visits: Visits, device: Array) -> None:
        self._visits = visits
        self._device = device
        self.capacity = int(visits.visitor.max(initial=-1)) + 1
        """Above every visitor number among them."""

    @cached_property
    def by_audience(self) -> list[Visits]:
        """The visits of each audience."""
        is_bot = self._device == BOT_DEVICE
        humans = self._only(~is_bot) if is_bot.any() else self._visits
        own = {"human": humans, "bot": self._only(is_bot), "all": self._visits}
        return [own[audience] for audience in AUDIENCES]

    @cached_property
    def by_device(self) -> list[Visits]:
        """The visits of each device type."""
        return [self._only(self._device == code) for code in range(len(DEVICE_TYPES))]

    def _only(self, which: Array) -> Visits:
        return Visits(*(column[which] for column in self._visits))


class SortedVisits(NamedTuple):
    """All visits of a batch, with the device type of each."""

    visits: Visits
    device: Array

    @classmethod
    def of(cls, rows: Array) -> Self:
        """Sort events, which are in the order of the log."""
        order = _order(rows["visitor"].astype(np.int64), rows["timestamp"])
        time_ms = rows["timestamp"][order]
        visitor = rows["visitor"][order].astype(np.int64)
        return cls(Visits(visitor, time_ms // 1000, time_ms, rows["page"][order]), rows["device"][order])

    def between(self, oldest: int, newest: int) -> "SortedVisits":
        """The visits of the seconds from `oldest` to `newest`, both included."""
        second = self.visits.second
        if second.min(initial=oldest) >= oldest and second.max(initial=newest) <= newest:
            return self
        within = (second >= oldest) & (second <= newest)
        return SortedVisits(Visits(*(column[within] for column in self.visits)), self.device[within])

    def numbered(self, visitor: Ints) -> "SortedVisits":
        """The same visits under other numbers of their visitors."""
        return SortedVisits(self.visits._replace(visitor=visitor), self.device)

    def grouped(self) -> GroupedVisits:
        """The visits by audience and by device type."""
        return GroupedVisits(self.visits, self.device)


def _order(visitor: Ints, time_ms: Ints) -> Ints:
    """The places of events by visitor, then by time, then by place."""
    if not len(visitor):
        return visitor
    since_ms = time_ms - time_ms.min()
    place_bits = len(visitor).bit_length()
    time_bits = int(since_ms.max()).bit_length()
    if int(visitor.max()).bit_length() + time_bits + place_bits > 63:
        return np.lexsort((time_ms, visitor))
    # One packed number per event makes it a sort of plain integers.
    packed: Ints = (visitor << (time_bits + place_bits)) | (since_ms << place_bits) | np.arange(len(visitor))
    packed.sort()
    return packed & ((1 << place_bits) - 1)


NO_VISITS: Final = SortedVisits.of(np.empty(0, ROW)).grouped()


def since(visits: list[Visits], oldest: int) -> Iterator[tuple[int, Visits]]:
    """The rows that have visits from second `oldest` on, with those visits."""
    recent = ((row, own.since(oldest)) for row, own in enumerate(visits))
    return ((row, own) for row, own in recent if len(own.visitor))
