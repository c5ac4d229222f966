"""A micro-batch of counted events as columns: what is folded, and what the store keeps to fold it again."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.digests import Digests
from shared.events.schema import DEVICE_TYPES

DEVICE_CODES: Final = {device: code for code, device in enumerate(DEVICE_TYPES)}
OTHER_DEVICE: Final = DEVICE_CODES["Other"]
BOT_DEVICE: Final = DEVICE_CODES["Bot"]

ROW: Final = np.dtype(
    [
        ("timestamp", np.int64),  # epoch ms
        ("visitor", np.uint32),
        ("product", np.int32),  # NONE: the page shows no product
        ("page", np.int32),  # NONE: the event has no URL
        ("country", np.int32),
        ("event_type", np.int32),
        ("age", np.int16),  # years; NONE: unknown
        ("device", np.uint8),  # place in DEVICE_TYPES
        ("gender", np.uint8),  # place in GENDERS
    ]
)
"""A counted event, 32 bytes. Codes are those of the partition's names."""

NONE: Final = -1
NO_DIGESTS: Final = np.empty((0, 2), np.uint64)


class Product(NamedTuple):
    """A product as it was seen in events: one whose category or title changes is two of these."""

    product_id: str
    category: str
    title: str


class LatestEvent(NamedTuple):
    """An event in the order of the latest: by event time, ties by arrival. Compare with `<` only within a partition."""

    timestamp_ms: int
    arrival_ms: int
    offset: int
    visitor: bytes  # digest of the userId
    value: bytes  # the event as it is in the log: few of those that are candidates are ever shown


@dataclass(frozen=True, slots=True)
class NewNames:
    """The names that a batch added to those of its partition, in order."""

    products: tuple[Product, ...] = ()
    pages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Counted events of one partition in log order, as `rows` of ROW, and what is new with them."""

    rows: Array
    names: NewNames = field(default_factory=NewNames)
    new_visitors: Digests = field(default_factory=NO_DIGESTS.copy)  # and their codes:
    new_visitor_codes: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    event_ids: Digests = field(default_factory=NO_DIGESTS.copy)  # of the events that have one, and their arrival:
    event_id_arrival_s: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    latest_arrival_s: int = 0  # see `SeenIds`
    latest: tuple[LatestEvent, ...] = ()  # the events that may be among the latest events or visitors

    def __len__(self) -> int:
        return len(self.rows)


def seconds_of(rows: Array) -> Ints:
    """The epoch second of each row."""
    seconds: Ints = rows["timestamp"] // 1000
    return seconds


def is_bot(rows: Array) -> Bools:
    """Which rows are of the bot audience; the others are of the human one."""
    bots: Bools = rows["device"] == BOT_DEVICE
    return bots


@dataclass(slots=True)
class Conservation:
    """What became of every event that was read: `read = counted + late + duplicates + dead_letters`."""

    counted: int = 0
    late: int = 0
    duplicates: int = 0
    dead_letters: int = 0

    @property
    def read(self) -> int:
        """Events read from the log."""
        return self.counted + self.late + self.duplicates + self.dead_letters

    def add(self, other: "Conservation") -> None:
        """Count the other's events too."""
        self.counted += other.counted
        self.late += other.late
        self.duplicates += other.duplicates
        self.dead_letters += other.dead_letters
