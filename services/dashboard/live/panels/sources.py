"""Where the views of the last hour came from."""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.live import listings
from services.dashboard.live.listings import Listing
from shared.rollups.contract import Snapshot

_NO_EVENT: Final = "No event in the last hour."
_LISTINGS: Final = (
    Listing(
        name="sources",
        label="Sources",
        title="Traffic sources",
        noun="Site",
        attribute="sources_1h",
        empty=_NO_EVENT,
    ),
    Listing(
        name="channels",
        label="Channels",
        title="Channels",
        noun="Channel",
        attribute="channels_1h",
        empty=_NO_EVENT,
        least_names=1,
    ),
    Listing(
        name="campaigns",
        label="Campaigns",
        title="Campaigns",
        noun="Campaign (source / medium)",
        attribute="campaigns_1h",
        empty=_NO_EVENT,
        least_names=1,
    ),
)


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    return listings.card("sources", listings.tabs(_LISTINGS, snapshot, context), columns=5)
