"""A small, believable rollup for tests of readers: every key is filled, each with different counts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import redis

from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.codecs import RANKING, RISING
from shared.rollups.commerce import GoalCounts, Revenue, Sales
from shared.rollups.commerce_codecs import SALES
from shared.rollups.contract import AUDIENCE_ROWS, PREVIOUS_ROWS, AudienceRollup, Rollup
from shared.rollups.model import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    MINUTES_SHOWN,
    SESSION_BUCKET_MS,
    SESSION_BUCKETS_SHOWN,
    WINDOW_SECONDS,
    Audience,
    Meta,
    Rising,
    Sessions,
)
from shared.rollups.seed import SeedRollup
from shared.rollups.writing import RollupWriter

NOON_MS: Final = 1_795_348_800_000  # 2026-11-22T12:00:00Z
_RANKINGS: Final = [attribute for attribute, row in AUDIENCE_ROWS.items() if row.codec is RANKING]
_SALES: Final = [attribute for attribute, row in AUDIENCE_ROWS.items() if row.codec is SALES]
_OTHERS: Final = {"first": 30, "second": 10}  # of a ranking without a sample of its own
_RISING: Final = {"first": Rising(120, 20.25, 144.5), "second": Rising(31, 12.0, 9.75)}
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
        offsets={0: 1_234, 1: (as_of_ms - 1500) << 20},
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
        "browser": ("Firefox", "Mobile Safari")[number % 2],
        "operatingSystem": ("Linux", "iOS")[number % 2],
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
    def times(counts: dict[Any, int]) -> Any:
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
        "channels_1h": {"Direct": 210, "Organic search": 140, "Internal": 90, "Social": 41, "AI assistant": 9},
        "campaigns_1h": {"spring_sale (newsletter / email)": 44, "brand (google / cpc)": 21, "poster": 2},
        "browsers_1h": {"Chrome": 220, "Mobile Safari": 130, "Firefox": 31, "Other": 4},
        "operating_systems_1h": {"Windows": 160, "iOS": 130, "Android": 90, "Other": 4},
        "sites_1h": {"shop.example": 301, "blog.example": 96, "outlet.example": 13},
        "event_types_1h": {"page_view": 410, "add_to_cart": 60, "purchase": 12},
        "devices_10m": {"Desktop": 40, "Mobile": 30, "Tablet": 2, "Bot": 1, "Other": 1},
        "goals_1h": {"Purchase": 164, "Signed up": 28},
    }
    series = _series(as_of_ms, MINUTE_MS, MINUTES_SHOWN)
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
        goals={"Purchase": _goal(factor, 41), "Signed up": _goal(factor, 7)},
        goals_1m={start: {"Purchase": factor} if place % 5 == 0 else {} for place, start in enumerate(series)},
        revenue=_revenue("EUR", Decimal("1240.50") * factor, 25 * factor),
        other_currencies={"USD": _revenue("USD", Decimal("99.99"), 3), "CHF": _revenue("CHF", Decimal("-7.25"), 1)},
        revenue_as_other={"1h": 0, "8h": 2 * factor},
        revenue_1m={start: Decimal(count * factor) / 4 for start, count in series.items()},
        revenue_30m={
            start: Decimal(count * factor) * Decimal("10.01")
            for start, count in _series(as_of_ms, HALF_HOUR_MS, HALF_HOURS_SHOWN).items()
        },
        **_sales(products, categories, factor),
        previous={attribute: times(rankings.get(attribute, _OTHERS)) for attribute in PREVIOUS_ROWS},
        previous_events=dict.fromkeys(PREVIOUS_ROWS, 5_000 * factor),
        **_rising(),
    )


def _sales(products: dict[str, int], categories: dict[str, int], factor: int) -> Any:
    return {
        attribute: {
            name: Sales(Decimal("19.99") * count * factor, count * factor)
            for name, count in (products if "products" in attribute else categories).items()
        }
        for attribute in _SALES
    }


def _rising() -> Any:
    return {attribute: dict(_RISING) for attribute, row in AUDIENCE_ROWS.items() if row.codec is RISING}


def _goal(factor: int, conversions: int) -> GoalCounts:
    windows = dict(zip(WINDOW_SECONDS, range(conversions, 6 * conversions, conversions), strict=True))
    return GoalCounts(
        conversions={window: factor * count for window, count in windows.items()},
        visitors={window: factor * count - 1 for window, count in windows.items()},
        rate={window: round(count / 4096, 4) for window, count in windows.items()},
    )


def _revenue(currency: str, revenue: Decimal, orders: int) -> Revenue:
    return Revenue(
        currency=currency,
        revenue_1h=revenue,
        orders_1h=orders,
        average_order_1h=Decimal("52.62"),
        refunds_1h=2,
        refunded_1h=Decimal("75"),
        revenue_8h=revenue * 7,
        orders_8h=orders * 7,
        average_order_8h=Decimal("50.620001"),
        refunds_8h=9,
        refunded_8h=Decimal("312.125"),
    )


def _series(as_of_ms: int, step_ms: int, length: int) -> dict[int, int]:
    last = as_of_ms // step_ms * step_ms
    return {last - step_ms * (length - 1 - place): 20 + place for place in range(length)}
