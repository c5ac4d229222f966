"""What the live page shows of an observation: the strip, the key figures and a card for each panel. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Context, Panel
from services.dashboard.kit.notice import notice
from services.dashboard.kit.rollup_strip import rollup_strip
from services.dashboard.live import key_figures
from services.dashboard.live.panels import (
    categories,
    countries,
    devices,
    latest_visitors,
    pages,
    per_half_hour,
    per_minute,
    products,
    raw_events,
    sources,
    state_log,
)
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.observations import Empty, Observation, snapshot_of
from shared.rollups.contract import Snapshot

PANELS: Final[tuple[Panel[Snapshot], ...]] = (
    per_minute,
    per_half_hour,
    products,
    devices,
    categories,
    pages,
    countries,
    sources,
    latest_visitors,
    state_log,
    raw_events,
)
"""From top to bottom; a row of the page has twelve columns."""

_WIDE_PAGES_COLUMNS: Final = 9  # beside the devices
_NARROW_SOURCES_COLUMNS: Final = 5  # beside the countries

_OF_VISITORS: Final[tuple[Panel[Snapshot], ...]] = (latest_visitors, state_log, raw_events)
"""These show single visitors, which is for analysts."""

_TITLE: Final = '<h1 class="spoken">Live</h1>'


def draw(observation: Observation, address: str, context: Context) -> Board:
    """Draw what was observed of the Redis at `address`."""
    strip = rollup_strip(observation, address, context.now_ms, context.clock, role=context.role)
    snapshot = snapshot_of(observation)
    if snapshot is None:
        return Board(strip, notice=_EMPTY if isinstance(observation, Empty) else _MISSING)
    cards = _cards(snapshot, context) if _shows_products(snapshot) else _cards_without_products(snapshot, context)
    return Board(strip, _TITLE + key_figures.draw(snapshot.meta, snapshot.windows), tuple(cards))


def panels_of(role: Role) -> tuple[Panel[Snapshot], ...]:
    """The panels that someone with this role sees."""
    return tuple(panel for panel in PANELS if role == "analyst" or panel not in _OF_VISITORS)


def _shows_products(snapshot: Snapshot) -> bool:
    """Whether the site is a shop, or so quiet that it may be one."""
    return bool(snapshot.windows.products_1h) or not snapshot.windows.pages_1h


def _cards(snapshot: Snapshot, context: Context) -> Iterator[Card]:
    return (panel.draw(snapshot, context) for panel in panels_of(context.role))


def _cards_without_products(snapshot: Snapshot, context: Context) -> Iterator[Card]:
    """The cards of a site without products: its pages take their place, and the rows are full again."""
    for panel in panels_of(context.role):
        if panel is products:
            wide = pages.draw(snapshot, context)
            yield replace(wide, columns=_WIDE_PAGES_COLUMNS, tablet_columns=6, height_px=products.HEIGHT_PX)
        elif panel is sources:
            yield replace(sources.draw(snapshot, context), columns=_NARROW_SOURCES_COLUMNS)
        elif panel not in (pages, categories):
            yield panel.draw(snapshot, context)


def categories_of(snapshot: Snapshot) -> list[str]:
    """The categories that the page shows, the leading ones first, because colours are assigned in this order."""
    leading = list(snapshot.windows.categories_1h)[: categories.DRAWN]
    about = [
        snapshot.products_info.get(product, {}) for product in list(snapshot.windows.products_1h)[: ranking.ROWS_SHOWN]
    ]
    return [*leading, *(category for info in about if (category := info.get("category")) is not None)]


_SERVICES: Final = "<code>clickpulse enrich</code> and <code>clickpulse aggregate</code>"
_EMPTY: Final = notice(
    "No events yet",
    "Numbers appear here by themselves, a second after the first click.",
    (
        ("See it work", "<code>make demo</code> starts everything with generated visitors."),
        (
            "Send clicks",
            "<code>clickpulse generate</code> invents them, <code>clickpulse replay</code> reads a log file.",
        ),
        ("Already sending?", f"Check that {_SERVICES} run with this REDIS_URL and REDIS_PREFIX."),
    ),
)
_MISSING: Final = notice(
    "No numbers to show",
    "None have arrived since this dashboard started. The strip above says why; the page recovers by itself.",
)
