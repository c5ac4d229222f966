"""Prepares a merged rollup for publishing: labels, ranks and cuts it, and removes personal data unless exposed."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from heapq import nsmallest
from operator import attrgetter
from typing import Final, TypeVar

import humanize
import msgspec
import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import LatestEvent
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.columns.products import ProductVariant
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.engine.popularity import BOT, HUMAN
from services.aggregate.engine.sessions import DURATION_S, SINGLE, STARTED
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.snapshot import Snapshot
from shared.events.addresses import truncated_ip
from shared.events.counted import CountedDecoder
from shared.events.schema import DEVICE_TYPES
from shared.events.time_units import HALF_HOUR_SECONDS, MINUTE_SECONDS
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
_MANY: Final = 4_096  # events
_SESSION_WINDOW: Final = "30m"  # as long as the gap that ends one

_Ordered = TypeVar("_Ordered", str, tuple[str, str])
# The ranking's own function, so that both share the groups that are remembered by it.
_PRODUCT_ID: Final = next(
    shown.text_of
    for dimension in RANKED_DIMENSIONS
    for shown in dimension.shown
    if shown.ranking == "products_1h" and shown.text_of
)
_IN_CATEGORY: Final = attrgetter("product_id", "category")

_AUDIENCE_ROWS: Final[Mapping[Audience, list[int]]] = {"human": [HUMAN], "bot": [BOT], "all": [HUMAN, BOT]}


def published(
    snapshot: Snapshot, meta: Meta, *, expose_pii: bool, counted_events: CountedDecoder = COUNTED_EVENTS
) -> Rollup:
    """The merged rollup as it is written to Redis: labelled, ranked, cut, and without personal data unless exposed."""
    rankings = _rankings(snapshot)
    audiences = {audience: _audience_rollup(snapshot, audience, rankings) for audience in AUDIENCES}

    def shown(latest: list[tuple[LatestEvent, int]]) -> list[PublishedEvent]:
        return [_published_event(counted_events, event, expose_pii=expose_pii) for event in _within_size(latest)]

    events, visitors = shown(snapshot.latest_events), shown(snapshot.latest_visitors)
    products = {product for windows in audiences.values() for product in windows.products_1h}
    info = _main_variant(snapshot.popularity_1h["product"], products)
    return Rollup(
        meta=meta,
        audiences=audiences,
        products_info={
            product: {"title": info[product].title, "category": info[product].category} for product in sorted(products)
        },
        latest_visitors=visitors,
        latest_events=events,
        seed=_seed(snapshot, audiences["all"], events),
    )


def _audience_rollup(snapshot: Snapshot, audience: Audience, rankings: Mapping[str, Popularity]) -> AudienceRollup:
    row = AUDIENCES.index(audience)
    periods = [*WINDOW_SECONDS, *(f"{window}:prev" for window in WINDOWS_WITH_PREVIOUS)]
    visitors = dict(zip(periods, snapshot.visitors[row].tolist(), strict=True))
    devices = dict(zip(DEVICE_TYPES, snapshot.device_visitors_10m.tolist(), strict=True))

    def ranked(popularity: Popularity, most: int | None = None) -> dict[str, int]:
        return dict(_ranked(popularity.names, popularity.events[_AUDIENCE_ROWS[audience]].sum(axis=0), most))

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
        **{ranking: ranked(popularity, AUDIENCE_ROWS[ranking].limit) for ranking, popularity in rankings.items()},
        devices_10m={device: devices[device] for device in _AUDIENCE_DEVICES[audience]},
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
    ranked = _ranked(products.names, products.events.sum(axis=0), SEED_PRODUCTS_SHOWN)
    return SeedRollup(
        # Like the template's Grouper: from the first minute with an event to the last, those between filled with zero.
        visits_15m=dict(_without_empty_ends(list(minutes.items()))),
        users_30m={start: users for start, users in everyone.visitors_30m.items() if users},
        device_events_10m=dict(zip(DEVICE_TYPES, snapshot.device_events_10m.tolist(), strict=True)),
        products_1h=[(*product, events) for product, events in ranked],
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


def _main_variant(products: Popularity, shown: AbstractSet[str]) -> dict[str, ProductVariant]:
    """Each product shown as most of its events have it, ties to the smaller category and title."""
    groups, events = products.groups(_PRODUCT_ID), products.events.sum(axis=0)
    is_shown = np.zeros(len(groups.names), np.bool_)
    is_shown[[groups.places[product] for product in shown]] = True
    best: dict[str, tuple[int, ProductVariant]] = {}
    for place in np.flatnonzero(is_shown[groups.of] & (events > 0)).tolist():
        variant = products.names[place]
        ranked = (-int(events[place]), variant)
        best[variant.product_id] = min(best.get(variant.product_id, ranked), ranked)
    return {product_id: variant for product_id, (_, variant) in best.items()}


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


def _ranked(members: Sequence[_Ordered], events: Ints, most: int | None = None) -> list[tuple[_Ordered, int]]:
    """The members with events, greatest first, ties to the smaller member bytewise, at most `most`.

    Text in Python sorts by code point, and so does its UTF-8 by byte.
    """
    places = np.flatnonzero(events if most is None else events >= _least_ranked(events, most))
    counted = [(members[place], count) for place, count in zip(places.tolist(), events[places].tolist(), strict=True)]
    return nsmallest(len(counted) if most is None else most, counted, key=lambda member: (-member[1], member[0]))


def _least_ranked(events: Ints, most: int) -> int:
    """The number of events of the `most`th greatest, at least 1."""
    # Most counts are small, so that counting how often each occurs is faster than partitioning them.
    with_at_least = np.bincount(np.minimum(events, _MANY))[::-1].cumsum()[::-1]
    if len(with_at_least) > _MANY and with_at_least[_MANY] >= most:
        many = events[events >= _MANY]
        return int(np.partition(many, -most)[-most])
    return max(1, int(np.count_nonzero(with_at_least >= most)) - 1)
