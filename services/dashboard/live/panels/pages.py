"""Top ten pages, by path: the most viewed URL paths of the last hour."""

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context
from shared.rollups.contract import Snapshot


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    return ranking.card(
        "pages",
        "Top ten pages, by path",
        "Last hour · path of the URL, with and without a product",
        "Path",
        ranking.rows(snapshot.windows.pages_1h),
        empty="No event of the last hour has a URL. Send it in the field <code>url</code>.",
        columns=5,
    )
