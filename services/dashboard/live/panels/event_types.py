"""Event types: what visitors did in the last hour. Absent on a site that sends page views only."""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.live import listings
from services.dashboard.live.listings import Listing
from shared.rollups.contract import Snapshot

_LISTING: Final = Listing(
    name="types",
    label="Event types",
    title="Event types",
    noun="Type",
    attribute="event_types_1h",
    empty="No event in the last hour.",
    counted="events",
)


def draw(snapshot: Snapshot, context: Context) -> Card | None:
    """The card; none while there is one type at most."""
    if len(snapshot.windows.event_types_1h) < 2:
        return None
    return listings.card("types", [listings.tab_of(_LISTING, snapshot, context)], columns=5)
