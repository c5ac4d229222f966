"""Finds the sales of a micro-batch. An order that a visitor sends again within an hour of arrival counts once.

What counts depends on the log alone, append times included, so a replay finds the same sales.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import UNSET

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.batch import is_bot
from services.aggregate.columns.digester import Digester
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.sales import NO_CURRENCY_CODE, NOTHING_SOLD, SALE, Sold, currency_code
from services.aggregate.encoding.duplicates import SeenIds
from shared.events.amounts import ORDER_LINE, REFUND_LINE, currency_of, millionths_of

_LINE_TYPES: Final = (ORDER_LINE, REFUND_LINE)  # no set: a stranger's type may be a list
_value_of: Final = attrgetter("value")
_millionths: Final = lru_cache(maxsize=16_384)(millionths_of)  # most amounts are prices


@lru_cache(maxsize=1024)
def _currency_code(currency: str) -> int:
    return currency_code(currency_of(currency))


class _Offered(NamedTuple):
    place: int  # among the events of the batch
    value: int  # millionths
    currency: int
    order: str | None
    is_line: bool


class SaleBuilder:
    """Collects the events of one micro-batch that carry a value."""

    def __init__(self) -> None:
        self._offered: list[_Offered] = []

    def add(self, events: Sequence[Any], first_place: int) -> None:
        """Add events, which have the places from `first_place` on. A value that is no amount is ignored."""
        values = list(map(_value_of, events))
        if values.count(UNSET) == len(values):
            return  # nearly always
        for place in [place for place, value in enumerate(values) if value is not UNSET]:
            value, event = values[place], events[place]
            millionths = _millionths(value) if isinstance(value, str) else None
            if millionths is not None:
                currency, order = event.currency, event.orderId
                code = _currency_code(currency) if isinstance(currency, str) and currency else NO_CURRENCY_CODE
                order = order if isinstance(order, str) and order else None
                self._offered.append(
                    _Offered(first_place + place, millionths, code, order, event.eventType in _LINE_TYPES)
                )

    def build(
        self,
        rows: Array,
        counted: Bools,
        visitors: Digests,
        arrival_s: Ints,
        seen: SeenIds,
        digester: Digester,
        divided: Callable[[Array], tuple[Array, Array]],
    ) -> Sold:
        """The sales among the counted events, whose rows these are. The other columns are of all events.

        `divided` is that of `SalesWindow`. The block has its answer, so a restart repeats it.
        """
        offered = [sale for sale in self._offered if counted[sale.place]]
        if not offered:
            return NOTHING_SOLD
        places = np.array([sale.place for sale in offered], np.int64)
        is_first = np.ones(len(offered), np.bool_)
        with_order = np.flatnonzero([sale.order is not None for sale in offered])
        at = places[with_order]
        hashes = digester.hashes(_identity(offered[number]) for number in with_order.tolist())
        orders = digester.digests_within(visitors[at], hashes)
        is_first[with_order] = accepted = seen.accept(orders, arrival_s[at])
        own = [sale for sale, first in zip(offered, is_first.tolist(), strict=True) if first]
        sold = rows[(np.cumsum(counted) - 1)[places[is_first]]]
        sales = np.zeros(len(own), SALE)
        sales["value"] = [sale.value for sale in own]
        sales["currency"] = [sale.currency for sale in own]
        sales["second"] = sold["timestamp"] // 1000
        sales["bot"] = is_bot(sold)
        sales["line"] = [sale.is_line for sale in own]
        for dimension in REVENUE_DIMENSIONS:
            sales[dimension.name] = sold[dimension.name]
        return Sold(*divided(sales), orders[accepted], arrival_s[at][accepted])


def _identity(sale: _Offered) -> str:
    """What may not repeat: an order, or a refund of an order by this amount."""
    return f"+{sale.order}" if sale.value >= 0 else f"{sale.value}:{sale.order}"
