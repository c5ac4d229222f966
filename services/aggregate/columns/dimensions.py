"""The dimension table: what events are counted by. A row here is all that counting by something new takes.

Derived from it: the row type (`batch.ROW`), the dictionaries, the field combinations of the encoder, the popularity of
the last hour, the names in blocks and checkpoints, the fields that are decoded, and the columns of minute segments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from services.aggregate.columns.pages import page_of
from services.aggregate.columns.products import ProductVariant, product_variant_of
from services.aggregate.columns.sources import site_of, source_between
from shared.events.schema import DEFAULT_EVENT_TYPE, DEVICE_TYPES, GENDERS


@dataclass(frozen=True, slots=True)
class Shown:
    """A text of a dimension's names, and where it is published."""

    segment_column: str
    """Column of the minute segments, see `shared.rollups`."""
    ranking: str | None = None
    """Attribute of `AudienceRollup`: events of the last hour by this text."""
    text_of: Callable[[Any], str] | None = None
    """None: a name is its own text."""


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

    @property
    def is_open(self) -> bool:
        """Whether new names may appear."""
        return not self.values

    @property
    def is_ranked(self) -> bool:
        """Whether its events of the last hour are published."""
        return any(shown.ranking for shown in self.shown)


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
            Shown("productId", "products_1h", attrgetter("product_id")),
            Shown("category", "categories_1h", attrgetter("category")),
        ),
    ),
    Dimension(
        name="page",
        source_fields=("url",),
        encode=page_of,
        max_bytes=512,
        looked_up_with="content",
        shown=(Shown("page", "pages_1h"),),
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
        reduce=site_of,
        encode=source_between,
        max_bytes=253,
        looked_up_with="link",
        shown=(Shown("source", "sources_1h"),),
    ),
    Dimension(
        name="event_type",
        source_fields=("eventType",),
        encode=lambda event_type: event_type or DEFAULT_EVENT_TYPE,
        looked_up_with="visitor",
        shown=(Shown("eventType"),),
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
SOURCE_FIELDS: Final = tuple(dict.fromkeys(field for dimension in DIMENSIONS for field in dimension.source_fields))
