"""What the live page shows of an observation: the strip, the key figures and a card for each panel. Pure."""

from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.arrangement import arranged
from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context, OptionalPanel
from services.dashboard.kit.notice import notice
from services.dashboard.kit.rollup_strip import rollup_strip
from services.dashboard.live import key_figures, wall
from services.dashboard.live.changes import Changes
from services.dashboard.live.panels import (
    categories,
    conversions,
    countries,
    devices,
    event_types,
    latest_visitors,
    now,
    pages,
    per_half_hour,
    per_minute,
    products,
    raw_events,
    rising,
    sources,
    state_log,
)
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.last_week import LastWeek
from services.dashboard.sources.observations import Empty, Observation, snapshot_of
from shared.rollups.contract import Snapshot

PANELS: Final[tuple[OptionalPanel[Snapshot], ...]] = (
    now,
    rising,
    conversions,
    products,
    pages,
    sources,
    categories,
    devices,
    countries,
    event_types,
    per_half_hour,
    latest_visitors,
    state_log,
    raw_events,
)
"""After the chart of minutes, from top to bottom: what changes first comes first."""

_OF_VISITORS: Final[tuple[OptionalPanel[Snapshot], ...]] = (latest_visitors, state_log, raw_events)
"""These show single visitors, which is for analysts."""

_NAME: Final = "Live"
_TITLE: Final = f'<h1 class="spoken">{_NAME}</h1>'


def draw(observation: Observation, address: str, context: Context, last_week: LastWeek | None = None) -> Board:
    """Draw what was observed of the Redis at `address`; `last_week` is what history tells to compare with."""
    strip = rollup_strip(observation, address, context.now_ms, context.clock, role=context.role)
    snapshot = snapshot_of(observation)
    if snapshot is None:
        return Board(
            strip, notice=_EMPTY if isinstance(observation, Empty) else _MISSING, name=_NAME, is_wall=context.is_wall
        )
    count = key_figures.active_now(snapshot.windows)
    changes = Changes(snapshot.meta, snapshot.windows, last_week, context.clock)
    if context.is_wall:
        figures = wall.title(context) + key_figures.draw_for_wall(snapshot.windows, changes)
        return Board(strip, figures, wall.cards(snapshot, context, last_week), name=_NAME, count=count, is_wall=True)
    minutes = per_minute.draw(snapshot, context, last_week)
    drawn = (panel.draw(snapshot, context) for panel in panels_of(context.role))
    return Board(
        strip,
        _TITLE + key_figures.draw(snapshot.windows, changes),
        arranged([minutes, *(card for card in drawn if card is not None)]),
        name=_NAME,
        count=count,
    )


def panels_of(role: Role) -> tuple[OptionalPanel[Snapshot], ...]:
    """Those of PANELS that someone with this role sees."""
    return tuple(panel for panel in PANELS if role == "analyst" or panel not in _OF_VISITORS)


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
