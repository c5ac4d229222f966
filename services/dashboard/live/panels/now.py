"""Active now: pages and products by their distinct visitors of the last five minutes."""

from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, Tab, head
from services.dashboard.live import listings
from services.dashboard.live.panels import products
from services.dashboard.live.shop_site import shows_products
from shared.rollups.contract import Snapshot

HEIGHT_PX: Final = 338
"""Of the cards beside the chart of the minutes, which have six rows."""

_ROWS_SHOWN: Final = 6
_TITLE: Final = "Active now"
_COUNTED: Final = "visitors"


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    windows, shown = snapshot.windows, ranking.ROWS_ON_A_WALL if context.is_wall else _ROWS_SHOWN
    tabs = [_tab("pages", "Page", ranking.rows(windows.pages_5m, shown), len(windows.pages_5m), context)]
    if shows_products(snapshot):
        rows = [replace(row, detail_html="") for row in products.rows(windows.products_5m, snapshot, context, shown)]
        tabs.append(_tab("products", "Product", rows, len(windows.products_5m), context))
    return listings.card("now", tabs, columns=4, height_px=HEIGHT_PX)


def _tab(name: str, noun: str, rows: list[ranking.Row], known: int, context: Context) -> Tab:
    window = ranking.window(len(rows), known, _COUNTED, "Last 5 minutes")
    empty = f"No {name[:-1]} was viewed in the last five minutes."
    table = ranking.numbered(f"now-{name}", f"{_TITLE}: {name}", noun, rows, empty=empty, counted=_COUNTED)
    title = f"{_TITLE}: {name}" if context.is_wall else _TITLE  # where no button names the tab
    return Tab(name, name.capitalize(), (head(title, window), table))
