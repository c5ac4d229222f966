"""Products: the most viewed ones of the last hour, each with its category."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.ranking import Row
from services.dashboard.kit.cards.table import Column, swatch
from services.dashboard.kit.escaping import in_html
from services.dashboard.live import hour_before
from services.dashboard.live.listings import rows_shown
from services.dashboard.live.shop_site import shows_products
from shared.rollups.contract import Snapshot
from shared.rollups.model import OTHER_NAME

_TITLE: Final = "Top ten products"
_UNKNOWN: Final = "Unknown"


def draw(snapshot: Snapshot, context: Context) -> Card | None:
    """The card; none on a site without products."""
    if not shows_products(snapshot):
        return None
    table = ranking.numbered(
        "products",
        _TITLE,
        "Product",
        rows(snapshot.windows.products_1h, snapshot, context, rows_shown(context)),
        empty="No product was viewed in the last hour.",
        detail=Column("Category", "wide", "26%"),
        hour=hour_before.of(snapshot, "products_1h", "views"),
    )
    return Card(
        name="products",
        parts=(head(_TITLE, "Last hour · views of each"), table),
        columns=6,
        height_px=ranking.HEIGHT_PX,
        phone_height_px=ranking.HEIGHT_PX - ranking.PHONE_SAVES_PX,
    )


def rows(counts: Mapping[str, int], snapshot: Snapshot, context: Context, shown: int) -> list[Row]:
    """The leading products by their titles, in the colours of their categories."""
    return [_described(row, snapshot, context) for row in ranking.rows(counts, shown)]


def title_of(product: str, snapshot: Snapshot) -> str:
    """The title of a product, or its id."""
    title = snapshot.products_info.get(product, {}).get("title")
    return title if title and title != _UNKNOWN else f"Product {product}"


def _described(row: Row, snapshot: Snapshot, context: Context) -> Row:
    if row.name == OTHER_NAME:
        return replace(row, detail_html='<td class="wide"></td>')
    category = snapshot.products_info.get(row.name, {}).get("category") or _UNKNOWN
    shown = title_of(row.name, snapshot)
    colour = context.category_colour(category)
    detail = f'<td class="wide muted">{swatch(colour)}{in_html(category, 40)}</td>'
    return replace(row, shown=shown, tooltip=f"{shown} ({row.name})", colour=colour, detail_html=detail)
