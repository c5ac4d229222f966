"""The row of numbers above the panels: today until now, and how it compares. Pure, HTML out."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from services.dashboard.kit.cards import stat_cards
from services.dashboard.kit.cards.stat_cards import StatCard
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import money
from services.dashboard.kit.wording import UNKNOWN, counted, grouped
from services.dashboard.sales.changes import change
from services.dashboard.sources.history.sales import SalesDay, Sums

YESTERDAY: Final = "yesterday"
LAST_WEEK: Final = "last week"
_SINCE_MIDNIGHT: Final = "since midnight"

Figure = Callable[[Sums], Decimal]


def draw(day: SalesDay) -> str:
    """The cards: always the same number and height."""
    return stat_cards.row((*_amounts(day), _orders(day), _average(day), _margin(day), _refunds(day), _pieces(day)))


def _amounts(day: SalesDay) -> tuple[StatCard, StatCard]:
    def written(amount: Decimal) -> str:
        return money(amount, day.currency)

    def revenue(sums: Sums) -> Decimal:
        return sums.revenue

    def profit(sums: Sums) -> Decimal:
        return sums.profit

    is_known = not day.total.is_cost_unknown
    return (
        _compared(day, "Revenue today", in_html(written(day.total.revenue)), revenue, written),
        _compared(day, "Profit today", in_html(written(day.total.profit)), profit, written)
        if is_known
        else StatCard(label="Profit today", number=UNKNOWN, window="no sale says its cost"),
    )


def _orders(day: SalesDay) -> StatCard:
    def orders(sums: Sums) -> Decimal:
        return Decimal(sums.orders)

    return _compared(
        day, "Orders today", grouped(day.total.orders), orders, lambda number: counted(int(number), "order")
    )


def _compared(day: SalesDay, label: str, number: str, figure: Figure, written: Callable[[Decimal], str]) -> StatCard:
    """A figure with its change against both days, as far as history knows them."""
    changes = [
        change(figure(day.total), figure(earlier.until_now), name, written)
        for name, earlier in ((YESTERDAY, day.yesterday), (LAST_WEEK, day.last_week))
        if earlier is not None
    ]
    window, *facts = changes or [_SINCE_MIDNIGHT]
    return StatCard(label=label, number=number, window=window, fact="".join(facts))


def _average(day: SalesDay) -> StatCard:
    total = day.total
    mean = _average_order(total)
    before = None if day.yesterday is None else _average_order(day.yesterday.until_now)
    return StatCard(
        label="Average order",
        number=UNKNOWN if mean is None else in_html(money(mean, day.currency)),
        window="sales ÷ orders",
        fact="" if mean is None else change(mean, before, YESTERDAY, lambda amount: money(amount, day.currency)),
    )


def _average_order(sums: Sums) -> Decimal | None:
    return sums.sold / sums.orders if sums.orders else None


def _margin(day: SalesDay) -> StatCard:
    total = day.total
    is_known = total.revenue > 0 and not total.is_cost_unknown
    without = f"{grouped(total.without_cost)} without a cost" if total.without_cost and is_known else ""
    return StatCard(
        label="Margin",
        number=f"{100 * total.profit / total.revenue:.1f} %".replace("-", "−") if is_known else UNKNOWN,
        window="profit ÷ revenue",
        fact=without,
    )


def _refunds(day: SalesDay) -> StatCard:
    total, before = day.total, day.yesterday
    fact = "" if before is None else f"{in_html(money(before.until_now.refunded, day.currency))} by now {YESTERDAY}"
    return StatCard(
        label="Refunds",
        number=in_html(money(total.refunded, day.currency)),
        window=counted(total.refunds, "refund") if total.refunds else "none today",
        fact=fact,
    )


def _pieces(day: SalesDay) -> StatCard:
    total = day.total
    return StatCard(
        label="Pieces",
        number=grouped(total.quantity) if total.quantity or not total.orders else UNKNOWN,
        window="sold today" if total.quantity or not total.orders else "no sale says its quantity",
        fact=f"{total.quantity / total.orders:.1f} per order" if total.quantity and total.orders else "",
    )
