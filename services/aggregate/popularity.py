"""Events of the trailing hour by product and country: each event is added once, and taken off once, by its second."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from services.aggregate.arrays import Array, Ints, grown
from services.aggregate.batch import BOT_DEVICE

HOUR_SECONDS: Final = 3600
HUMAN: Final = 0
BOT: Final = 1

# An event of the hour in 64 bits: product + 1 above, then 20 bits of country, then whether it is a bot's.
_COUNTRY_BITS: Final = 20
_PRODUCT_SHIFT: Final = _COUNTRY_BITS + 1
_COUNTRY_MASK: Final = (1 << _COUNTRY_BITS) - 1


class HourlyPopularity:
    """Counts of the trailing hour; row HUMAN and row BOT, a column a code."""

    def __init__(self) -> None:
        self.products = np.zeros((2, 0), np.int64)
        self.countries = np.zeros((2, 0), np.int64)
        self._events: dict[int, bytearray] = {}  # second → its events, packed

    def fold(self, second: Ints, device: Ints, product: Ints, country: Ints, now_s: int) -> None:
        """Add events none of which is after `now_s`; those before the trailing hour change nothing."""
        within = second > now_s - HOUR_SECONDS
        second, product, country = second[within], product[within], country[within]
        if not len(second):
            return
        bot = (device[within] == BOT_DEVICE).astype(np.int64)
        packed = ((product + 1) << _PRODUCT_SHIFT) | (country << 1) | bot
        self._count(packed, 1)
        order = np.argsort(second, kind="stable")
        seconds, starts = np.unique(second[order], return_index=True)
        for moment, events in zip(seconds.tolist(), np.split(packed[order], starts[1:]), strict=True):
            self._events.setdefault(moment, bytearray()).extend(events.tobytes())

    def expire(self, first_second: int, last_second: int) -> None:
        """Take off the events of the seconds from first to last, both included."""
        leaving: Iterable[int] = range(first_second, last_second + 1)
        if last_second - first_second > len(self._events):
            leaving = [second for second in self._events if first_second <= second <= last_second]
        gone = [self._events.pop(second) for second in leaving if second in self._events]
        if gone:
            self._count(np.frombuffer(b"".join(gone), np.int64), -1)

    def _count(self, packed: Ints, by: int) -> None:
        bot, country, product = packed & 1, (packed >> 1) & _COUNTRY_MASK, (packed >> _PRODUCT_SHIFT) - 1
        self.countries = grown(self.countries, int(country.max()) + 1)
        np.add.at(self.countries, (bot, country), by)
        shows = product >= 0
        if shows.any():
            self.products = grown(self.products, int(product.max()) + 1)
            np.add.at(self.products, (bot[shows], product[shows]), by)

    def keep_products(self, kept: Array) -> None:
        """Renumber to the products for which `kept` is true. They must include all that have events in the hour."""
        renumbered = np.cumsum(kept) - 1
        self.products = grown(self.products, len(kept))[:, : len(kept)][:, kept]
        for second, buffer in self._events.items():
            packed = np.frombuffer(buffer, np.int64)
            product = (packed >> _PRODUCT_SHIFT) - 1
            product = np.where(product >= 0, renumbered[product], -1)
            packed = ((product + 1) << _PRODUCT_SHIFT) | (packed & ((1 << _PRODUCT_SHIFT) - 1))
            self._events[second] = bytearray(packed.tobytes())

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        seconds = sorted(self._events)
        return {
            "seconds": np.array(seconds, np.int64),
            "sizes": np.array([len(self._events[second]) for second in seconds], np.int64),
            "events": np.frombuffer(b"".join(self._events[second] for second in seconds), np.int64),
        }

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        events = saved["events"]
        buffer, start = events.tobytes(), 0
        for second, size in zip(saved["seconds"].tolist(), saved["sizes"].tolist(), strict=True):
            self._events[second] = bytearray(buffer[start : start + size])
            start += size
        if len(events):
            self._count(events, 1)
