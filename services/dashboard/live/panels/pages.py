"""Top ten pages: the most viewed URL paths of the last hour."""

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context
from shared.rollups.contract import Snapshot


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    return ranking.card(
        "pages",
        "Top ten pages",
        "Last hour · views by path of the URL",
        "Path",
        ranking.rows(snapshot.windows.pages_1h),
        empty="No event of the last hour has a URL. Send it in the field <code>url</code>.",
        columns=5,
    )
