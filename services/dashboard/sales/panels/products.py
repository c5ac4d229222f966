"""Products: those with the greatest revenue today, and those with the greatest profit."""

from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.wording import grouped
from services.dashboard.sales.panels import names
from services.dashboard.sales.panels.names import Row
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sources.history.sales import Leading


def draw_by_revenue(snapshot: Snapshot, context: Context) -> Card:
    """The card of revenue."""
    return _card("revenue", snapshot.day.by_revenue, snapshot, context)


def draw_by_profit(snapshot: Snapshot, context: Context) -> Card:
    """The card of profit."""
    return _card("profit", snapshot.day.by_profit, snapshot, context)


def _card(figure: str, leading: Leading, snapshot: Snapshot, context: Context) -> Card:
    rows = [
        Row(title, sums, f"{title} ({product})", context.category_colour(snapshot.category(product)))
        for product, sums in leading.names
        for title in [snapshot.title(product)]
    ]
    window = f"Today · {len(rows)} of {grouped(len(rows) + leading.more)}" if leading.more else "Today"
    is_profit = figure == "profit"
    label = f"Products of today with the greatest {figure}"
    content = names.draw("Product", label, rows, snapshot.day.currency, by_profit=is_profit)
    return Card(
        name=f"products-by-{figure}",
        parts=(head(f"Products by {figure}", window), content),
        columns=6,
        height_px=None,
    )
