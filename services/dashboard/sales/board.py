"""What the Sales page shows: the strip, the key figures and a card for each panel. Pure."""

from typing import Final

from services.dashboard.kit.cards.arrangement import arranged
from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.notice import notice
from services.dashboard.kit.status_strip import status_strip
from services.dashboard.sales import key_figures
from services.dashboard.sales.panels import by_hour, categories, currencies, platforms, products, refunds
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sales.strip import Reports, sales_strip
from services.dashboard.sources.observations import Sold, SoldObservation

PANELS: Final = (
    by_hour.draw,
    currencies.draw,
    categories.draw,
    platforms.draw,
    products.draw_by_revenue,
    products.draw_by_profit,
    refunds.draw,
)
"""From top to bottom."""

_NAME: Final = "Sales"
_TITLE: Final = f'<h1 class="spoken">{_NAME}</h1>'


def draw(
    observation: SoldObservation, snapshot: Snapshot | None, reports: Reports, address: str, context: Context
) -> Board:
    """Draw what the history at `address` answered; `snapshot` is of its last answer."""
    strip = sales_strip(observation, reports, address, context.now_ms, context.clock)
    if snapshot is None:
        return Board(strip, notice=_REFUSED if _is_refused(observation) else _NO_HISTORY, name=_NAME)
    drawn = (panel(snapshot, context) for panel in PANELS)
    cards = arranged(card for card in drawn if card is not None)
    return Board(strip, _TITLE + key_figures.draw(snapshot.day), cards, name=_NAME)


def _is_refused(observation: SoldObservation) -> bool:
    return not isinstance(observation, Sold) and observation.is_refused


_HOW: Final = (
    ("See it work", "<code>make demo</code> runs history too."),
    (
        "Start it",
        '<code>pip install "clickpulse[history]"</code>, then <code>clickpulse history</code> beside the others.',
    ),
    ("Elsewhere?", "Set <code>HISTORY_API_URL</code> of the dashboard to the address of its API."),
    ("No sales to show?", "<code>HISTORY_API_URL=off</code> leaves this page out."),
)
_NO_HISTORY: Final = notice(
    "No history yet",
    "Sales come from history, which keeps every event in PostgreSQL. It does not answer; the page recovers by itself.",
    _HOW,
)
_REFUSED: Final = notice(
    "History refuses to answer",
    "The strip above says why; the page recovers by itself.",
    (
        (
            "Does it ask for a key?",
            "<code>clickpulse api-key dashboard</code> makes one; set <code>HISTORY_API_KEY</code> to it.",
        ),
        ("Is it older than the dashboard?", "Restart it in the dashboard's version."),
    ),
)
WAITING: Final = Board(
    status_strip("waiting", "Waiting", "Redis has not said yet whose sales these are."),
    notice=notice(
        "No numbers to show",
        "The page shows the sales of the site whose numbers are in Redis. Live says why there are none yet.",
    ),
    name=_NAME,
)
OFF: Final = notice(
    "History is off",
    "Sales are shown from history. Unset <code>HISTORY_API_URL=off</code> of the dashboard to see them here.",
)
