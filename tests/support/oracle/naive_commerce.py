"""The oracle's goals and revenue: from scratch, in plain Python, with Decimal."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any
from urllib.parse import urlsplit

from shared.events.schema import EnrichedEvent

WINDOWS = {"5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "8h": 28800}
CURRENCY = "EUR"
OTHER = "(other)"
NameOf = Callable[[EnrichedEvent], str | None]
Goals = Mapping[str, Callable[[EnrichedEvent], bool]]


@dataclass(frozen=True)
class Sale:
    """An order, or a refund when its amount is negative."""

    event: EnrichedEvent
    amount: Decimal
    is_other: bool = False
    """It came beyond MAX_SALES: its names and its currency, unless that is CURRENCY, count as OTHER."""

    @property
    def currency(self) -> str:
        currency = self.event.currency if isinstance(self.event.currency, str) and self.event.currency else CURRENCY
        return OTHER if self.is_other and currency != CURRENCY else currency

    @property
    def is_line(self) -> bool:
        """Whether another event stands for its order or refund."""
        return self.event.eventType in ("purchase_line", "refund_line")

    def named(self, name: str | None) -> str | None:
        return OTHER if self.is_other and name is not None else name


def category_of(event: EnrichedEvent) -> str | None:
    return None if event.productId is None else event.category or "Unknown"


def of_type(event_type: str) -> Callable[[EnrichedEvent], bool]:
    return lambda event: (event.eventType if isinstance(event.eventType, str) else "page_view") == event_type


def on_page(pattern: str) -> Callable[[EnrichedEvent], bool]:
    page = re.compile(re.escape(pattern).replace(r"\*", ".*"), re.DOTALL)
    return lambda event: isinstance(event.url, str) and page.fullmatch(urlsplit(event.url).path) is not None


def sales_of(counted: Iterable[Any], most: int | None = None) -> list[Sale]:
    """The sales among the counted events of a log, in its order. Each order counts once in an hour of arrival.

    The first `most` of those that a half hour shows when one arrives are kept, if each is read when it arrives.
    """
    sales: list[Sale] = []
    first_arrival: dict[Any, int] = {}
    for arrived in counted:
        event, arrival_s = arrived.event, arrived.arrival_ms // 1000
        if not isinstance(event.value, str):
            continue
        amount = Decimal(event.value)
        if isinstance(event.orderId, str):
            key = arrived.partition, event.userId, event.orderId, min(amount, 0)  # of refunds one for each amount
            if key in first_arrival and arrival_s - first_arrival[key] < 3600:
                continue
            first_arrival[key] = arrival_s
        kept = [s for s in sales if not s.is_other and s.event.timestamp // 1_800_000 > arrival_s // 1800 - 17]
        sales.append(Sale(event, amount, most is not None and len(kept) >= most))
    return sales


def commerce(
    events: list[EnrichedEvent], sales: list[Sale], goals: Goals, names_of: Mapping[str, NameOf], now_s: int
) -> dict[str, Any]:
    """The figures of an audience, revenue also by `names_of`. None of its events and sales is after `now_s`."""

    def within(seconds: int, event: EnrichedEvent) -> bool:
        return event.timestamp // 1000 > now_s - seconds

    own = [sale for sale in sales if sale.currency == CURRENCY]
    others = {sale.currency for sale in sales if sale.currency != CURRENCY and within(28800, sale.event)}
    by: dict[str, NameOf] = {
        "products": lambda event: event.productId,
        "categories": category_of,
        **names_of,
    }
    return {
        "goals": {name: _goal([e for e in events if reaches(e)], events, within) for name, reaches in goals.items()},
        "goals_1h": {name: sum(reaches(e) and within(3600, e) for e in events) for name, reaches in goals.items()},
        "goals_1m": _conversions(events, goals, now_s) if goals else {},
        "revenue": _revenue(CURRENCY, own, within),
        "other_currencies": {
            currency: _revenue(currency, [sale for sale in sales if sale.currency == currency], within)
            for currency in others
        },
        "revenue_as_other": {
            window: sum(sale.is_other and within(WINDOWS[window], sale.event) for sale in sales)
            for window in ("1h", "8h")
        },
        "revenue_1m": _series(own, 60, 60, now_s),
        "revenue_30m": _series(own, 1800, 17, now_s),
        **{
            f"revenue_{name}_{window}": _ranking(
                [s for s in own if within(WINDOWS[window], s.event)], name_of, name in ("products", "categories")
            )
            for name, name_of in by.items()
            for window in ("1h", "8h")
        },
    }


def _goal(
    reached: list[EnrichedEvent], events: list[EnrichedEvent], within: Callable[[int, EnrichedEvent], bool]
) -> dict[str, Any]:
    visitors = {w: len({e.userId for e in reached if within(s, e)}) for w, s in WINDOWS.items()}
    everyone = {w: len({e.userId for e in events if within(s, e)}) for w, s in WINDOWS.items()}
    return {
        "conversions": {window: sum(within(seconds, e) for e in reached) for window, seconds in WINDOWS.items()},
        "visitors": visitors,
        "rate": {w: round(visitors[w] / everyone[w], 4) if everyone[w] else 0 for w in WINDOWS},
    }


def _conversions(events: list[EnrichedEvent], goals: Goals, now_s: int) -> dict[int, dict[str, int]]:
    minutes: dict[int, dict[str, int]] = {minute * 60_000: {} for minute in range(now_s // 60 - 59, now_s // 60 + 1)}
    for event in events:
        own = minutes.get(event.timestamp // 60_000 * 60_000)
        for name, reaches in goals.items():
            if own is not None and reaches(event):
                own[name] = own.get(name, 0) + 1
    return minutes


def _revenue(currency: str, sales: list[Sale], within: Callable[[int, EnrichedEvent], bool]) -> dict[str, Any]:
    figures: dict[str, Any] = {"currency": currency}
    for window in ("1h", "8h"):
        amounts = [sale.amount for sale in sales if within(WINDOWS[window], sale.event)]
        sold, refunds = [a for a in amounts if a >= 0], [-a for a in amounts if a < 0]
        own = [sale.amount for sale in sales if within(WINDOWS[window], sale.event) and not sale.is_line]
        orders, refunded = sum(amount >= 0 for amount in own), sum(amount < 0 for amount in own)
        if currency == OTHER:  # of several currencies
            amounts, sold, refunds = [], [], []
        with localcontext(prec=60):
            average = (sum(sold, Decimal(0)) / orders).quantize(Decimal("0.000001")) if orders else Decimal(0)
        figures |= {
            f"revenue_{window}": sum(amounts, Decimal(0)),
            f"orders_{window}": orders,
            f"average_order_{window}": average,
            f"refunds_{window}": refunded,
            f"refunded_{window}": sum(refunds, Decimal(0)),
        }
    return figures


def _series(sales: list[Sale], bucket_s: int, shown: int, now_s: int) -> dict[int, Decimal]:
    last = now_s // bucket_s
    buckets = {bucket * bucket_s * 1000: Decimal(0) for bucket in range(last - shown + 1, last + 1)}
    for sale in sales:
        start = sale.event.timestamp // 1000 // bucket_s * bucket_s * 1000
        if start in buckets:
            buckets[start] += sale.amount
    return buckets


def _ranking(sales: list[Sale], name_of: Callable[[EnrichedEvent], str | None], counts_lines: bool) -> dict[str, Any]:
    named: dict[str, list[Sale]] = {}
    for sale in sales:
        name = sale.named(name_of(sale.event))
        if name is not None:
            named.setdefault(name, []).append(sale)
    sold: dict[str, dict[str, Any]] = {
        name: {
            "revenue": sum((sale.amount for sale in own), Decimal(0)),
            "orders": sum(sale.amount >= 0 and (counts_lines or not sale.is_line) for sale in own),
        }
        for name, own in named.items()
    }
    return dict(sorted(sold.items(), key=lambda item: (-item[1]["revenue"], item[0]))[:100])
