"""Tables of names with what they sold. Pure, HTML out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.dashboard.kit.cards.card import nothing
from services.dashboard.kit.cards.table import ACCENT, Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import money
from services.dashboard.kit.wording import UNKNOWN, grouped
from services.dashboard.sources.history.sales import Leading, Sums

NO_SALE: Final = "No sale yet today."
OTHERS: Final = "All others"
OTHERS_IN_WORDS: Final = "What is not in the rows above: further names, and sales without one"
_SUMS: Final = (
    Column("Revenue", "figure amount"),
    Column('<span title="Revenue − cost, as far as sales say it">Profit</span>', "figure amount"),
    Column("Orders", "figure wide"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row: `shown` and `tooltip` are untrusted, the order of rows is that of the table."""

    shown: str
    sums: Sums
    tooltip: str = ""
    colour: str = ACCENT
    is_rest: bool = False


def rows(leading: Leading) -> list[Row]:
    """The leading names as they are."""
    return [Row(name, sums) for name, sums in leading.names]


def rest_of(leading: Leading, total: Sums) -> list[Row]:
    """A row for what `total` has beyond the leading names; none if that is nothing."""
    revenue = total.revenue - sum((sums.revenue for _, sums in leading.names), Decimal(0))
    profit = total.profit - sum((sums.profit for _, sums in leading.names), Decimal(0))
    if not leading.more and not revenue and not profit:
        return []
    sums = Sums(revenue=revenue, profit=profit)
    return [Row(OTHERS, sums, OTHERS_IN_WORDS, is_rest=True)]


def draw(noun: str, label: str, ranked: Sequence[Row], currency: str, *, by_profit: bool = False) -> str:
    """The table, with bars of revenue or profit."""
    if not ranked:
        return nothing(NO_SALE)
    greatest = max(Decimal(0), *(_length(row, by_profit=by_profit) for row in ranked))
    cells = "".join(_row(row, currency, _length(row, by_profit=by_profit), greatest) for row in ranked)
    return table("ranking sales", label, (Column(noun), *_SUMS), cells)


def amounts(sums: Sums, currency: str) -> str:
    """The cells of revenue and profit."""
    profit = UNKNOWN if sums.is_cost_unknown else money(sums.profit, currency)
    return "".join(
        f'<td class="figure amount">{in_html(text)}</td>' for text in (money(sums.revenue, currency), profit)
    )


def _row(row: Row, currency: str, length: Decimal, greatest: Decimal) -> str:
    part = float(length / greatest) if greatest else 0.0
    orders = (
        "" if row.is_rest else grouped(row.sums.orders)
    )  # lines count as orders of their names, so no rest is known
    name = name_cell(f"<span>{in_html(row.shown)}</span>", row.tooltip or row.shown, part, row.colour)
    return f'<tr>{name}{amounts(row.sums, currency)}<td class="figure wide">{orders}</td></tr>'


def _length(row: Row, *, by_profit: bool) -> Decimal:
    """What its bar shows; the rest has none, because it would dwarf the others."""
    return Decimal(0) if row.is_rest else max(Decimal(0), row.sums.profit if by_profit else row.sums.revenue)
