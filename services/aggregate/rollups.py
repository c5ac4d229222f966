"""Rollups: what a partition's windows say at their publish instant, merged over partitions, and made ready to publish.

Events of a visitor are all on one partition, so that even distinct visitors add up over partitions.
"""

import ipaddress
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nlargest, nsmallest
from typing import Final, TypeVar

import humanize
import msgspec
import numpy as np

from services.aggregate.arrays import Array, Ints, trailing
from services.aggregate.batch import BOT_DEVICE, Conservation, LatestEvent, Product
from services.aggregate.latest import one_a_visitor
from services.aggregate.names import Names
from services.aggregate.popularity import BOT, HOUR_SECONDS, HUMAN
from services.aggregate.visitors import ALL_ROW, BOT_ROW, HUMAN_ROW
from services.aggregate.windows import HALF_HOUR_SECONDS, MINUTE_SECONDS, Windows
from shared.events import DEVICE_TYPES, UNKNOWN, EnrichedEvent
from shared.rollup_keys import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    MINUTES_SHOWN,
    PRODUCTS_SHOWN,
    SEED_PRODUCTS_SHOWN,
    WINDOW_SECONDS,
    WINDOWS_WITH_PREVIOUS,
    Audience,
    AudienceRollup,
    Meta,
    PublishedEvent,
    Rollup,
    SeedRollup,
)

DEVICE_WINDOW_SECONDS: Final = 600
SEED_VISITS_SECONDS: Final = 900
_SEED_VISITS_MINUTES: Final = SEED_VISITS_SECONDS // MINUTE_SECONDS + 1  # the first and the last are cut

_Name = TypeVar("_Name", bound=Hashable)
_Ordered = TypeVar("_Ordered", str, Product)

_AUDIENCE_ROW = {"human": HUMAN_ROW, "bot": BOT_ROW, "all": ALL_ROW}
_AUDIENCE_DEVICES: Mapping[Audience, tuple[str, ...]] = {
    "human": tuple(device for device in DEVICE_TYPES if device != "Bot"),
    "bot": ("Bot",),
    "all": DEVICE_TYPES,
}


@dataclass(frozen=True, slots=True)
class PartitionRollup:
    """The figures of one partition, or the sum of several, all at the same publish instant. Rows are AUDIENCES."""

    now_s: int
    newest_event_ms: int
    conservation: Conservation
    visitors: Ints  # audience × WINDOW_SECONDS
    views: Ints  # audience × WINDOW_SECONDS and the previous periods
    views_1m: Ints  # audience × MINUTES_SHOWN
    visitors_1m: Ints
    views_30m: Ints  # audience × HALF_HOURS_SHOWN
    visitors_30m: Ints
    device_visitors_10m: Ints  # by DEVICE_TYPES
    device_events_10m: Ints
    visits_15m: Ints  # by minute that the trailing 15 minutes touch, oldest first
    products_1h: Counter[tuple[Product, int]]  # (product, HUMAN or BOT) → events
    countries_1h: Counter[tuple[str, int]]
    titles: Mapping[str, str]
    latest_events: list[tuple[LatestEvent, int]]  # with the partition, newest first
    latest_visitors: list[tuple[LatestEvent, int]]


def roll_up(windows: Windows, partition: int) -> PartitionRollup:
    """Read the figures of one partition off its windows."""
    now_s = windows.now_s
    per_second = _by_audience(windows.views)
    this_minute = now_s - now_s % MINUTE_SECONDS
    this_half_hour = now_s - now_s % HALF_HOUR_SECONDS
    since = (now_s - HOUR_SECONDS + 1) * 1000
    ten_minutes = trailing(windows.views, now_s, DEVICE_WINDOW_SECONDS)
    return PartitionRollup(
        now_s=now_s,
        newest_event_ms=windows.newest_event_ms,
        conservation=replace(windows.conservation),
        visitors=np.array(
            [
                [
                    windows.last_seen.distinct(_AUDIENCE_ROW[audience], now_s, seconds)
                    for seconds in WINDOW_SECONDS.values()
                ]
                for audience in AUDIENCES
            ]
        ),
        views=np.stack(
            [trailing(per_second, end, seconds).sum(axis=1) for end, seconds in _view_windows(now_s)], axis=1
        ),
        views_1m=_buckets(per_second, now_s, this_minute, MINUTE_SECONDS, MINUTES_SHOWN),
        visitors_1m=windows.by_minute.counts(now_s),
        views_30m=_buckets(per_second, now_s, this_half_hour, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN),
        visitors_30m=windows.by_half_hour.counts(now_s),
        device_visitors_10m=np.array(
            [windows.last_seen.distinct(row, now_s, DEVICE_WINDOW_SECONDS) for row in range(len(DEVICE_TYPES))]
        ),
        device_events_10m=ten_minutes.sum(axis=1),
        visits_15m=_visits_by_minute(per_second[AUDIENCES.index("all")], now_s),
        products_1h=_counter(windows.products, windows.popularity.products),
        countries_1h=_counter(windows.countries, windows.popularity.countries),
        titles=windows.titles,
        latest_events=[(event, partition) for event in windows.latest.events if event.timestamp_ms >= since],
        latest_visitors=[(event, partition) for event in windows.latest.visitors if event.timestamp_ms >= since],
    )


