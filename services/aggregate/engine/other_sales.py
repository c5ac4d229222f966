"""Sums of the sales beyond the limit, by second and kind: they take no more memory when there are more of them.

`columns.sales.as_others` leaves few kinds: an audience, one of three currencies, and of each name whether it has one.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, run_starts
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.names import OTHER_CODE
from services.aggregate.columns.sales import NO_SALES, SALE
from services.aggregate.engine.ledger import FIGURES, NO_SUMS, Ledger, Sums, figures_of
from shared.events.time_units import MINUTE_SECONDS

_BOT_BIT: Final = len(REVENUE_DIMENSIONS)
_CURRENCY_BITS: Final = 16
_CURRENCY_SHIFT: Final = _BOT_BIT + 1
_SECOND_SHIFT: Final = _CURRENCY_SHIFT + _CURRENCY_BITS


class Amounts(NamedTuple):
    """Sales, or sums of sales of one second and kind: what they are, and a row of FIGURES for each."""

    sales: Array  # of SALE; only the figures have the value
    figures: Ints


class OtherSales:
    """The sums of each minute."""

    def __init__(self) -> None:
        self._minutes: dict[int, Ledger] = {}
        self.unsaved: set[int] = set()  # minutes that changed since they were last saved

    def add(self, others: Array) -> Amounts:
        """Add sales from `as_others`. Returns what they add."""
        figures = figures_of(others["value"], others["line"] > 0)
        keys = _keys_of(others)
        for minute, places in by_minute(others["second"]):
            self._minutes.setdefault(minute, Ledger()).add(Sums.of(keys[places], figures[places]))
            self.unsaved.add(minute)
        return Amounts(others, figures)

    @property
    def minutes(self) -> list[int]:
        """The minutes with sales."""
        return list(self._minutes)

    def minute(self, minute: int) -> Sums:
        """The sums of one minute, for `load`."""
        own = self._minutes.get(minute)
        return NO_SUMS if own is None else own.sums

    def amounts(self, minute: int) -> Amounts:
        """The same as sales."""
        keys, figures = self.minute(minute)
        return Amounts(_sales_of(keys), figures)

    def drop_before(self, minute: int) -> None:
        """Drop the minutes before this one."""
        self._minutes = {number: own for number, own in self._minutes.items() if number >= minute}
        self.unsaved = {number for number in self.unsaved if number >= minute}

    def load(self, minute: int, sums: Sums) -> Amounts:
        """Restore the sums of a minute, which count as saved. Returns what they add."""
        own = self._minutes[minute] = Ledger()
        own.add(sums)
        return self.amounts(minute)


def by_minute(seconds: Array) -> Iterator[tuple[int, Ints]]:
    """The minutes of seconds, and the places of each minute in order."""
    minute = seconds.astype(np.int64) // MINUTE_SECONDS
    order = np.argsort(minute, kind="stable")
    starts = run_starts(minute[order]).tolist()
    for start, end in zip(starts, [*starts[1:], len(minute)], strict=True):
        yield int(minute[order[start]]), order[start:end]


def _keys_of(others: Array) -> Ints:
    keys: Ints = others["second"].astype(np.int64) << _SECOND_SHIFT
    keys |= others["currency"].astype(np.int64) << _CURRENCY_SHIFT
    keys |= others["bot"].astype(np.int64) << _BOT_BIT
    for bit, dimension in enumerate(REVENUE_DIMENSIONS):
        keys |= (others[dimension.name] == OTHER_CODE).astype(np.int64) << bit
    return keys


def _sales_of(keys: Ints) -> Array:
    sales = np.zeros(len(keys), SALE)
    sales["second"] = keys >> _SECOND_SHIFT
    sales["currency"] = (keys >> _CURRENCY_SHIFT) & ((1 << _CURRENCY_BITS) - 1)
    sales["bot"] = (keys >> _BOT_BIT) & 1
    for bit, dimension in enumerate(REVENUE_DIMENSIONS):
        sales[dimension.name] = np.where((keys >> bit) & 1, OTHER_CODE, -1)
    return sales


NO_AMOUNTS: Final = Amounts(NO_SALES, np.empty((0, len(FIGURES)), np.int64))
