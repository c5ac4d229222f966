"""Refunds: the products that came back today, how often and for how much. Absent without any."""

from decimal import Decimal
from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.table import Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import money
from services.dashboard.kit.wording import grouped
from services.dashboard.sales.panels.names import OTHERS, OTHERS_IN_WORDS
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sources.history.sales import Sums

_COLUMNS: Final = (
    Column("Product"),
    Column("Refunded", "figure amount"),
    Column("Refunds", "figure"),
    Column('<span title="Orders of today, before refunds">Sold today</span>', "figure amount wide"),
    Column("Orders", "figure wide"),
)


def draw(snapshot: Snapshot, context: Context) -> Card | None:
    """The card."""
    day = snapshot.day
    if not day.total.refunded:
        return None
    returned = [(product, sums) for product, sums in day.by_refunded.names if sums.refunded > 0]
    greatest = max((sums.refunded for _, sums in returned), default=Decimal(1))
    rows = "".join(
        _row(product, sums, float(sums.refunded / greatest), snapshot, context) for product, sums in returned
    )
    rest = day.total.refunded - sum((sums.refunded for _, sums in returned), Decimal(0))
    if rest > 0:
        name = name_cell(f"<span>{OTHERS}</span>", OTHERS_IN_WORDS, 0)
        rows += f'<tr>{name}{_amount(rest, day.currency)}<td class="figure"></td>{_EMPTY}</tr>'
    content = table("ranking sales", "Products refunded today", _COLUMNS, rows)
    return Card(name="refunds", parts=(head("Refunds by product", "Today"), content), height_px=None)


_EMPTY: Final = '<td class="figure amount wide"></td><td class="figure wide"></td>'


def _row(product: str, sums: Sums, length: float, snapshot: Snapshot, context: Context) -> str:
    title, currency = snapshot.title(product), snapshot.day.currency
    colour = context.category_colour(snapshot.category(product))
    name = name_cell(f"<span>{in_html(title)}</span>", f"{title} ({product})", length, colour)
    return (
        f'<tr>{name}{_amount(sums.refunded, currency)}<td class="figure">{grouped(sums.refunds)}</td>'
        f'{_amount(sums.sold, currency, "wide")}<td class="figure wide">{grouped(sums.orders)}</td></tr>'
    )


def _amount(amount: Decimal, currency: str, kind: str = "") -> str:
    return f'<td class="{f"figure amount {kind}".rstrip()}">{in_html(money(amount, currency))}</td>'
