"""Revenue and orders: every sale is added once to each window that it is in, and subtracted when it leaves.

Sales are few, so each is kept for as long as a half hour shows it, and sums are kept only of what was sold. Beyond a
limit only sums are kept, from which totals are as exact.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools
from services.aggregate.columns.batch import NONE
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.sales import (
    MOST_SALES,
    NO_SALES,
    as_others,
    codes_of,
    currency_code,
    named_keys,
    numbers_of,
    sale_keys,
)
from services.aggregate.engine.ledger import Ledger, Sums, figures_of
from services.aggregate.engine.other_sales import NO_AMOUNTS, Amounts, OtherSales, by_minute
from shared.events.time_units import HALF_HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.commerce import DEFAULT_CURRENCY, REVENUE_WINDOWS
from shared.rollups.model import HALF_HOURS_SHOWN, MINUTES_SHOWN, WINDOW_SECONDS

BUCKETS: Final = {MINUTE_SECONDS: MINUTES_SHOWN, HALF_HOUR_SECONDS: HALF_HOURS_SHOWN}


class SalesWindow:
    """The sales of one partition, and their sums. Arrays of sales are never changed in place."""

    def __init__(self, now_s: int) -> None:
        self._now_s = now_s
        self._most = MOST_SALES
        self._reporting = currency_code(DEFAULT_CURRENCY)
        self._minutes: dict[int, list[Array]] = {}
        self._kept = 0  # sales of `_minutes`
        self._waiting = NO_SALES  # of events ahead of the clock
        self._waiting_others = NO_SALES
        self.other_sales = OtherSales()
        self.unsaved: set[int] = set()  # minutes that changed since they were last saved
        self.totals = {window: Ledger() for window in REVENUE_WINDOWS}
        """By window; the number of each key is 0."""
        self.others = {window: Ledger() for window in REVENUE_WINDOWS}
        """The same, of the sales beyond the limit."""
        self.by_name = {dimension.name: Ledger() for dimension in REVENUE_DIMENSIONS}
        """By dimension; for the keys see `named_keys`. All windows together, so that a reader sees what came first."""
        self.by_bucket = {seconds: Ledger() for seconds in BUCKETS}
        """By length in seconds; the number of each key counts the buckets since the epoch."""

    @property
    def oldest_minute(self) -> int:
        """The first minute whose sales are kept: that of the oldest half hour shown."""
        return (self._now_s // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS // MINUTE_SECONDS

    # --- the limit ---------------------------------------------------------------------------------------------------

    @property
    def kept(self) -> int:
        """The sales that are kept one by one."""
        return self._kept + len(self._waiting)

    def limit(self, most: int, currency: str) -> None:
        """Keep at most so many sales one by one. Of the others keep amounts in `currency` alone."""
        self._most, self._reporting = most, currency_code(currency)

    def divided(self, sales: Array) -> tuple[Array, Array]:
        """The first of new sales, up to the limit, and the others as `as_others`, each for `fold`."""
        is_kept = sales["second"] >= self.oldest_minute * MINUTE_SECONDS
        fits = ~is_kept | (np.cumsum(is_kept) <= self._most - self.kept)
        return sales[fits], as_others(sales[~fits], self._reporting)

    # --- the windows -------------------------------------------------------------------------------------------------

    def fold(self, sales: Array, others: Array) -> None:
        """Add sales, those to keep one by one, and the others. Those ahead of the clock wait for their second."""
        if not len(sales) and not len(others):
            return  # nearly always
        ahead = sales["second"] > self._now_s
        self._waiting = np.concatenate((self._waiting, sales[ahead]))
        due = self._shown(sales[~ahead])
        if len(due):
            self._keep(due)
            self._count(_amounts(due))
        if not len(others):
            return
        ahead = others["second"] > self._now_s
        self._waiting_others = np.concatenate((self._waiting_others, others[ahead]))
        due = self._shown(others[~ahead])
        if len(due):
            self._count(self.other_sales.add(due), are_others=True)

    def advance(self, now_s: int) -> None:
        """Move every window to end at `now_s`, which is later than before."""
        before_s, self._now_s = self._now_s, now_s
        for window in REVENUE_WINDOWS:
            seconds = WINDOW_SECONDS[window]
            own, others = self._between(before_s - seconds + 1, now_s - seconds)
            for ledger, sums in (*self._entries(window, own), *self._entries(window, others, are_others=True)):
                ledger.subtract(sums)
        for seconds, ledger in self.by_bucket.items():
            ledger.keep(numbers_of(ledger.sums.keys) >= self._first_bucket(seconds))
        oldest = self.oldest_minute
        for minute in [minute for minute in self._minutes if minute < oldest]:
            self._kept -= sum(map(len, self._minutes.pop(minute)))
        self.unsaved = {minute for minute in self.unsaved if minute >= oldest}
        self.other_sales.drop_before(oldest)
        if len(self._waiting) or len(self._waiting_others):
            waiting, self._waiting = self._waiting, NO_SALES
            waiting_others, self._waiting_others = self._waiting_others, NO_SALES
            self.fold(waiting, waiting_others)

    def mark_in_use(self, dimension: str, in_use: Bools) -> None:
        """Set `in_use` at each code of a dimension that a sum or a waiting sale has."""
        if dimension not in self.by_name:
            return
        in_use[codes_of(self.by_name[dimension].sums.keys)] = True
        waiting = self._waiting[dimension]
        in_use[waiting[waiting != NONE]] = True

    def _shown(self, sales: Array) -> Array:
        is_shown = sales["second"] >= self.oldest_minute * MINUTE_SECONDS
        return sales if is_shown.all() else sales[is_shown]

    def _keep(self, sales: Array) -> None:
        for minute, places in by_minute(sales["second"]):
            self._minutes.setdefault(minute, []).append(sales[places])
            self.unsaved.add(minute)
        self._kept += len(sales)

    def _count(self, amounts: Amounts, *, are_others: bool = False) -> None:
        sales, figures = amounts
        second = sales["second"].astype(np.int64)
        for window in REVENUE_WINDOWS:
            within = second > self._now_s - WINDOW_SECONDS[window]
            for ledger, sums in self._entries(window, Amounts(sales[within], figures[within]), are_others=are_others):
                ledger.add(sums)
        for seconds, ledger in self.by_bucket.items():
            bucket = second // seconds
            shown = bucket >= self._first_bucket(seconds)
            ledger.add(Sums.of(sale_keys(sales, bucket)[shown], figures[shown]))

    def _entries(self, window: str, amounts: Amounts, *, are_others: bool = False) -> Iterator[tuple[Ledger, Sums]]:
        """What is added to each ledger of a window, or subtracted."""
        sales, figures = amounts
        if not len(sales):
            return
        total = Sums.of(sale_keys(sales, 0), figures)
        yield self.totals[window], total
        if are_others:
            yield self.others[window], total
        place = REVENUE_WINDOWS.index(window)
        for dimension, ledger in self.by_name.items():
            code = sales[dimension].astype(np.int64)
            named = code != NONE
            yield ledger, Sums.of(named_keys(sales[named], code[named], place), figures[named])

    def _first_bucket(self, seconds: int) -> int:
        return self._now_s // seconds - BUCKETS[seconds] + 1

    def _between(self, first_second: int, last_second: int) -> tuple[Amounts, Amounts]:
        """The sales of the seconds from first to last, both included: those kept one by one, and the others."""
        first, last = first_second // MINUTE_SECONDS, last_second // MINUTE_SECONDS

        def within(of: Amounts) -> Amounts:
            second = of.sales["second"].astype(np.int64)
            which = (second >= first_second) & (second <= last_second)
            return Amounts(of.sales[which], of.figures[which])

        own = [within(_amounts(self.minute(minute))) for minute in self._minutes if first <= minute <= last]
        kinds = [
            within(self.other_sales.amounts(minute)) for minute in self.other_sales.minutes if first <= minute <= last
        ]
        return _joined(own), _joined(kinds)

    # --- saving ------------------------------------------------------------------------------------------------------
    def minute(self, minute: int) -> Array:
        """The sales of one minute that are kept one by one."""
        chunks = self._minutes.get(minute, [])
        if len(chunks) > 1:
            self._minutes[minute] = chunks = [np.concatenate(chunks)]
        return chunks[0] if chunks else NO_SALES

    def save(self) -> dict[str, Array]:
        """The sales that wait, for `load`. The minutes are saved on their own, and the sums are counted again."""
        return {"waiting": self._waiting, "waiting_others": self._waiting_others}

    def load(self, minutes: Mapping[int, Array], others: Mapping[int, Sums], saved: Mapping[str, Array]) -> None:
        """Restore the sales of minutes, those of `OtherSales`, and what `save` returned. These count as saved."""
        for sales in minutes.values():
            self.fold(sales, NO_SALES)
        for minute, sums in others.items():
            if minute >= self.oldest_minute:
                self._count(self.other_sales.load(minute, sums), are_others=True)
        self.unsaved.clear()
        self.fold(saved["waiting"], saved["waiting_others"])


def _amounts(sales: Array) -> Amounts:
    return Amounts(sales, figures_of(sales["value"], sales["line"] > 0))


def _joined(parts: Sequence[Amounts]) -> Amounts:
    sales, figures = zip(*[NO_AMOUNTS, *parts], strict=True)
    return Amounts(np.concatenate(sales), np.concatenate(figures))
