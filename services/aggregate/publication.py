"""What is published of a merged rollup: labelled, ranked, cut, and without personal data unless it is exposed."""

import ipaddress
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from heapq import nsmallest
from typing import Final, TypeVar

import humanize
import msgspec

from services.aggregate.arrays import Ints
from services.aggregate.batch import Product
from services.aggregate.popularity import BOT, HUMAN
from services.aggregate.rollups import PartitionRollup
from services.aggregate.windows import HALF_HOUR_SECONDS, MINUTE_SECONDS
from shared.events import DEVICE_TYPES, UNKNOWN, EnrichedEvent
from shared.rollup_keys import (
    AUDIENCES,
    LATEST_VISITORS_SHOWN,
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

_AUDIENCE_DEVICES: Final[Mapping[Audience, tuple[str, ...]]] = {
    "human": tuple(device for device in DEVICE_TYPES if device != "Bot"),
    "bot": ("Bot",),
    "all": DEVICE_TYPES,
}
_AUDIENCE_MEMBERS: Final[Mapping[Audience, tuple[int, ...]]] = {"human": (HUMAN,), "bot": (BOT,), "all": (HUMAN, BOT)}

_Ordered = TypeVar("_Ordered", str, Product)


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
        relative_times=[
            humanize.naturaltime(rollup.now_s - event["timestamp"] // 1000) for event in events[:LATEST_VISITORS_SHOWN]
        ],
    )


def _audience_rollup(rollup: PartitionRollup, audience: Audience) -> AudienceRollup:
    row = AUDIENCES.index(audience)
    views = [*WINDOW_SECONDS, *(f"{window}:prev" for window in WINDOWS_WITH_PREVIOUS)]
    products: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for (product, member), events in rollup.products_1h.items():
        if member in _AUDIENCE_MEMBERS[audience]:
            products[product.product_id] += events
            categories[product.category] += events
    countries: Counter[str] = Counter()
    for (country, member), events in rollup.countries_1h.items():
        if member in _AUDIENCE_MEMBERS[audience]:
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


def _labelled(counts: Ints, now_s: int, bucket_seconds: int) -> dict[int, int]:
    last = now_s // bucket_seconds
    starts = range(last - len(counts) + 1, last + 1)
    return {start * bucket_seconds * 1000: count for start, count in zip(starts, counts.tolist(), strict=True)}


def _without_empty_ends(counts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    filled = [place for place, (_, count) in enumerate(counts) if count]
    return counts[filled[0] : filled[-1] + 1] if filled else []


def _ranked(counts: Mapping[_Ordered, int], most: int | None = None) -> list[tuple[_Ordered, int]]:
    """Greatest first; ties go to the smaller member, which for text is the smaller bytewise: UTF-8 keeps the order."""
    return nsmallest(len(counts) if most is None else most, counts.items(), key=lambda member: (-member[1], member[0]))
