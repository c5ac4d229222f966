"""Categories: what each sold today."""

from dataclasses import replace

from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.sales.panels import names
from services.dashboard.sales.snapshot import Snapshot


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    day = snapshot.day
    ranked = [replace(row, colour=context.category_colour(row.shown)) for row in names.rows(day.categories)]
    content = names.draw(
        "Category", "Sales of today by category", [*ranked, *names.rest_of(day.categories, day.total)], day.currency
    )
    return Card(name="categories", parts=(head("Categories", "Today"), content), columns=6, height_px=None)
