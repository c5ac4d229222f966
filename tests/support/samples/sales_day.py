"""A day of sales as the dashboard reads it from history, at noon of the sample rollup."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from services.dashboard.sources.history.sales import Earlier, Hour, Leading, SalesDay, Sums
from shared.events.time_units import DAY_MS, HOUR_MS
from tests.support.samples.rollup import NOON_MS

MIDNIGHT_MS: Final = NOON_MS - NOON_MS % DAY_MS


def sums(revenue: str, profit: str, orders: int = 1, **others: Any) -> Sums:
    """Sums with these amounts."""
    return Sums(revenue=Decimal(revenue), profit=Decimal(profit), orders=orders, **others)


def hours(*amounts: tuple[str, str], starts_ms: int = MIDNIGHT_MS) -> list[Hour]:
    """An hour with each revenue and profit."""
    return [
        Hour(starts_ms + number * HOUR_MS, starts_ms + (number + 1) * HOUR_MS, sums(revenue, profit))
        for number, (revenue, profit) in enumerate(amounts)
    ]


def sales_day(**others: Any) -> SalesDay:
    """Orders for €120.50 in two hours, and a refund of €20.00."""
    day = SalesDay(
        starts_ms=MIDNIGHT_MS,
        ends_ms=MIDNIGHT_MS + DAY_MS,
        as_of_ms=NOON_MS,
        since_ms=MIDNIGHT_MS - 30 * DAY_MS,
        currency="EUR",
        total=sums("100.50", "40.20", 3, refunds=1, refunded=Decimal("20.00"), quantity=6),
        hours=hours(("60.50", "30.10"), ("40", "10.10")),
        yesterday=Earlier(
            MIDNIGHT_MS - DAY_MS,
            sums("80.40", "50.25", 2),
            hours(("70", "5"), ("-3", "-4"), starts_ms=MIDNIGHT_MS - DAY_MS),
        ),
        last_week=Earlier(MIDNIGHT_MS - 7 * DAY_MS, sums("0", "0", 0), []),
        categories=Leading([("Books", sums("70", "30", 2))], 0),
        platforms=Leading([("web", sums("100.50", "40.20", 3))], 0),
        by_revenue=Leading([("P1", sums("70", "30", 2)), ("P2", sums("30.50", "10.20"))], 0),
        by_profit=Leading([("P1", sums("70", "30", 2))], 1),
        by_refunded=Leading(
            [("P2", sums("30.50", "10.20", refunds=2, refunded=Decimal("15.00"))), ("P1", sums("70", "30", 2))], 0
        ),
        currencies=[("USD", sums("9.99", "9.99", without_cost=1))],
    )
    return replace(day, **others)
