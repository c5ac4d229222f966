"""A micro-batch of counted events as columns: what is folded now, and stored to be folded again after a crash."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.dictionaries import NewNames
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import DIMENSIONS, OPEN_DIMENSIONS
from services.aggregate.columns.sales import NOTHING_SOLD, Sold
from shared.events.schema import DEVICE_TYPES

NONE: Final = -1
BOT_DEVICE: Final = DEVICE_TYPES.index("Bot")
NO_DIGESTS: Final = np.empty((0, 2), np.uint64)

ROW: Final = np.dtype(
    [
        ("timestamp", np.int64),  # epoch ms
        ("visitor", np.uint32),
        *((dimension.name, np.int32) for dimension in OPEN_DIMENSIONS),  # code of the partition's names, or NONE
        ("goals", np.uint32),  # a bit for each goal that the event reaches, see `columns.goals`
        ("age", np.int16),  # years; NONE: unknown
        *((dimension.name, np.uint8) for dimension in DIMENSIONS if not dimension.is_open),  # place in its values
    ],
    align=True,  # numpy is several times slower on columns that are not aligned
)
"""A counted event."""


class LatestEvent(NamedTuple):
    """An event, ordered by event time and then by arrival. Compare with `<` only within a partition."""

    timestamp_ms: int
    arrival_ms: int
    offset: int
    visitor: str  # userId
    value: bytes  # undecoded, because few candidates are shown

    @property
    def second(self) -> int:
        """The epoch second of the event."""
        return self.timestamp_ms // 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """Counted events of one partition in log order, as `rows` of ROW, and everything that is new with them."""

    rows: Array
    names: NewNames = field(default_factory=dict)
    new_visitors: Digests = field(default_factory=NO_DIGESTS.copy)  # with their codes:
    new_visitor_codes: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    event_ids: Digests = field(default_factory=NO_DIGESTS.copy)  # within their visitor; with their arrival:
    event_id_arrival_s: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    sold: Sold = NOTHING_SOLD
    latest_arrival_s: int = 0  # see `SeenIds`
    latest: tuple[LatestEvent, ...] = ()  # the events that may be among the latest events or visitors

    def __len__(self) -> int:
        return len(self.rows)


def seconds_of(rows: Array) -> Ints:
    """The epoch second of each row."""
    seconds: Ints = rows["timestamp"] // 1000
    return seconds


def is_bot(rows: Array) -> Bools:
    """Which rows belong to the bot audience; the others belong to the human one."""
    bots: Bools = rows["device"] == BOT_DEVICE
    return bots


@dataclass(slots=True)
class EventCounts:
    """The outcome of every event that was read: `read` is the sum of all others."""

    counted: int = 0
    late: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    other_site: int = 0
    """Of another site than SITE, of none, or of nobody knows which; 0 without SITE."""

    @property
    def read(self) -> int:
        """Events read from the log."""
        return self.counted + self.late + self.duplicates + self.dead_letters + self.other_site

    def add(self, other: "EventCounts") -> None:
        """Add another's events."""
        self.counted += other.counted
        self.late += other.late
        self.duplicates += other.duplicates
        self.dead_letters += other.dead_letters
        self.other_site += other.other_site
