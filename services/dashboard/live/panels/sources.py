"""Traffic sources: the sites that led to the views of the last hour."""

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, head
from shared.rollups.contract import Snapshot

_TITLE = "Traffic sources"


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    counts = snapshot.windows.sources_1h
    rows = ranking.rows(counts)
    table = ranking.shares(
        "sources", _TITLE, "Site", rows, snapshot.windows.views.get("1h", 0), empty="No event in the last hour."
    )
    return Card(name="sources", parts=(head(_TITLE, ranking.window(len(rows), len(counts))) + table,), height_px=466)
