"""What events are filtered and broken down by. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Dimension(NamedTuple):
    """One way to group events. `name` is its parameter, as in Explore's address."""

    name: str
    column: str  # of `events`, with the id of a name
    rollup: str | None  # the dimension of the rollups, if they have it
    meaning: str


_ROWS: Final = (
    Dimension("site", "site_id", None, "host of the site; empty for events without one"),
    Dimension("productId", "product_id", "product", "product"),
    Dimension("title", "title_id", None, "title of the product"),
    Dimension("category", "category_id", "category", "category of the product"),
    Dimension("page", "page_id", "page", "path of the page"),
    Dimension("source", "source_id", "source", "traffic source"),
    Dimension("channel", "channel_id", "channel", "channel"),
    Dimension("campaign", "campaign_id", "campaign", "campaign"),
    Dimension("country", "country_id", "country", "country, or Unknown"),
    Dimension("deviceType", "device_id", "device", "Desktop, Mobile, Tablet, Bot or Other"),
    Dimension("browser", "browser_id", "browser", "browser, or Other"),
    Dimension("operatingSystem", "operating_system_id", "operating_system", "operating system, or Other"),
    Dimension("eventType", "event_type_id", "event_type", "as sent, or page_view"),
    Dimension("gender", "gender_id", None, "M, F or U"),
    Dimension("platform", "platform_id", None, "platform of a sale"),
    Dimension("currency", "currency_id", None, "currency of a sale"),
)
DIMENSIONS: Final[Mapping[str, Dimension]] = {row.name: row for row in _ROWS}

SITE: Final = DIMENSIONS["site"]
"""Every row of the rollups has it, beside its dimension."""

DEVICE: Final = DIMENSIONS["deviceType"]
BOT: Final = "Bot"
"""The device type that tells bots from humans."""
