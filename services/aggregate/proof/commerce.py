"""Goals and revenue, by brute force. Pure; amounts are whole millionths until they are shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final

from services.aggregate.proof.clicks import PLACES, Click, Names, Sale
from services.aggregate.proof.spans import Spans
from shared.events.amounts import amount_text
from shared.rollups.commerce import CURRENCIES_SHOWN, OTHER_CURRENCIES, REVENUE_WINDOWS
from shared.rollups.commerce_codecs import SALES
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.model import OTHER_NAME, WINDOW_SECONDS

Goals = Mapping[str, Callable[[Names], bool]]
"""Whether a click with these names reaches the goal."""

_NAMED: Final = {
    name: PLACES[f"{name.removeprefix('revenue_').removesuffix('_1h')}_1h"]
    for name, row in AUDIENCE_ROWS.items()
    if row.codec is SALES and name.endswith("_1h")
}
_COUNT_LINES: Final = ("revenue_products_1h", "revenue_categories_1h")
"""A further line of an order is one of its product and category."""
_SHOWN: Final = 100

Sold = Sequence[tuple[Click, Sale]]


def commerce(own: Spans, goals: Goals, reporting: str) -> dict[str, Any]:
    """The figures of an audience."""
    sold = [(click, click.sale) for click in own.clicks if click.sale is not None]
    by_window = {window: _within(sold, own.now_s - WINDOW_SECONDS[window]) for window in REVENUE_WINDOWS}
    by_currency = {
        window: {currency: list(_of_currency(part, currency, reporting)) for currency in _currencies(sold, reporting)}
        for window, part in by_window.items()
    }
    reported = [(click, sale) for click, sale in sold if _currency_of(sale, reporting) == reporting]
    return {
        **_goals(own, goals),
        "revenue": _revenue(reporting, {window: parts.get(reporting, []) for window, parts in by_currency.items()}),
        "other_currencies": _others(by_currency, reporting),
        "revenue_as_other": {window: sum(sale.is_other for _, sale in part) for window, part in by_window.items()},
        "revenue_1m": _series(own.buckets(60, 60), reporting),
        "revenue_30m": _series(own.buckets(1800, 17), reporting),
        **{
            f"{name.removesuffix('_1h')}_{window}": _ranking(
                _within(reported, own.now_s - WINDOW_SECONDS[window]), place, counts_lines=name in _COUNT_LINES
            )
            for name, place in _NAMED.items()
            for window in REVENUE_WINDOWS
        },
    }


def _goals(own: Spans, goals: Goals) -> dict[str, Any]:
    windows = {window: own.trailing(seconds) for window, seconds in WINDOW_SECONDS.items()}
    everyone = {window: len({click.user for click in clicks}) for window, clicks in windows.items()}
    found, hour = {}, {}
    for name, reaches in goals.items():
        reached = {window: [c for c in clicks if reaches(c.names)] for window, clicks in windows.items()}
        visitors = {window: len({click.user for click in clicks}) for window, clicks in reached.items()}
        found[name] = {
            "conversions": {window: len(clicks) for window, clicks in reached.items()},
            "visitors": visitors,
            "rate": {w: round(number / everyone[w], 4) if everyone[w] else 0 for w, number in visitors.items()},
        }
        hour[name] = len(reached["1h"])
    return {"goals": found, "goals_1h": hour, "goals_1m": _conversions(own, goals) if goals else {}}


def _conversions(own: Spans, goals: Goals) -> dict[int, dict[str, int]]:
    return {
        start: {
            name: number for name, reaches in goals.items() if (number := sum(reaches(click.names) for click in clicks))
        }
        for start, clicks in own.buckets(60, 60).items()
    }


def _within(sold: Sold, after_s: int) -> Sold:
    return [(click, sale) for click, sale in sold if click.second > after_s]


def _currency_of(sale: Sale, reporting: str) -> str:
    currency = sale.currency or reporting
    return OTHER_CURRENCIES if sale.is_other and currency != reporting else currency


def _currencies(sold: Sold, reporting: str) -> set[str]:
    return {_currency_of(sale, reporting) for _, sale in sold}


def _of_currency(sold: Sold, currency: str, reporting: str) -> Iterable[Sale]:
    return (sale for _, sale in sold if _currency_of(sale, reporting) == currency)


def _others(by_currency: Mapping[str, Mapping[str, list[Sale]]], reporting: str) -> dict[str, Any]:
    longest = {currency: own for currency, own in by_currency[REVENUE_WINDOWS[-1]].items() if own}
    codes = sorted(longest.keys() - {reporting, OTHER_CURRENCIES}, key=lambda code: (-_orders(longest[code]), code))
    found = {
        code: _revenue(code, {window: parts[code] for window, parts in by_currency.items()})
        for code in codes[:CURRENCIES_SHOWN]
    }
    rest = [*codes[CURRENCIES_SHOWN:], *(longest.keys() & {OTHER_CURRENCIES})]
    if rest:
        together = {window: [sale for code in rest for sale in parts[code]] for window, parts in by_currency.items()}
        found[OTHER_CURRENCIES] = _revenue(OTHER_CURRENCIES, together)
    return found


def _orders(sales: Iterable[Sale]) -> int:
    return sum(sale.millionths >= 0 and not sale.is_line for sale in sales)


def _revenue(currency: str, by_window: Mapping[str, Sequence[Sale]]) -> dict[str, Any]:
    found: dict[str, Any] = {"currency": currency}
    for window, sales in by_window.items():
        amounts = [sale.millionths for sale in sales]
        if currency == OTHER_CURRENCIES:  # of several: they cannot be added
            amounts = []
        sold, refunded = sum(a for a in amounts if a >= 0), -sum(a for a in amounts if a < 0)
        orders = _orders(sales)
        found |= {
            f"revenue_{window}": _amount(sold - refunded),
            f"orders_{window}": orders,
            f"average_order_{window}": _average(sold, orders),
            f"refunds_{window}": sum(sale.millionths < 0 and not sale.is_line for sale in sales),
            f"refunded_{window}": _amount(refunded),
        }
    return found


def _average(millionths: int, orders: int) -> Decimal:
    if not orders:
        return Decimal(0)
    with localcontext(prec=60):
        return _amount(int((Decimal(millionths) / orders).to_integral_value()))


def _amount(millionths: int) -> Decimal:
    return Decimal(amount_text(millionths))


def _series(buckets: Mapping[int, Iterable[Click]], reporting: str) -> dict[int, Decimal]:
    return {
        start: _amount(
            sum(
                click.sale.millionths
                for click in clicks
                if click.sale is not None and _currency_of(click.sale, reporting) == reporting
            )
        )
        for start, clicks in buckets.items()
    }


def _ranking(sold: Sold, place: int, *, counts_lines: bool) -> dict[str, Any]:
    named: dict[str, list[Sale]] = {}
    for click, sale in sold:
        name = click.names[place]
        if name is not None:
            named.setdefault(OTHER_NAME if sale.is_other else name, []).append(sale)
    ranked = sorted(
        ((sum(sale.millionths for sale in own), name, own) for name, own in named.items()),
        key=lambda row: (-row[0], row[1]),
    )
    return {
        name: {
            "revenue": _amount(millionths),
            "orders": sum(sale.millionths >= 0 and (counts_lines or not sale.is_line) for sale in own),
        }
        for millionths, name, own in ranked[:_SHOWN]
    }
