"""Top ten products: the most viewed products of the last hour, each with its category."""

from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.ranking import Row
from services.dashboard.kit.cards.table import Column, swatch
from services.dashboard.kit.escaping import in_html
from shared.rollups.contract import Snapshot

HEIGHT_PX: Final = 484
_TITLE: Final = "Top ten products"
_UNKNOWN: Final = "Unknown"


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    table = ranking.numbered(
        "products",
        _TITLE,
        "Product",
        [_described(row, snapshot, context) for row in ranking.rows(snapshot.windows.products_1h)],
        empty="No product was viewed in the last hour.",
        detail=Column("Category", "wide", "26%"),
    )
    parts = (head(_TITLE, "Last hour · views of each") + table,)
    return Card(name="products", parts=parts, columns=6, height_px=HEIGHT_PX)


def _described(row: Row, snapshot: Snapshot, context: Context) -> Row:
    """A product by its title, in the colour of its category."""
    about = snapshot.products_info.get(row.name, {})
    category, title = about.get("category") or _UNKNOWN, about.get("title")
    name = title if title and title != _UNKNOWN else f"Product {row.name}"
    colour = context.category_colour(category)
    detail = f'<td class="wide muted">{swatch(colour)}{in_html(category, 40)}</td>'
    return replace(row, name=name, tooltip=f"{name} ({row.name})", colour=colour, detail_html=detail)