def merge(rollups: Sequence[PartitionRollup]) -> PartitionRollup:
    """The rollup of all events of at least one partition; associative and commutative. All must end at one instant."""
    if len(rollups) == 1:
        return rollups[0]
    assert len({rollup.now_s for rollup in rollups}) == 1
    conservation = Conservation()
    for rollup in rollups:
        conservation.add(rollup.conservation)
    latest_visitors = sorted(
        (event for rollup in rollups for event in rollup.latest_visitors), key=_order, reverse=True
    )
    first_of_each = one_a_visitor([event for event, _ in latest_visitors])

    def total(name: str) -> Ints:
        added: Ints = sum(getattr(rollup, name) for rollup in rollups)
        return added

    return PartitionRollup(
        now_s=rollups[0].now_s,
        newest_event_ms=max(rollup.newest_event_ms for rollup in rollups),
        conservation=conservation,
        visitors=total("visitors"),
        views=total("views"),
        views_1m=total("views_1m"),
        visitors_1m=total("visitors_1m"),
        views_30m=total("views_30m"),
        visitors_30m=total("visitors_30m"),
        device_visitors_10m=total("device_visitors_10m"),
        device_events_10m=total("device_events_10m"),
        visits_15m=total("visits_15m"),
        products_1h=_added(rollup.products_1h for rollup in rollups),
        countries_1h=_added(rollup.countries_1h for rollup in rollups),
        titles={product: title for rollup in rollups for product, title in rollup.titles.items()},
        latest_events=nlargest(
            LATEST_EVENTS_SHOWN, (e for rollup in rollups for e in rollup.latest_events), key=_order
        ),
        latest_visitors=[event for event in latest_visitors if event[0] in first_of_each],
    )


