"""Prepares a merged rollup for publishing: labels, ranks and cuts it, and removes personal data unless exposed."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import humanize
import msgspec

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import LatestEvent
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.engine.sessions import DURATION_S, SINGLE, STARTED
from services.aggregate.rollups.goal_figures import published_goals
from services.aggregate.rollups.popularity import Popularity, of_audience
from services.aggregate.rollups.product_info import products_info
from services.aggregate.rollups.ranking import ranked
from services.aggregate.rollups.revenue import RevenueRollup
from services.aggregate.rollups.snapshot import Snapshot
from services.aggregate.rollups.sold_names import SoldIndex
from services.aggregate.rollups.trends import trends
from shared.events.addresses import truncated_ip
from shared.events.counted import CountedDecoder
from shared.events.schema import DEVICE_TYPES
from shared.events.time_units import HALF_HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.commerce import DEFAULT_CURRENCY
from shared.rollups.contract import AUDIENCE_ROWS, AudienceRollup, Rollup
from shared.rollups.model import (
    AUDIENCES,
    LATEST_EVENTS_MAX_BYTES,
    LATEST_VISITORS_SHOWN,
    SEED_PRODUCTS_SHOWN,
    SESSION_BUCKET_MS,
    WINDOW_SECONDS,
    WINDOWS_WITH_PREVIOUS,
    Audience,
    Meta,
    PublishedEvent,
    Sessions,
)
from shared.rollups.seed import SeedRollup

_AUDIENCE_DEVICES: Final[Mapping[Audience, tuple[str, ...]]] = {
    "human": tuple(device for device in DEVICE_TYPES if device != "Bot"),
    "bot": ("Bot",),
    "all": DEVICE_TYPES,
}
_SESSION_WINDOW: Final = "30m"  # as long as the gap that ends one

_IN_CATEGORY: Final = attrgetter("product_id", "category")


def published(
    snapshot: Snapshot,
    meta: Meta,
    *,
    expose_pii: bool,
    counted_events: CountedDecoder = COUNTED_EVENTS,
    currency: str = DEFAULT_CURRENCY,
    sold: SoldIndex | None = None,
    offsets: Mapping[int, int] | None = None,
) -> Rollup:
    """The merged rollup as it is written to Redis: labelled, ranked, cut, and without personal data unless exposed.

    `currency` is the reporting currency, and `sold` what the rollup before left in that currency.
    """
    rankings = _rankings(snapshot)
    sold = sold or SoldIndex(currency)
    revenue = RevenueRollup(snapshot.sales, snapshot.now_s, sold)
    trend = trends(snapshot, meta)
    audiences = {
        audience: _audience_rollup(snapshot, audience, rankings, revenue, trend[audience]) for audience in AUDIENCES
    }

    def shown(latest: list[tuple[LatestEvent, int]]) -> list[PublishedEvent]:
        return [_published_event(counted_events, event, expose_pii=expose_pii) for event in _within_size(latest)]

    events, visitors = shown(snapshot.latest_events), shown(snapshot.latest_visitors)
    return Rollup(
        meta=meta,
        audiences=audiences,
        products_info=products_info(snapshot, audiences.values(), sold),
        latest_visitors=visitors,
        latest_events=events,
        seed=_seed(snapshot, audiences["all"], events),
        offsets=offsets or {},
    )


def _audience_rollup(
    snapshot: Snapshot,
    audience: Audience,
    rankings: Mapping[str, Popularity],
    revenue: RevenueRollup,
    trend: Mapping[str, Any],
) -> AudienceRollup:
    row = AUDIENCES.index(audience)
    periods = [*WINDOW_SECONDS, *(f"{window}:prev" for window in WINDOWS_WITH_PREVIOUS)]
    visitors = dict(zip(periods, snapshot.visitors[row].tolist(), strict=True))
    devices = dict(zip(DEVICE_TYPES, snapshot.device_visitors_10m.tolist(), strict=True))

    def named(popularity: Popularity, most: int | None = None) -> Any:
        return dict(ranked(popularity.names, of_audience(popularity.events, audience), most, popularity.order))

    return AudienceRollup(
        visitors=visitors,
        views=dict(zip(periods, snapshot.views[row].tolist(), strict=True)),
        sessions=_sessions(snapshot.sessions[row], active=visitors[_SESSION_WINDOW]),
        sessions_5m=_labelled(snapshot.sessions_5m[row, STARTED], snapshot.now_s, SESSION_BUCKET_MS // 1000),
        bounces_5m=_labelled(snapshot.sessions_5m[row, SINGLE], snapshot.now_s, SESSION_BUCKET_MS // 1000),
        durations_5m=_labelled(snapshot.sessions_5m[row, DURATION_S], snapshot.now_s, SESSION_BUCKET_MS // 1000),
        views_1m=_labelled(snapshot.views_1m[row], snapshot.now_s, MINUTE_SECONDS),
        visitors_1m=_labelled(snapshot.visitors_1m[row], snapshot.now_s, MINUTE_SECONDS),
        views_30m=_labelled(snapshot.views_30m[row], snapshot.now_s, HALF_HOUR_SECONDS),
        visitors_30m=_labelled(snapshot.visitors_30m[row], snapshot.now_s, HALF_HOUR_SECONDS),
        **{ranking: named(popularity, AUDIENCE_ROWS[ranking].limit) for ranking, popularity in rankings.items()},
        devices_10m={device: devices[device] for device in _AUDIENCE_DEVICES[audience]},
        **published_goals(snapshot.goals, audience, visitors, snapshot.now_s),
        **revenue.of(audience),
        **trend,
    )


def _sessions(figures: Ints, active: int) -> Sessions:
    """`active` is the visitors of the trailing half hour: no visitor has two sessions whose last event is in it."""
    started, single, views, duration_s = figures.tolist()
    if not started:
        return Sessions(active=active)
    return Sessions(
        active=active,
        started_1h=started,
        bounce_rate_1h=round(single / started, 4),
        views_per_session_1h=round(views / started, 4),
        duration_s_1h=round(duration_s / started, 1),
    )


def _seed(snapshot: Snapshot, everyone: AudienceRollup, events: list[PublishedEvent]) -> SeedRollup:
    minutes = _labelled(snapshot.visits_15m, snapshot.now_s, MINUTE_SECONDS)
    products = snapshot.popularity_1h["product"].grouped(_IN_CATEGORY)
    leading = ranked(products.names, products.events.sum(axis=0), SEED_PRODUCTS_SHOWN, products.order)
    return SeedRollup(
        # Like the template's Grouper: from the first minute with an event to the last, those between filled with zero.
        visits_15m=dict(_without_empty_ends(list(minutes.items()))),
        users_30m={start: users for start, users in everyone.visitors_30m.items() if users},
        device_events_10m=dict(zip(DEVICE_TYPES, snapshot.device_events_10m.tolist(), strict=True)),
        products_1h=[(*product, events) for product, events in leading],
        latest_visitors=[
            (humanize.naturaltime(snapshot.now_s - event["timestamp"] // 1000), event)
            for event in events[:LATEST_VISITORS_SHOWN]
        ],
        categories_1h=list(everyone.categories_1h.items()),
        raw_data=events,
    )


def _rankings(snapshot: Snapshot) -> dict[str, Popularity]:
    """The popularity of each ranking that is published, by attribute of `AudienceRollup`."""
    return {
        shown.ranking: popularity if shown.text_of is None else popularity.grouped(shown.text_of)
        for dimension in RANKED_DIMENSIONS
        for shown in dimension.shown
        if shown.ranking
        for popularity in [snapshot.popularity_1h[dimension.name]]
    }


def _within_size(latest: list[tuple[LatestEvent, int]]) -> Iterator[LatestEvent]:
    """The newest events, while their values have LATEST_EVENTS_MAX_BYTES together."""
    total_bytes = 0
    for event, _ in latest:
        total_bytes += len(event.value)
        if total_bytes > LATEST_EVENTS_MAX_BYTES:
            return
        yield event


def _published_event(counted_events: CountedDecoder, latest: LatestEvent, *, expose_pii: bool) -> PublishedEvent:
    event = counted_events.decode_shown(latest.value)
    fields: PublishedEvent = {
        name: value for name, value in msgspec.structs.asdict(event).items() if value is not msgspec.UNSET
    }
    fields["datetime"] = event.datetime.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if not expose_pii:
        del fields["birthdate"]
        fields["ip"] = _truncated_ip(fields["ip"])
    return fields


_truncated_ip = lru_cache(maxsize=4096)(truncated_ip)  # successive publishes show nearly the same addresses


def _labelled(counts: Ints, now_s: int, bucket_seconds: int) -> dict[int, int]:
    last = now_s // bucket_seconds
    starts = range(last - len(counts) + 1, last + 1)
    return {start * bucket_seconds * 1000: count for start, count in zip(starts, counts.tolist(), strict=True)}


def _without_empty_ends(counts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    filled = [place for place, (_, count) in enumerate(counts) if count]
    return counts[filled[0] : filled[-1] + 1] if filled else []
