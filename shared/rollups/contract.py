"""The Redis contract, version 1: one row per key, attached to the field it stores.

`writing` and `reading` loop over the rows; docs/redis.md is generated from them. A new hourly ranking is one field of
`AudienceRollup`: with a `segment` column, Explore breaks down by it, and with a `plural` filters by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from shared.rollups.codecs import BYTES, COUNTS, EVENTS, INFO, META, RANKING, SERIES, SESSIONS, STATE_LOG
from shared.rollups.model import (
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    LATEST_VISITORS_SHOWN,
    MINUTES_SHOWN,
    SESSION_BUCKETS_SHOWN,
    Audience,
    Meta,
    PublishedEvent,
    Sessions,
    StateLogEntry,
)
from shared.rollups.rows import Row, SegmentColumn, rows_of
from shared.rollups.seed import SeedRollup
from shared.rollups.segment_keys import SEGMENTS_KEY

META_KEY: Final = "rollup:meta"
STATE_LOG_KEY: Final = "state_logs"
STATE_LOG_LENGTH: Final = 10

Counts = Mapping[str, int]
Series = Mapping[int, int]  # start (epoch ms) → count, oldest first


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
    devices_10m: Annotated[
        Counts, Row("rollup:<audience>:devices:10m", RANKING, "`deviceType` → distinct visitors, last 10 minutes")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRollup:
    """What is published once for all audiences."""

    meta: Annotated[Meta, Row(META_KEY, META, "see [Meta](#meta)")]
    products_info: Annotated[
        Mapping[str, Mapping[str, str | None]],
        Row("rollup:products:info", INFO, '`productId` → JSON `{"title", "category"}`, of the ranked products'),
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
SITE_ROWS: Final = rows_of(SiteRollup)
SEED_ROWS: Final = rows_of(SeedRollup)
SNAPSHOT_ROWS: Final = rows_of(Snapshot)
NATIVE_CONTRACT: Final = (
    *SITE_ROWS.values(),
    *AUDIENCE_ROWS.values(),
    Row(SEGMENTS_KEY, COUNTS, "`<minute>:<partition>` → version of that segment"),
    Row("segment:<minute>:<partition>", BYTES, "events of that minute, see [Minute segments](#minute-segments)"),
)
SEED_CONTRACT: Final = (*SEED_ROWS.values(), SNAPSHOT_ROWS["state_log"])


def audience_key(audience: Audience, attribute: str) -> str:
    """The key of an attribute of `AudienceRollup`: `audience_key("human", "views_1m")` is `rollup:human:views:1m`."""
    return AUDIENCE_ROWS[attribute].key.replace("<audience>", audience)
