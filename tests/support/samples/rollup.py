"""A small, believable rollup for tests of readers: every key is filled, each with different counts."""

from dataclasses import replace
from typing import Any, Final

import redis

from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.codecs import RANKING
from shared.rollups.contract import AUDIENCE_ROWS, AudienceRollup, Rollup
from shared.rollups.model import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    MINUTES_SHOWN,
    SESSION_BUCKET_MS,
    SESSION_BUCKETS_SHOWN,
    Audience,
    Meta,
    Sessions,
)
from shared.rollups.seed import SeedRollup
from shared.rollups.writing import RollupWriter

NOON_MS: Final = 1_795_348_800_000  # 2026-11-22T12:00:00Z
_RANKINGS: Final = [attribute for attribute, row in AUDIENCE_ROWS.items() if row.codec is RANKING]
_OTHERS: Final = {"first": 30, "second": 10}  # of a ranking without a sample of its own
_FACTORS: Final[dict[Audience, int]] = {"human": 2, "bot": 1, "all": 3}


def sample_rollup(as_of_ms: int = NOON_MS, **meta: Any) -> Rollup:
    """A rollup published for `as_of_ms`, with an event each second. `meta` replaces fields of its Meta."""
    events = [sample_event(number, as_of_ms - 1000 * number) for number in range(100)]
    views_1m = _series(as_of_ms, MINUTE_MS, MINUTES_SHOWN)
    visitors_30m = _series(as_of_ms, HALF_HOUR_MS, HALF_HOURS_SHOWN)
    products = {f"p{number}": 200 - number for number in range(100)}
    categories = {"Books": 420, "Home & Garden": 311, "Toys": 17}
    return Rollup(
        meta=replace(
            Meta(
                as_of_ms=as_of_ms,
                newest_event_ms=as_of_ms - 1500,
                lag=3,
                events_per_second=12.34,
                read=1_234_567,
                counted=1_234_560,
                late=4,
                duplicates=2,
                dead_letters=1,
                coverage_1h_s=3600,
                coverage_8h_s=28_800,
                partitions=4,
                publisher="aggregate-1",
            ),
            **meta,
        ),
        audiences={audience: _windows(_FACTORS[audience], as_of_ms, products, categories) for audience in AUDIENCES},
        products_info={
            product: {"title": f"Title of {product}", "category": list(categories)[number % 3]}
            for number, product in enumerate(products)
        },
        latest_visitors=events[:10],
        latest_events=events,
        seed=SeedRollup(
            visits_15m=dict(list(views_1m.items())[-15:]),
            users_30m=visitors_30m,
            device_events_10m={"Desktop": 70, "Mobile": 60, "Tablet": 5, "Bot": 4, "Other": 3},
            products_1h=[(product, "Books", views) for product, views in list(products.items())[:10]],
            latest_visitors=[(f"{number} seconds ago", event) for number, event in enumerate(events[:10])],
            categories_1h=list(categories.items()),
            raw_data=events,
        ),
    )


def sample_event(number: int, timestamp_ms: int) -> dict[str, Any]:
    """An event as the aggregate service publishes it."""
    return {
        "timestamp": timestamp_ms,
        "original_timestamp": timestamp_ms - 5,
        "userId": f"visitor-{number}",
        "ip": f"203.0.{number}.0",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
        "productId": f"p{number}",
        "category": "Books",
        "title": f"Title of p{number}",
        "gender": "F",
        "country": "Germany",
        "deviceType": ("Desktop", "Mobile")[number % 2],
        "age": 30 + number % 40,
        "birthdate": None,
        "datetime": iso_second(timestamp_ms),
    }


def publish(client: redis.Redis, rollup: Rollup, prefix: str = "") -> None:
    """Write `rollup` as the publisher does, in one MULTI/EXEC."""
    pipeline = client.pipeline(transaction=True)
    RollupWriter(client, prefix).write(pipeline, rollup)
    pipeline.execute()


def _windows(factor: int, as_of_ms: int, products: dict[str, int], categories: dict[str, int]) -> AudienceRollup:
    def times(counts: dict[Any, int]) -> dict[Any, int]:
        return {name: factor * count for name, count in counts.items()}

    views = {"5m": 901, "15m": 2_702, "30m": 5_403, "1h": 11_005, "8h": 64_006}
    previous = {"5m:prev": 800, "15m:prev": 2_500, "30m:prev": 5_000, "1h:prev": 10_000}
    visitors = {"5m": 411, "15m": 822, "30m": 1_233, "1h": 1_844, "8h": 9_055}
    visitors_before = {"5m:prev": 300, "15m:prev": 822, "30m:prev": 1_370, "1h:prev": 1_700}
    rankings = {
        "products_1h": products,
        "categories_1h": categories,
        "pages_1h": {"/": 410, "/basket": 96, "/p/1?": 3},
        "countries_1h": {"Germany": 300, "Brazil": 100, "Unknown": 100},
        "devices_10m": {"Desktop": 40, "Mobile": 30, "Tablet": 2, "Bot": 1, "Other": 1},
    }
    return AudienceRollup(
        visitors=times({**visitors, **visitors_before}),
        views=times({**views, **previous}),
        views_1m=times(_series(as_of_ms, MINUTE_MS, MINUTES_SHOWN)),
        visitors_1m=_series(as_of_ms, MINUTE_MS, MINUTES_SHOWN),
        views_30m=times(_series(as_of_ms, HALF_HOUR_MS, HALF_HOURS_SHOWN)),
        visitors_30m=_series(as_of_ms, HALF_HOUR_MS, HALF_HOURS_SHOWN),
        sessions=Sessions(
            active=factor * 612,
            started_1h=factor * 804,
            bounce_rate_1h=0.4125,
            views_per_session_1h=3.7031,
            duration_s_1h=182.4,
        ),
        sessions_5m=times(_series(as_of_ms, SESSION_BUCKET_MS, SESSION_BUCKETS_SHOWN)),
        bounces_5m=_series(as_of_ms, SESSION_BUCKET_MS, SESSION_BUCKETS_SHOWN),
        durations_5m=times(_series(as_of_ms, SESSION_BUCKET_MS, SESSION_BUCKETS_SHOWN)),
        **{attribute: times(rankings.get(attribute, _OTHERS)) for attribute in _RANKINGS},
    )


def _series(as_of_ms: int, step_ms: int, length: int) -> dict[int, int]:
    last = as_of_ms // step_ms * step_ms
    return {last - step_ms * (length - 1 - place): 20 + place for place in range(length)}
