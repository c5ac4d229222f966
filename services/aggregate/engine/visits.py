"""The events of a batch as visits, by row of the windows: who came and when, sorted, so that runs can be read off."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.batch import BOT_DEVICE
from shared.events.schema import DEVICE_TYPES
from shared.rollups.model import AUDIENCES

_DEVICE_BITS: Final = 3
_SECOND_BITS: Final = 33
assert len(DEVICE_TYPES) <= 1 << _DEVICE_BITS

AUDIENCE_ROW: Final = {audience: row for row, audience in enumerate(AUDIENCES)}


class Visits(NamedTuple):
    """Who came when, sorted by visitor and then by second. Visitors are numbers, seconds are epoch seconds."""

    visitor: Ints
    second: Ints

    def since(self, oldest: int) -> "Visits":
        """Those that are not before a second."""
        if self.second.min(initial=oldest) >= oldest:
            return self
        within = self.second >= oldest
        return Visits(self.visitor[within], self.second[within])


class BatchVisits(NamedTuple):
    """The visits of a batch, those of each audience (in the order of AUDIENCES) and of each device type."""

    by_audience: list[Visits]
    by_device: list[Visits]  # in the order of DEVICE_TYPES


def visits_of(visitor: Ints, second: Ints, device: Array) -> BatchVisits:
    """Sort the events of a batch into visits. Three numbers in one make it a sort of plain integers."""
    packed = (visitor << (_SECOND_BITS + _DEVICE_BITS)) | (second << _DEVICE_BITS) | device
    packed.sort()
    device = packed & ((1 << _DEVICE_BITS) - 1)
    everyone = Visits(packed >> (_SECOND_BITS + _DEVICE_BITS), (packed >> _DEVICE_BITS) & ((1 << _SECOND_BITS) - 1))

    def only(which: Array) -> Visits:
        return Visits(everyone.visitor[which], everyone.second[which])

    by_device = [only(device == code) for code in range(len(DEVICE_TYPES))]
    bots = by_device[BOT_DEVICE]
    humans = only(device != BOT_DEVICE) if len(bots.visitor) else everyone
    own = {"human": humans, "bot": bots, "all": everyone}
    return BatchVisits([own[audience] for audience in AUDIENCES], by_device)


def since(visits: list[Visits], oldest: int) -> Iterator[tuple[int, Visits]]:
    """The rows that have visits that are not before a second, and those visits."""
    recent = ((row, own.since(oldest)) for row, own in enumerate(visits))
    return ((row, own) for row, own in recent if len(own.visitor))
