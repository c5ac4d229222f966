"""The events of a batch as visits: who was seen when, grouped by visitor and ordered by second."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.batch import BOT_DEVICE
from shared.events.schema import DEVICE_TYPES
from shared.rollups.model import AUDIENCES

_DEVICE_BITS: Final = 3
_SECOND_BITS: Final = 33
assert len(DEVICE_TYPES) <= 1 << _DEVICE_BITS


class Visits(NamedTuple):
    """Who was seen when. A visitor's visits are adjacent and ordered by second.

    Visitors are numbers, seconds are epoch seconds.
    """

    visitor: Ints
    second: Ints

    def since(self, oldest: int) -> "Visits":
        """The visits from second `oldest` on."""
        if self.second.min(initial=oldest) >= oldest:
            return self
        within = self.second >= oldest
        return Visits(self.visitor[within], self.second[within])


class GroupedVisits(NamedTuple):
    """The visits of each audience and of each device type, in the order of AUDIENCES and DEVICE_TYPES."""

    by_audience: list[Visits]
    by_device: list[Visits]
    capacity: int
    """Above every visitor number among them."""


NO_VISITS: Final = GroupedVisits([], [], 0)


class SortedVisits(NamedTuple):
    """All visits of a batch, grouped by visitor and ordered by second, with the device type of each."""

    visitor: Ints
    second: Ints
    device: Array

    @classmethod
    def of(cls, visitor: Ints, second: Ints, device: Array) -> Self:
        """Sort events. One packed number per event makes it a sort of plain integers."""
        packed = (visitor << (_SECOND_BITS + _DEVICE_BITS)) | (second << _DEVICE_BITS) | device
        packed.sort()
        return cls(
            packed >> (_SECOND_BITS + _DEVICE_BITS),
            (packed >> _DEVICE_BITS) & ((1 << _SECOND_BITS) - 1),
            packed & ((1 << _DEVICE_BITS) - 1),
        )

    def between(self, oldest: int, newest: int) -> "SortedVisits":
        """The visits of the seconds from `oldest` to `newest`, both included."""
        if self.second.min(initial=oldest) >= oldest and self.second.max(initial=newest) <= newest:
            return self
        within = (self.second >= oldest) & (self.second <= newest)
        return SortedVisits(self.visitor[within], self.second[within], self.device[within])

    def numbered(self, visitor: Ints) -> "SortedVisits":
        """The same visits under other numbers of their visitors."""
        return SortedVisits(visitor, self.second, self.device)

    def grouped(self) -> GroupedVisits:
        """The visits by audience and by device type."""
        everyone = Visits(self.visitor, self.second)
        by_device = [self._only(self.device == code) for code in range(len(DEVICE_TYPES))]
        bots = by_device[BOT_DEVICE]
        humans = self._only(self.device != BOT_DEVICE) if len(bots.visitor) else everyone
        own = {"human": humans, "bot": bots, "all": everyone}
        by_audience = [own[audience] for audience in AUDIENCES]
        return GroupedVisits(by_audience, by_device, int(self.visitor.max(initial=-1)) + 1)

    def _only(self, which: Array) -> Visits:
        return Visits(self.visitor[which], self.second[which])


def since(visits: list[Visits], oldest: int) -> Iterator[tuple[int, Visits]]:
    """The rows that have visits from second `oldest` on, with those visits."""
    recent = ((row, own.since(oldest)) for row, own in enumerate(visits))
    return ((row, own) for row, own in recent if len(own.visitor))
