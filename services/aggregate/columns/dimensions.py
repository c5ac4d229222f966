"""The dimension table: what events are counted by. A row here is all that counting by something new takes.

Derived from it: the row type (`batch.ROW`), the dictionaries, the field combinations of the encoder, the popularity of
the last hour, the names in blocks and checkpoints, the fields that are decoded, and the columns of minute segments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, get_type_hints

from services.aggregate.columns.products import ProductVariant, product_variant_of
from services.aggregate.columns.sites import site_of_event
from shared.events.agents import BROWSERS, OPERATING_SYSTEMS, OTHER
from shared.events.schema import DEFAULT_EVENT_TYPE, DEVICE_TYPES, GENDERS
from shared.links.campaigns import CAMPAIGN_BYTES
from shared.links.channel_tables import CHANNELS
from shared.links.links import campaign_by, channel_by, link_of, source_by
from shared.links.pages import PAGE_BYTES, page_of
from shared.links.sources import SOURCE_BYTES
from shared.rollups.model import OTHER_NAME


@dataclass(frozen=True, slots=True)
class Shown:
    """A text of a dimension's names, and where it is published."""

    segment_column: str
    """Column of the minute segments, see `shared.rollups`."""
    ranking: str | None = None
    """Attribute of `AudienceRollup`: events of the last hour by this text."""
    text_of: Callable[[Any], str] | None = None
    """None: a name is its own text."""
    revenue: str | None = None
    """Attributes of `AudienceRollup` without their window: revenue by this text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """Something that events are counted by. Rows hold it as a code, see `columns.names`."""

    name: str
    """Column of `batch.ROW`."""
    source_fields: tuple[str, ...]
    """Fields of the enriched event that `encode` takes, in its order."""
    encode: Callable[..., Any]
    """Returns the name that an event is counted under, or None when it has none."""
    shown: tuple[Shown, ...]
    looked_up_with: str
    """Dimensions that vary together are looked up together: one dictionary access per event and group."""
    reduce: Callable[[Any], Any] | None = None
    """Applied to each source field before `encode`, and remembered by value. For pairs of fields with many values of
    which few matter, as the combinations would be their product. The same for all dimensions of a group."""
    max_bytes: int | None = None
    """Longer names are shortened, in bytes of UTF-8."""
    values: tuple[str, ...] = ()
    """All names that can occur, for a small closed set: one byte a row, and nothing to store."""
    name_type: type = str
    counts_lines: bool = False
    """Whether its names also count the further lines of an order as orders: those are of other products."""

    @property
    def other(self) -> Any:
        """The name of events whose own does not fit into the limit; None where there is no limit."""
        if not self.is_open:
            return None
        parts = get_type_hints(self.name_type) if issubclass(self.name_type, tuple) else ()
        return self.name_type(*(OTHER_NAME for _ in parts)) if parts else OTHER_NAME

    @property
    def plural(self) -> str:
        """The word for its names, such as "pages"."""
        ranking = self.shown[0].ranking
        return f"{self.name}s".replace("_", " ") if ranking is None else ranking.removesuffix("_1h").replace("_", " ")

    @property
    def is_open(self) -> bool:
        """Whether new names may appear."""
        return not self.values

    @property
    def is_ranked(self) -> bool:
        """Whether its events of the last hour are published."""
        return any(shown.ranking for shown in self.shown)

    @property
    def has_revenue(self) -> bool:
        """Whether revenue by its names is published."""
        return any(shown.revenue for shown in self.shown)


def _one_of(values: tuple[str, ...], default: str) -> Callable[[str], str]:
    return lambda value: value if value in values else default


DIMENSIONS: Final = (
    Dimension(
        name="product",
        source_fields=("productId", "category", "title"),
        encode=product_variant_of,
        name_type=ProductVariant,
        looked_up_with="content",
        shown=(
            Shown("productId", "products_1h", attrgetter("product_id"), revenue="revenue_products"),
            Shown("category", "categories_1h", attrgetter("category"), revenue="revenue_categories"),
        ),
        counts_lines=True,
    ),
    Dimension(
        name="page",
        source_fields=("url",),
        encode=page_of,
        max_bytes=PAGE_BYTES,
        looked_up_with="content",
        shown=(Shown("page", "pages_1h"),),
    ),
    Dimension(
        name="site",
        source_fields=("site",),
        encode=site_of_event,
        looked_up_with="content",
        shown=(Shown("site", "sites_1h"),),
    ),
    Dimension(
        name="country",
        source_fields=("country",),
        encode=str,
        looked_up_with="visitor",
        shown=(Shown("country", "countries_1h"),),
    ),
    Dimension(
        name="source",
        source_fields=("referrer", "url"),
        reduce=link_of,
        encode=source_by,
        max_bytes=SOURCE_BYTES,
        looked_up_with="link",
        shown=(Shown("source", "sources_1h", revenue="revenue_sources"),),
    ),
    Dimension(
        name="channel",
        source_fields=("referrer", "url"),
        reduce=link_of,
        encode=channel_by,
        values=CHANNELS,
        looked_up_with="link",
        shown=(Shown("channel", "channels_1h"),),
    ),
    Dimension(
        name="campaign",
        source_fields=("url",),
        reduce=link_of,
        encode=campaign_by,
        max_bytes=CAMPAIGN_BYTES,
        looked_up_with="link",
        shown=(Shown("campaign", "campaigns_1h", revenue="revenue_campaigns"),),
    ),
    Dimension(
        name="event_type",
        source_fields=("eventType",),
        encode=lambda event_type: event_type or DEFAULT_EVENT_TYPE,
        looked_up_with="visitor",
        shown=(Shown("eventType", "event_types_1h"),),
    ),
    Dimension(
        name="browser",
        source_fields=("browser",),
        encode=_one_of(BROWSERS, OTHER),
        values=BROWSERS,
        looked_up_with="visitor",
        shown=(Shown("browser", "browsers_1h"),),
    ),
    Dimension(
        name="operating_system",
        source_fields=("operatingSystem",),
        encode=_one_of(OPERATING_SYSTEMS, OTHER),
        values=OPERATING_SYSTEMS,
        looked_up_with="visitor",
        shown=(Shown("operatingSystem", "operating_systems_1h"),),
    ),
    Dimension(
        name="device",
        source_fields=("deviceType",),
        encode=_one_of(DEVICE_TYPES, "Other"),
        values=DEVICE_TYPES,
        looked_up_with="visitor",
        shown=(Shown("deviceType"),),
    ),
    Dimension(
        name="gender",
        source_fields=("gender",),
        encode=_one_of(GENDERS, "U"),
        values=GENDERS,
        looked_up_with="visitor",
        shown=(Shown("gender"),),
    ),
)

OPEN_DIMENSIONS: Final = tuple(dimension for dimension in DIMENSIONS if dimension.is_open)
RANKED_DIMENSIONS: Final = tuple(dimension for dimension in DIMENSIONS if dimension.is_ranked)
REVENUE_DIMENSIONS: Final = tuple(dimension for dimension in DIMENSIONS if dimension.has_revenue)
SALE_FIELDS: Final = ("value", "currency", "orderId")
SOURCE_FIELDS: Final = (
    *dict.fromkeys(field for dimension in DIMENSIONS for field in dimension.source_fields),
    *SALE_FIELDS,
)
"""The fields of an enriched event that figures need."""
