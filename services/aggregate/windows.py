"""The windows of one partition: a pure state that events are folded into and that moves with the time it is given.

Whatever the order, the batches and the interruptions, the state depends only on the events folded and on `now_s`.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from services.aggregate.arrays import RING_MASK, RING_SECONDS, Array, Ints, enter_seconds, grown
from services.aggregate.batch import Batch, Conservation, LatestEvent, Product
from services.aggregate.duplicates import SeenIds
from services.aggregate.latest import Latest
from services.aggregate.names import Names
from services.aggregate.popularity import HOUR_SECONDS, HourlyPopularity
from services.aggregate.visitors import DistinctByBucket, LastSeen
from shared.events import DEVICE_TYPES
from shared.rollup_keys import HALF_HOURS_SHOWN, MINUTES_SHOWN

MINUTE_SECONDS: Final = 60
HALF_HOUR_SECONDS: Final = 1800
_Name = TypeVar("_Name", bound=Hashable)


def oldest_second(now_s: int) -> int:
    """The first second of the oldest half hour that is kept; an event before it has left every window."""
    return (now_s // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Events ahead of the clock, a row each, and those of them that may become the latest."""

    rows: Sequence[Ints]  # second, visitor, device, product, country
    latest: tuple[LatestEvent, ...]


class Windows:
    """Everything that the rollups of one partition are read from. All windows end at `now_s`, epoch seconds."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s
        self.conservation = Conservation()
        self.newest_event_ms = 0
        self.visitors = Names[str]()
        self.products = Names[Product]()
        self.countries = Names[str]()
        self.titles: dict[str, str] = {}
        self.views = np.zeros((len(DEVICE_TYPES), RING_SECONDS), np.int32)  # events by device type and second
        self.last_seen = LastSeen()
        self.by_minute = DistinctByBucket(MINUTE_SECONDS, MINUTES_SHOWN)
        self.by_half_hour = DistinctByBucket(HALF_HOUR_SECONDS, HALF_HOURS_SHOWN)
        self.popularity = HourlyPopularity()
        self.latest = Latest()
        self.seen_ids = SeenIds()
        self._waiting: list[_Waiting] = []

    def fold(self, batch: Batch, conservation: Conservation) -> None:
        """Add a micro-batch and what became of the events that were read for it."""
        self.conservation.add(conservation)
        self.visitors.extend(batch.new_visitors)
        self.products.extend(batch.new_products)
        self.countries.extend(batch.new_countries)
        self.titles.update(batch.titles)
        self.seen_ids.extend(batch.digest, batch.digest_arrival_s)
        if len(batch):
            rows = (batch.second, batch.visitor, batch.device, batch.product, batch.country)
            self._admit(_Waiting(rows, batch.latest))

    def advance(self, now_s: int) -> None:
        """Move every window to end at `now_s`. A clock that goes back moves nothing."""
        if now_s <= self.now_s:
            return
        entered = self.now_s + 1
        self.now_s = now_s
        enter_seconds(self.views, entered, now_s)
        self.last_seen.enter(entered, now_s)
        self.by_minute.enter(entered, now_s)
        self.by_half_hour.enter(entered, now_s)
        self.popularity.expire(entered - HOUR_SECONDS, now_s - HOUR_SECONDS)
        waiting, self._waiting = self._waiting, []
        for events in waiting:
            self._admit(events)

    def _admit(self, events: _Waiting) -> None:
        """Count the events whose second has come; the others wait for theirs."""
        second = events.rows[0]
        ahead = second > self.now_s
        latest_ahead = tuple(event for event in events.latest if event.timestamp_ms // 1000 > self.now_s)
        if ahead.any() or latest_ahead:
            self._waiting.append(_Waiting([column[ahead] for column in events.rows], latest_ahead))
        current = ~ahead & (second >= oldest_second(self.now_s))
        second, visitor, device, product, country = (column[current] for column in events.rows)
        if len(second):
            np.add.at(self.views, (device, second & RING_MASK), 1)
            self.last_seen.fold(second, visitor, device, len(self.visitors), self.now_s)
            self.by_minute.fold(second, visitor, device, len(self.visitors), self.now_s)
            self.by_half_hour.fold(second, visitor, device, len(self.visitors), self.now_s)
            self.popularity.fold(second, device, product, country, self.now_s)
        latest = [event for event in events.latest if event.timestamp_ms // 1000 <= self.now_s]
        if latest:
            self.latest.fold(latest)
            self.newest_event_ms = max(self.newest_event_ms, self.latest.events[0].timestamp_ms)

    def compact(self) -> None:
        """Forget visitors and products that no window holds, once they are a quarter of all. Codes are renumbered."""
        _, waiting_visitor, _, waiting_product, _ = self._waiting_rows()
        seen = self.last_seen.seen_since(oldest_second(self.now_s), len(self.visitors))
        seen[waiting_visitor] = True
        if _worth_compacting(seen):
            self.visitors = _kept_names(self.visitors, seen)
            for windows in (self.last_seen, self.by_minute, self.by_half_hour):
                windows.keep(seen)
            self._renumber_waiting(1, seen)
        products = len(self.products)
        shown: Array = np.asarray(grown(self.popularity.products, products)[:, :products].any(axis=0))
        shown[waiting_product[waiting_product >= 0]] = True
        if _worth_compacting(shown):
            self.products = _kept_names(self.products, shown)
            self.popularity.keep_products(shown)
            self._renumber_waiting(3, shown)
            known = {product.product_id for product in self.products}
            self.titles = {product_id: title for product_id, title in self.titles.items() if product_id in known}

    def save_arrays(self) -> dict[str, Array]:
        """The numeric state by name, for `load_arrays`. The names, the latest and the counters are saved beside it."""
        parts: dict[str, Mapping[str, Array]] = {
            "last_seen": self.last_seen.save(),
            "by_minute": self.by_minute.save(),
            "by_half_hour": self.by_half_hour.save(),
            "popularity": self.popularity.save(),
            "seen_ids": self.seen_ids.save(),
            "windows": {"views": self.views, "waiting": self._waiting_rows()},
        }
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def load_arrays(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save_arrays` gave."""

        def part(name: str) -> dict[str, Array]:
            return {key.removeprefix(f"{name}."): array for key, array in saved.items() if key.startswith(f"{name}.")}

        self.last_seen.load(part("last_seen"))
        self.by_minute.load(part("by_minute"))
        self.by_half_hour.load(part("by_half_hour"))
        self.popularity.load(part("popularity"))
        self.seen_ids.load(part("seen_ids"))
        self.views = saved["windows.views"]
        self._waiting = [_Waiting(list(saved["windows.waiting"]), ())]

    def waiting_latest(self) -> list[LatestEvent]:
        """The events that wait and may become the latest, for the checkpoint."""
        return [event for events in self._waiting for event in events.latest]

    def wait_latest(self, latest: list[LatestEvent]) -> None:
        """Take over what `waiting_latest` gave."""
        self._waiting.append(_Waiting(list(np.empty((5, 0), np.int64)), tuple(latest)))

    def _waiting_rows(self) -> Ints:
        if not self._waiting:
            return np.empty((5, 0), np.int64)
        return np.array(
            [np.concatenate(columns) for columns in zip(*(events.rows for events in self._waiting), strict=True)]
        )

    def _renumber_waiting(self, column: int, kept: Array) -> None:
        renumbered = np.append(np.cumsum(kept) - 1, -1)  # code -1, no product, stays what it is
        for events in self._waiting:
            events.rows[column][:] = renumbered[events.rows[column]]


def _kept_names(names: Names[_Name], kept: Array) -> Names[_Name]:
    return Names(itertools.compress(names, kept.tolist()))


def _worth_compacting(kept: Array) -> bool:
    return bool(np.count_nonzero(kept) * 4 <= len(kept) * 3) and len(kept) > 0
