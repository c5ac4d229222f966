"""Other currencies: what was sold today in each, in no other figure of the page. Absent without any."""

from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import currency_name
from services.dashboard.kit.wording import grouped
from services.dashboard.sales.panels import names
from services.dashboard.sales.snapshot import Snapshot

_SHOWN = 8


def draw(snapshot: Snapshot, _context: Context) -> Card | None:
    """The card."""
    currencies = snapshot.day.currencies
    if not currencies:
        return None
    rows = "".join(
        f'<tr><th scope="row">{in_html(currency_name(currency), 12)}</th>{names.amounts(sums, currency)}'
        f'<td class="figure wide">{grouped(sums.orders)}</td></tr>'
        for currency, sums in currencies[:_SHOWN]
    )
    columns = (
        Column("Currency"),
        Column("Revenue", "figure amount"),
        Column("Profit", "figure amount"),
        Column("Orders", "figure wide"),
    )
    cut = f" · {_SHOWN} of {grouped(len(currencies))}" if len(currencies) > _SHOWN else ""
    title = head("Other currencies", f"Today · never converted, in no other figure{cut}")
    content = table("ranking sales", "Sales of today in other currencies", columns, rows)
    return Card(name="currencies", parts=(title, content), columns=4, height_px=None)
