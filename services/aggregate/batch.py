"""A micro-batch of counted events as columns: what is folded, and what the store keeps to fold it again."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.arrays import Ints
from shared.events import DEVICE_TYPES, EnrichedEvent

DEVICE_CODES: Final = {device: code for code, device in enumerate(DEVICE_TYPES)}
OTHER_DEVICE: Final = DEVICE_CODES["Other"]
BOT_DEVICE: Final = DEVICE_CODES["Bot"]


class Product(NamedTuple):
    """A product as it was seen in events: a product whose category changes is two of these."""

    product_id: str
    category: str


class LatestEvent(NamedTuple):
    """An event in the order of the latest: by event time, ties by arrival. Compare with `<` only within a partition."""

    timestamp_ms: int
    arrival_ms: int
    offset: int
    event: EnrichedEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """Counted events of one partition in log order, a row each; codes are those of the partition's `Names`."""

    second: Ints  # epoch seconds of the event
    visitor: Ints
    device: Ints
    product: Ints  # -1: the page shows no product
    country: Ints
    digest: bytes = b""  # 16 bytes for each event with an eventId
    digest_arrival_s: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    latest: tuple[LatestEvent, ...] = ()  # the rows that may be among the latest events or visitors
    new_visitors: tuple[str, ...] = ()
    new_products: tuple[Product, ...] = ()
    new_countries: tuple[str, ...] = ()
    titles: tuple[tuple[str, str], ...] = ()  # productId → title, where it is new or changed

    def __len__(self) -> int:
        return len(self.second)


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