def published(rollup: PartitionRollup, meta: Meta, *, expose_pii: bool) -> Rollup:
    """The merged rollup as it is written to Redis: labelled, ranked, cut, and without personal data unless exposed."""
    audiences = {audience: _audience_rollup(rollup, audience) for audience in AUDIENCES}
    events = [_published_event(latest.event, expose_pii=expose_pii) for latest, _ in rollup.latest_events]
    visitors = [_published_event(latest.event, expose_pii=expose_pii) for latest, _ in rollup.latest_visitors]
    categories: dict[str, str] = {}
    for (product, _), _ in rollup.products_1h.most_common()[::-1]:
        categories[product.product_id] = product.category  # of a product with several, the one with most events
    shown = {product for windows in audiences.values() for product in windows.products_1h}
    return Rollup(
        meta=meta,
        audiences=audiences,
        products_info={
            product: {"title": rollup.titles.get(product, UNKNOWN), "category": categories[product]}
            for product in sorted(shown)
        },
        latest_visitors=visitors,
        latest_events=events,
        seed=_seed(rollup, audiences["all"]),
        relative_times=[humanize.naturaltime(rollup.now_s - event["timestamp"] // 1000) for event in events[:10]],
    )


def _audience_rollup(rollup: PartitionRollup, audience: Audience) -> AudienceRollup:
    row = AUDIENCES.index(audience)
    views = [*WINDOW_SECONDS, *(f"{window}:prev" for window in WINDOWS_WITH_PREVIOUS)]
    members = {"human": (HUMAN,), "bot": (BOT,), "all": (HUMAN, BOT)}[audience]
    products: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for (product, member), events in rollup.products_1h.items():
        if member in members:
            products[product.product_id] += events
            categories[product.category] += events
    countries: Counter[str] = Counter()
    for (country, member), events in rollup.countries_1h.items():
        if member in members:
            countries[country] += events
    devices = dict(zip(DEVICE_TYPES, rollup.device_visitors_10m.tolist(), strict=True))
    return AudienceRollup(
        visitors=dict(zip(WINDOW_SECONDS, rollup.visitors[row].tolist(), strict=True)),
        views=dict(zip(views, rollup.views[row].tolist(), strict=True)),
        views_1m=_labelled(rollup.views_1m[row], rollup.now_s, MINUTE_SECONDS),
        visitors_1m=_labelled(rollup.visitors_1m[row], rollup.now_s, MINUTE_SECONDS),
        views_30m=_labelled(rollup.views_30m[row], rollup.now_s, HALF_HOUR_SECONDS),
        visitors_30m=_labelled(rollup.visitors_30m[row], rollup.now_s, HALF_HOUR_SECONDS),
        products_1h=dict(_ranked(products, PRODUCTS_SHOWN)),
        categories_1h=dict(_ranked(categories)),
        countries_1h=dict(_ranked(countries)),
        devices_10m={device: devices[device] for device in _AUDIENCE_DEVICES[audience]},
    )


def _seed(rollup: PartitionRollup, everyone: AudienceRollup) -> SeedRollup:
    products: Counter[Product] = Counter()
    for (product, _), events in rollup.products_1h.items():
        products[product] += events
    minutes = _labelled(rollup.visits_15m, rollup.now_s, MINUTE_SECONDS)
    return SeedRollup(
        # As the template's Grouper: from the first minute with an event to the last, those between filled with zero.
        visits_15m=dict(_without_empty_ends(list(minutes.items()))),
        users_30m={start: users for start, users in everyone.visitors_30m.items() if users},
        device_events_10m=dict(zip(DEVICE_TYPES, rollup.device_events_10m.tolist(), strict=True)),
        products_1h=[(*product, events) for product, events in _ranked(products, SEED_PRODUCTS_SHOWN)],
        categories_1h=_ranked(everyone.categories_1h),
    )


def _published_event(event: EnrichedEvent, *, expose_pii: bool) -> PublishedEvent:
    fields: PublishedEvent = {
        name: value for name, value in msgspec.structs.asdict(event).items() if value is not msgspec.UNSET
    }
    fields["datetime"] = event.datetime.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if not expose_pii:
        del fields["birthdate"]
        fields["ip"] = truncated_ip(fields["ip"]) if fields["ip"] is not None else None
    return fields


@lru_cache(maxsize=4096)
def truncated_ip(ip: str) -> str | None:
    """The address with its last octet (IPv6: all but the first 48 bits) zero; None for what is no address."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False).network_address)


def _by_audience(by_device: Array) -> Ints:
    every = by_device.sum(axis=0, dtype=np.int64)
    bots = by_device[BOT_DEVICE]
    rows = {"human": every - bots, "bot": bots, "all": every}
    return np.stack([rows[audience] for audience in AUDIENCES])


def _view_windows(now_s: int) -> list[tuple[int, int]]:
    """The last second and the length of each window of views: the trailing ones, then the previous of each."""
    previous = [WINDOW_SECONDS[window] for window in WINDOWS_WITH_PREVIOUS]
    return [(now_s, seconds) for seconds in WINDOW_SECONDS.values()] + [
        (now_s - seconds, seconds) for seconds in previous
    ]


def _buckets(per_second: Ints, now_s: int, running_start_s: int, bucket_seconds: int, shown: int) -> Ints:
    """Events by audience and bucket, the running bucket up to now last."""
    closed = trailing(per_second, running_start_s - 1, bucket_seconds * (shown - 1))
    closed = closed.reshape(len(per_second), shown - 1, bucket_seconds).sum(axis=2)
    running = trailing(per_second, now_s, now_s - running_start_s + 1).sum(axis=1, keepdims=True)
    return np.concatenate((closed, running), axis=1)


def _visits_by_minute(per_second: Ints, now_s: int) -> Ints:
    seconds = np.arange(now_s - SEED_VISITS_SECONDS + 1, now_s + 1)
    minute = seconds // MINUTE_SECONDS - now_s // MINUTE_SECONDS + _SEED_VISITS_MINUTES - 1
    visits = np.zeros(_SEED_VISITS_MINUTES, np.int64)
    np.add.at(visits, minute, trailing(per_second, now_s, SEED_VISITS_SECONDS))
    return visits


def _labelled(counts: Ints, now_s: int, bucket_seconds: int) -> dict[int, int]:
    last = now_s // bucket_seconds
    starts = range(last - len(counts) + 1, last + 1)
    return {start * bucket_seconds * 1000: count for start, count in zip(starts, counts.tolist(), strict=True)}


def _without_empty_ends(counts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    filled = [place for place, (_, count) in enumerate(counts) if count]
    return counts[filled[0] : filled[-1] + 1] if filled else []


def _counter(names: Names[_Name], counts: Ints) -> Counter[tuple[_Name, int]]:
    rows, codes = np.nonzero(counts)
    members = zip(rows.tolist(), codes.tolist(), counts[rows, codes].tolist(), strict=True)
    return Counter({(names[code], row): events for row, code, events in members})


def _added(counters: Iterable[Counter[_Name]]) -> Counter[_Name]:
    total: Counter[_Name] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _ranked(counts: Mapping[_Ordered, int], most: int | None = None) -> list[tuple[_Ordered, int]]:
    """Greatest first; ties go to the smaller member, which for text is the smaller bytewise: UTF-8 keeps the order."""
    return nsmallest(len(counts) if most is None else most, counts.items(), key=lambda member: (-member[1], member[0]))


def _order(event: tuple[LatestEvent, int]) -> tuple[int, int, int, int]:
    latest, partition = event
    return latest.timestamp_ms, latest.arrival_ms, partition, latest.offset
