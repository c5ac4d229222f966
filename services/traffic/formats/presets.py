"""Public data sets and exports whose layout is known: a row here, with what its columns are to us. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from services.traffic.formats.choices import Choices, Format


class Preset(StrEnum):
    """The known layouts, by their command-line names."""

    RETAILROCKET = "retailrocket"
    REES46 = "rees46"
    YOOCHOOSE = "yoochoose"
    GA4_BIGQUERY = "ga4-bigquery"
    CLOUDFRONT = "cloudfront"


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: what it is of, its format, the names of its columns, ours → theirs, and which events are sales.

    Without `sales`, its events carry no money.
    """

    of: str
    format: Format
    columns: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    has_header: bool = True
    sales: frozenset[str] = frozenset()


LAYOUTS: Final[Mapping[Preset, Layout]] = {
    Preset.RETAILROCKET: Layout(
        "events.csv of the Retailrocket data set",
        Format.CSV,
        ("timestamp", "visitorid", "event", "itemid", "transactionid"),
        {
            "timestamp": "timestamp", "userId": "visitorid", "eventType": "event", "productId": "itemid",
            "orderId": "transactionid",
        },
    ),
    Preset.REES46: Layout(
        "the monthly files of the REES46 data sets",
        Format.CSV,
        (
            *("event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id"),
            "user_session",
        ),
        {
            "timestamp": "event_time", "userId": "user_id", "eventType": "event_type", "productId": "product_id",
            "value": "price",
        },
        sales=frozenset({"purchase"}),
    ),
    Preset.YOOCHOOSE: Layout(
        "yoochoose-clicks.dat of the RecSys Challenge 2015",
        Format.CSV,
        ("session", "timestamp", "item", "category"),
        {"timestamp": "timestamp", "userId": "session", "productId": "item"},
        has_header=False,
    ),
    Preset.GA4_BIGQUERY: Layout("Google Analytics 4, exported to BigQuery and from there to JSON", Format.GA4),
    Preset.CLOUDFRONT: Layout("the standard logs of CloudFront", Format.W3C),
}  # fmt: skip


def with_preset(choices: Choices, preset: Preset) -> Choices:
    """The choices with those of the layout, where the user made none."""
    layout = LAYOUTS[preset]
    header = () if layout.has_header else layout.columns
    names = {**layout.names, **choices.names}
    return replace(choices, format=layout.format, names=names, header=header, sales=choices.sales or layout.sales)


def preset_with_columns(columns: Iterable[str]) -> Preset | None:
    """The layout that has exactly these columns in its header, in any order."""
    named = set(columns)
    fits = (preset for preset, layout in LAYOUTS.items() if layout.has_header and set(layout.columns) == named)
    return next(fits, None)
