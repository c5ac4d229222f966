"""The Redis contract, version 1: one row per key, attached to the field it stores.

`writing` and `reading` loop over the rows; docs/redis.md is generated from them. A new hourly ranking is one field of
`AudienceRollup`: with a `segment` column, Explore breaks down by it, and with a `plural` filters by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Final

from shared.rollups.codecs import (
    BYTES,
    COUNTS,
    EVENTS,
    INFO,
    META,
    OFFSETS,
    RANKING,
    RISING,
    SERIES,
    SESSIONS,
    STATE_LOG,
)
from shared.rollups.commerce import CURRENCIES_SHOWN, MOST_GOALS, GoalCounts, Revenue, Sales
from shared.rollups.commerce_codecs import AMOUNTS, CONVERSIONS, CURRENCIES, GOALS, REVENUE, SALES
from shared.rollups.model import (
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    LATEST_VISITORS_SHOWN,
    MINUTES_SHOWN,
    RISING_SHOWN,
    SESSION_BUCKETS_SHOWN,
    Audience,
    Meta,
    PublishedEvent,
    Rising,
    Sessions,
    StateLogEntry,
)
from shared.rollups.proof import PROOF_ROW
from shared.rollups.rows import Row, SegmentColumn, rows_of
from shared.rollups.seed import SeedRollup
from shared.rollups.segment_keys import SEGMENTS_KEY

META_KEY: Final = "rollup:meta"
STATE_LOG_KEY: Final = "state_logs"
STATE_LOG_LENGTH: Final = 10

Counts = Mapping[str, int]
Series = Mapping[int, int]  # start (epoch ms) → count, oldest first


def _sales(name: str, by: str) -> Row:
    content = f'JSON `{{"name", "revenue", "orders"}}` by {by}, greatest revenue first, see [Revenue](#revenue)'
    return Row(f"rollup:<audience>:revenue:{name}", SALES, content, limit=100)


def _rising(name: str) -> Row:
    content = 'JSON `{"member", "events", "expected", "score"}`, highest score first, see [Rising](#rising)'
    return Row(f"rollup:<audience>:rising:{name}", RISING, content, limit=RISING_SHOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRollup:
    """The figures of one audience."""

    visitors: Annotated[
        Counts,
        Row(
            "rollup:<audience>:visitors",
            COUNTS,
            "distinct visitors: `5m`, `15m`, `30m`, `1h`, `8h`; "
            "of the previous period: `5m:prev`, `15m:prev`, `30m:prev`, `1h:prev`",
        ),
    ]
    views: Annotated[Counts, Row("rollup:<audience>:views", COUNTS, "events, the same fields")]
    sessions: Annotated[Sessions, Row("rollup:<audience>:sessions", SESSIONS, "see [Sessions](#sessions)")]
    sessions_5m: Annotated[
        Series,
        Row(
            "rollup:<audience>:sessions:5m",
            SERIES,
            "five minutes → sessions started in them, trailing hour",
            limit=SESSION_BUCKETS_SHOWN,
        ),
    ]
    bounces_5m: Annotated[
        Series,
        Row(
            "rollup:<audience>:bounces:5m",
            SERIES,
            "five minutes → those of the sessions with exactly one event",
            limit=SESSION_BUCKETS_SHOWN,
        ),
    ]
    durations_5m: Annotated[
        Series,
        Row(
            "rollup:<audience>:durations:5m",
            SERIES,
            "five minutes → sum over the sessions of last − first event, in seconds",
            limit=SESSION_BUCKETS_SHOWN,
        ),
    ]
    views_1m: Annotated[Series, Row("rollup:<audience>:views:1m", SERIES, "minute → events", limit=MINUTES_SHOWN)]
    visitors_1m: Annotated[
        Series, Row("rollup:<audience>:visitors:1m", SERIES, "minute → distinct visitors", limit=MINUTES_SHOWN)
    ]
    views_30m: Annotated[
        Series, Row("rollup:<audience>:views:30m", SERIES, "half hour → events", limit=HALF_HOURS_SHOWN)
    ]
    visitors_30m: Annotated[
        Series, Row("rollup:<audience>:visitors:30m", SERIES, "half hour → distinct visitors", limit=HALF_HOURS_SHOWN)
    ]
    products_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:products:1h",
            RANKING,
            "`productId` → events, last hour",
            limit=100,
            segment=SegmentColumn("productId", "Product", "null when the event shows no product", is_nullable=True),
        ),
    ]
    categories_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:categories:1h",
            RANKING,
            "`category` → events, last hour",
            limit=1_000,
            segment=SegmentColumn(
                "category", "Category", "null when the event shows no product", plural="Categories", is_nullable=True
            ),
        ),
    ]
    pages_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:pages:1h",
            RANKING,
            "path of `url` (no query, no fragment, at most 512 bytes) → events, last hour",
            limit=100,
            segment=SegmentColumn("page", "Page", "path of `url`; null without a `url`", is_nullable=True),
        ),
    ]
    countries_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:countries:1h",
            RANKING,
            "`country` → events, last hour",
            limit=1_000,
            segment=SegmentColumn("country", "Country", "name, or Unknown", plural="Countries"),
        ),
    ]
    sources_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:sources:1h",
            RANKING,
            "traffic source → events, last hour: registrable domain of `referrer`, Direct without one, "
            "Internal with the host of `url`",
            limit=100,
            segment=SegmentColumn(
                "source",
                "Traffic source",
                "registrable domain of `referrer`, Direct or Internal",
                plural="Traffic sources",
            ),
        ),
    ]
    channels_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:channels:1h",
            RANKING,
            "[channel](channels.md) → events, last hour",
            segment=SegmentColumn(
                "channel",
                "Channel",
                "Direct, Organic search, Social, Email, AI assistant, Referral, Paid or Internal",
                plural="Channels",
            ),
        ),
    ]
    campaigns_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:campaigns:1h",
            RANKING,
            "`utm_campaign` with source and medium, as `spring_sale (newsletter / email)`, at most 256 bytes → events, "
            "last hour",
            limit=100,
            segment=SegmentColumn(
                "campaign", "Campaign", "the same; null without `utm_campaign`", plural="Campaigns", is_nullable=True
            ),
        ),
    ]
    browsers_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:browsers:1h",
            RANKING,
            "`browser` → events, last hour; of bots their own names",
            segment=SegmentColumn("browser", "Browser", "from a closed list, or Other", plural="Browsers"),
        ),
    ]
    operating_systems_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:operating_systems:1h",
            RANKING,
            "`operatingSystem` → events, last hour",
            segment=SegmentColumn(
                "operatingSystem", "Operating system", "from a closed list, or Other", plural="Operating systems"
            ),
        ),
    ]
    event_types_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:event_types:1h",
            RANKING,
            "`eventType` → events, last hour",
            limit=100,
            segment=SegmentColumn("eventType", "Event type", "as sent, or `page_view`", plural="Event types"),
        ),
    ]
    sites_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:sites:1h",
            RANKING,
            "`site` → events, last hour",
            limit=100,
            segment=SegmentColumn(
                "site",
                "Site",
                "a host; null where none was sent",
                plural="Sites",
                is_nullable=True,
            ),
        ),
    ]
    previous: Mapping[str, Counts] = field(default_factory=dict)
    """By attribute of a ranking that `has_previous`: the ranking of the hour before, see `PREVIOUS_ROWS`."""
    previous_events: Annotated[
        Counts,
        Row(
            "rollup:<audience>:events:1h:prev",
            COUNTS,
            "ranking (`pages_1h`) → events of the hour before with a name in it: the total for shares",
        ),
    ]
    entry_pages_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:entry_pages:1h",
            RANKING,
            "page → sessions started in the last hour whose first event with a page has it",
            limit=100,
        ),
    ]
    exit_pages_1h: Annotated[
        Counts,
        Row(
            "rollup:<audience>:exit_pages:1h",
            RANKING,
            "page → sessions started in the last hour whose last event with a page, up to T, has it",
            limit=100,
        ),
    ]
    pages_5m: Annotated[
        Counts, Row("rollup:<audience>:pages:5m", RANKING, "page → distinct visitors, last 5 minutes", limit=100)
    ]
    products_5m: Annotated[
        Counts,
        Row("rollup:<audience>:products:5m", RANKING, "`productId` → distinct visitors, last 5 minutes", limit=100),
    ]
    rising_pages: Annotated[Mapping[str, Rising], _rising("pages")]
    rising_products: Annotated[Mapping[str, Rising], _rising("products")]
    rising_sources: Annotated[Mapping[str, Rising], _rising("sources")]
    rising_campaigns: Annotated[Mapping[str, Rising], _rising("campaigns")]
    devices_10m: Annotated[
        Counts, Row("rollup:<audience>:devices:10m", RANKING, "`deviceType` → distinct visitors, last 10 minutes")
    ]
    goals: Annotated[
        Mapping[str, GoalCounts],
        Row("rollup:<audience>:goals", GOALS, "goal → JSON, see [Goals](#goals)", limit=MOST_GOALS),
    ]
    goals_1h: Annotated[
        Counts, Row("rollup:<audience>:goals:1h", RANKING, "goal → conversions, last hour, also 0", limit=MOST_GOALS)
    ]
    goals_1m: Annotated[
        Mapping[int, Mapping[str, int]],
        Row(
            "rollup:<audience>:goals:1m",
            CONVERSIONS,
            "minute → JSON `{goal: conversions}` of the goals with any; absent when there are no goals",
            limit=MINUTES_SHOWN,
        ),
    ]
    revenue: Annotated[Revenue, Row("rollup:<audience>:revenue", REVENUE, "see [Revenue](#revenue)")]
    other_currencies: Annotated[
        Mapping[str, Revenue],
        Row(
            "rollup:<audience>:revenue:currencies",
            CURRENCIES,
            "every other currency with sales in eight hours → JSON with the fields of `…:revenue`",
            limit=CURRENCIES_SHOWN + 1,
        ),
    ]
    revenue_as_other: Annotated[
        Counts,
        Row(
            "rollup:<audience>:revenue:as_other",
            COUNTS,
            "orders and refunds beyond `MAX_SALES`, whose names count as (other): `1h`, `8h`",
        ),
    ]
    revenue_1m: Annotated[
        Mapping[int, Decimal],
        Row("rollup:<audience>:revenue:1m", AMOUNTS, "minute → revenue", limit=MINUTES_SHOWN),
    ]
    revenue_30m: Annotated[
        Mapping[int, Decimal],
        Row("rollup:<audience>:revenue:30m", AMOUNTS, "half hour → revenue", limit=HALF_HOURS_SHOWN),
    ]
    revenue_products_1h: Annotated[Mapping[str, Sales], _sales("products:1h", "`productId`, last hour")]
    revenue_products_8h: Annotated[Mapping[str, Sales], _sales("products:8h", "`productId`, last eight hours")]
    revenue_categories_1h: Annotated[Mapping[str, Sales], _sales("categories:1h", "`category`, last hour")]
    revenue_categories_8h: Annotated[Mapping[str, Sales], _sales("categories:8h", "`category`, last eight hours")]
    revenue_sources_1h: Annotated[Mapping[str, Sales], _sales("sources:1h", "traffic source, last hour")]
    revenue_sources_8h: Annotated[Mapping[str, Sales], _sales("sources:8h", "traffic source, last eight hours")]
    revenue_campaigns_1h: Annotated[Mapping[str, Sales], _sales("campaigns:1h", "campaign, last hour")]
    revenue_campaigns_8h: Annotated[Mapping[str, Sales], _sales("campaigns:8h", "campaign, last eight hours")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRollup:
    """What is published once for all audiences."""

    meta: Annotated[Meta, Row(META_KEY, META, "see [Meta](#meta)")]
    products_info: Annotated[
        Mapping[str, Mapping[str, str | None]],
        Row(
            "rollup:products:info",
            INFO,
            '`productId` → JSON `{"title", "category"}`, of the products in `products:1h`, `products:5m`, '
            "`rising:products` and `revenue:products`, for all audiences",
        ),
    ]
    latest_visitors: Annotated[
        list[PublishedEvent],
        Row(
            "rollup:visitors:latest",
            EVENTS,
            "JSON: the latest event of each of the latest visitors of the last hour, newest first",
            limit=LATEST_VISITORS_SHOWN,
        ),
    ]
    latest_events: Annotated[
        list[PublishedEvent],
        Row(
            "rollup:events:latest",
            EVENTS,
            "JSON: the latest events of the last hour, newest first, at most 256 KiB",
            limit=LATEST_EVENTS_SHOWN,
            only_changes=True,
        ),
    ]
    offsets: Annotated[
        Mapping[int, int],
        Row(
            "rollup:offsets",
            OFFSETS,
            "partition of `ENRICHED_TOPIC` → the offset before which its events are counted; "
            "without partitions that nothing was read of",
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup(SiteRollup):
    """One consistent snapshot of everything that is published."""

    audiences: Mapping[Audience, AudienceRollup]
    seed: SeedRollup


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(SiteRollup):
    """What a reader gets: the figures of one audience, rankings greatest first, and the state log newest first."""

    windows: AudienceRollup
    state_log: Annotated[
        list[StateLogEntry],
        Row(
            STATE_LOG_KEY,
            STATE_LOG,
            "`created` (epoch seconds), `msg`, `userId`; written by the detect service",
            limit=STATE_LOG_LENGTH,
        ),
    ]


AUDIENCE_ROWS: Final = rows_of(AudienceRollup)
PREVIOUS_ROWS: Final = {name: row.previous for name, row in AUDIENCE_ROWS.items() if row.has_previous}
SITE_ROWS: Final = rows_of(SiteRollup)
SEED_ROWS: Final = rows_of(SeedRollup)
SNAPSHOT_ROWS: Final = rows_of(Snapshot)
NATIVE_CONTRACT: Final = (
    *SITE_ROWS.values(),
    *AUDIENCE_ROWS.values(),
    *PREVIOUS_ROWS.values(),
    PROOF_ROW,
    Row(SEGMENTS_KEY, COUNTS, "`<minute>:<partition>` → version of that segment"),
    Row("segment:<minute>:<partition>", BYTES, "events of that minute, see [Minute segments](#minute-segments)"),
)
SEED_CONTRACT: Final = (*SEED_ROWS.values(), SNAPSHOT_ROWS["state_log"])


def audience_key(audience: Audience, attribute: str) -> str:
    """The key of an attribute of `AudienceRollup`: `audience_key("human", "views_1m")` is `rollup:human:views:1m`."""
    return of_audience(AUDIENCE_ROWS[attribute], audience)


def of_audience(row: Row, audience: Audience) -> str:
    """The key of a row of one audience."""
    return row.key.replace("<audience>", audience)
