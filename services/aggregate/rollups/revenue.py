"""Revenue as it is published: by audience, in the reporting currency, ranked and cut. Pure."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Bools, Ints
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.sales import (
    NO_CURRENCY_CODE,
    OTHER_CURRENCY_CODE,
    bots_of,
    currencies_of,
    currency_code,
    currency_text,
    numbers_of,
)
from services.aggregate.engine.ledger import ORDERS, REFUNDS, Sums, amounts_of, sales_of
from services.aggregate.rollups.sales_figures import SalesFigures
from services.aggregate.rollups.sold_names import SoldIndex
from shared.events.amounts import amount_text
from shared.events.time_units import HALF_HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.commerce import CURRENCIES_SHOWN, OTHER_CURRENCIES, REVENUE_WINDOWS, Revenue, Sales
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.model import HALF_HOURS_SHOWN, MINUTES_SHOWN, Audience

_DIGITS: Final = 60  # more than any sum has


class _Total(NamedTuple):
    sold: int = 0  # millionths
    refunded: int = 0
    orders: int = 0
    refunds: int = 0


_ByCurrency = Mapping[int, _Total]


class RevenueRollup:
    """The attributes of `AudienceRollup` about revenue. What audiences share is prepared once."""

    def __init__(self, figures: SalesFigures, now_s: int, sold: SoldIndex) -> None:
        """`sold` adds up what names sold, in the reporting currency; it may remember former figures."""
        self._figures = figures
        self._currency = sold.currency
        self._code = currency_code(sold.currency)
        self._now_s = now_s
        self._sold = sold
        sold.update(figures.by_name)

    def of(self, audience: Audience) -> dict[str, Any]:
        """The attributes of one audience."""
        totals = {window: _by_currency(sums, audience, self._code) for window, sums in self._figures.totals.items()}
        return {
            "revenue": _revenue(self._currency, self._code, totals),
            "other_currencies": self._others(totals),
            "revenue_as_other": {window: _sales(sums, audience) for window, sums in self._figures.others.items()},
            "revenue_1m": self._series(audience, MINUTE_SECONDS, MINUTES_SHOWN),
            "revenue_30m": self._series(audience, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN),
            **{
                f"{shown.revenue}_{window}": self._ranked(dimension.name, shown.revenue, window, audience)
                for dimension in REVENUE_DIMENSIONS
                for shown in dimension.shown
                if shown.revenue
                for window in REVENUE_WINDOWS
            },
        }

    def _ranked(self, dimension: str, revenue: str, window: str, audience: Audience) -> dict[str, Sales]:
        most = AUDIENCE_ROWS[f"{revenue}_{window}"].limit or 0
        sold = self._sold.of(dimension).greatest(revenue, window, audience, most)
        return {text: Sales(_amount(millionths), orders) for text, millionths, orders in sold}

    def _is_reported(self, keys: Ints) -> Bools:
        currency = currencies_of(keys)
        reported: Bools = (currency == NO_CURRENCY_CODE) | (currency == self._code)
        return reported

    def _series(self, audience: Audience, seconds: int, shown: int) -> dict[int, Decimal]:
        sums = self._figures.by_bucket[seconds]
        sums = sums.only(self._is_reported(sums.keys) & _is_of(audience, sums.keys))
        sums = Sums.of(numbers_of(sums.keys), sums.figures)
        own = dict(zip(sums.keys.tolist(), amounts_of(sums.figures), strict=True))
        last = self._now_s // seconds
        return {
            bucket * seconds * 1000: _amount(sold - refunded)
            for bucket in range(last - shown + 1, last + 1)
            for sold, refunded in [own.get(bucket, (0, 0))]
        }

    def _others(self, totals: Mapping[str, _ByCurrency]) -> dict[str, Revenue]:
        """The other currencies, those with most orders first, and the rest of them as one without amounts."""
        longest = totals[REVENUE_WINDOWS[-1]]
        unknown = {self._code, OTHER_CURRENCY_CODE}
        codes = sorted(
            (code for code in longest if code not in unknown), key=lambda code: (-longest[code].orders, code)
        )
        shown = {
            text: _revenue(text, code, totals) for code in codes[:CURRENCIES_SHOWN] for text in [currency_text(code)]
        }
        others = [*codes[CURRENCIES_SHOWN:], OTHER_CURRENCY_CODE]
        rest = [(window, own[code]) for window, own in totals.items() for code in others if code in own]
        if rest:
            counts: dict[str, Any] = {}
            for window in totals:
                counts[f"orders_{window}"] = sum(total.orders for own, total in rest if own == window)
                counts[f"refunds_{window}"] = sum(total.refunds for own, total in rest if own == window)
            shown[OTHER_CURRENCIES] = Revenue(currency=OTHER_CURRENCIES, **counts)
        return shown


def _is_of(audience: Audience, keys: Ints) -> Bools:
    bots = bots_of(keys)
    own: Bools = np.ones(len(keys), np.bool_) if audience == "all" else bots == (audience == "bot")
    return own


def _sales(sums: Sums, audience: Audience) -> int:
    return int(sales_of(sums.figures[_is_of(audience, sums.keys)]).sum())


def _by_currency(sums: Sums, audience: Audience, reporting: int) -> _ByCurrency:
    """The total of each currency; amounts without one are in the reporting currency."""
    own = sums.only(_is_of(audience, sums.keys))
    codes = currencies_of(own.keys)
    totals = Sums.of(np.where(codes == NO_CURRENCY_CODE, reporting, codes), own.figures)
    counts = totals.figures[:, [ORDERS, REFUNDS]].tolist()
    return {
        code: _Total(*amounts, *count)
        for code, amounts, count in zip(totals.keys.tolist(), amounts_of(totals.figures), counts, strict=True)
    }


def _revenue(currency: str, code: int, totals: Mapping[str, _ByCurrency]) -> Revenue:
    figures: dict[str, Any] = {}
    for window, own in totals.items():
        total = own.get(code, _Total())
        figures |= {
            f"revenue_{window}": _amount(total.sold - total.refunded),
            f"orders_{window}": total.orders,
            f"average_order_{window}": _average(total.sold, total.orders),
            f"refunds_{window}": total.refunds,
            f"refunded_{window}": _amount(total.refunded),
        }
    return Revenue(currency=currency, **figures)


def _average(millionths: int, orders: int) -> Decimal:
    if not orders:
        return Decimal(0)
    with localcontext(prec=_DIGITS):
        return _amount(int((Decimal(millionths) / orders).to_integral_value()))


@lru_cache(maxsize=16_384)  # most amounts are those of the second before
def _amount(millionths: int) -> Decimal:
    return Decimal(amount_text(millionths))
