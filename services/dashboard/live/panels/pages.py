"""Pages: the most viewed URL paths of the last hour, and those where its sessions began and stand now.

Where there are several sites, their views too.
"""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.live import listings
from services.dashboard.live.listings import Listing
from shared.rollups.contract import Snapshot

_NO_SESSION: Final = "No session of the last hour has a page."
_LISTINGS: Final = (
    Listing(
        name="pages",
        label="Pages",
        title="Top ten pages",
        noun="Path",
        attribute="pages_1h",
        empty="No event of the last hour has a URL. Send it in the field <code>url</code>.",
        is_numbered=True,
    ),
    Listing(
        name="entry",
        label="Entry",
        title="Entry pages",
        noun="Path",
        attribute="entry_pages_1h",
        empty=_NO_SESSION,
        counted="sessions",
        least_names=1,
    ),
    Listing(
        name="exit",
        label="Exit",
        title="Exit pages",
        noun="Path",
        attribute="exit_pages_1h",
        empty=_NO_SESSION,
        counted="sessions",
        least_names=1,
    ),
    Listing(
        name="sites",
        label="Sites",
        title="Sites",
        noun="Site",
        attribute="sites_1h",
        empty="",
        least_names=2,
    ),
)


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    return listings.card("pages", listings.tabs(_LISTINGS, snapshot, context), columns=6)
