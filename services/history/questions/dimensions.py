"""What events are filtered and broken down by. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Dimension(NamedTuple):
    """One way to group events. `name` is its parameter, as in Explore's address."""

    name: str
    column: str  # of `events`, with the id of a name
    rollup: str | None  # the dimension of the rollups of traffic, if they have it
    sales_rollup: str | None  # that of the rollups of sales
    meaning: str


_ROWS: Final = (
    Dimension("site", "site_id", None, None, "host of the site; empty for events without one"),
    Dimension("productId", "product_id", "product", "product", "product"),
    Dimension("title", "title_id", None, None, "title of the product"),
    Dimension("category", "category_id", "category", "category", "category of the product"),
    Dimension("page", "page_id", "page", None, "path of the page"),
    Dimension("source", "source_id", "source", "source", "traffic source"),
    Dimension("channel", "channel_id", "channel", "channel", "channel"),
    Dimension("campaign", "campaign_id", "campaign", "campaign", "campaign"),
    Dimension("country", "country_id", "country", "country", "country, or Unknown"),
    Dimension("deviceType", "device_id", "device", "device", "Desktop, Mobile, Tablet, Bot or Other"),
    Dimension("browser", "browser_id", "browser", None, "browser, or Other"),
    Dimension("operatingSystem", "operating_system_id", "operating_system", None, "operating system, or Other"),
    Dimension("eventType", "event_type_id", "event_type", None, "as sent, or page_view"),
    Dimension("gender", "gender_id", None, None, "M, F or U"),
    Dimension("platform", "platform_id", None, "platform", "platform of a sale"),
    Dimension("currency", "currency_id", None, None, "currency of a sale"),
)
DIMENSIONS: Final[Mapping[str, Dimension]] = {row.name: row for row in _ROWS}

SITE: Final = DIMENSIONS["site"]
CURRENCY: Final = DIMENSIONS["currency"]
"""Rows of the rollups have the site beside their dimension, and those of sales the currency too."""

LINES: Final = ("productId", "title", "category")
"""Where these are asked for, each further line of an order counts as an order of its product."""

DEVICE: Final = DIMENSIONS["deviceType"]
BOT: Final = "Bot"
"""The device type that tells bots from humans."""
