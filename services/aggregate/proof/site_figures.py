"""What is published once for all audiences, and the keys of the Quix template, by brute force. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import humanize
import msgspec

from services.aggregate.proof.by_name import top
from services.aggregate.proof.clicks import CATEGORY, PLACES, PRODUCT, TITLE, Click
from services.aggregate.proof.counted import CountedClicks
from shared.events.addresses import truncated_ip
from shared.events.timestamps import iso_second
from shared.rollups.model import (
    AUDIENCES,
    LATEST_EVENTS_MAX_BYTES,
    LATEST_VISITORS_SHOWN,
    SEED_PRODUCTS_SHOWN,
    PublishedEvent,
)

_TITLE: Final = PLACES[TITLE]
_SHOWING_PRODUCTS: Final = (
    "products_1h", "products_5m", "rising_products", "revenue_products_1h", "revenue_products_8h",
)  # fmt: skip


def site_figures(
    counted: CountedClicks, audiences: Mapping[Any, Mapping[str, Any]], now_s: int, *, expose_pii: bool
) -> dict[str, Any]:
    """By attribute of `SiteRollup`. `audiences` are the figures of each."""
    latest = counted.latest()

    def shown(clicks: Sequence[Click]) -> list[PublishedEvent]:
        found: list[PublishedEvent] = []
        size = 0
        for click in clicks:
            value = counted.value_of(click)
            size += len(value)
            if size > LATEST_EVENTS_MAX_BYTES:
                break
            found.append(_published(msgspec.structs.asdict(counted.decoder.decode_shown(value)), expose_pii=expose_pii))
        return found

    return {
        "products_info": products_info(counted.clicks, shown_products(audiences), now_s),
        "latest_events": shown(latest.clicks),
        "latest_visitors": shown(latest.visitors),
    }


def shown_products(audiences: Mapping[Any, Mapping[str, Any]]) -> set[str]:
    """The products that any ranking names."""
    return {
        product for audience in AUDIENCES for ranking in _SHOWING_PRODUCTS for product in audiences[audience][ranking]
    }


def _published(event: dict[str, Any], *, expose_pii: bool) -> PublishedEvent:
    fields = {name: value for name, value in event.items() if value is not msgspec.UNSET}
    second, thousandths = iso_second(event["timestamp"]), event["timestamp"] % 1000
    fields["datetime"] = f"{second.removesuffix('Z')}.{thousandths:03}Z"
    if not expose_pii:
        del fields["birthdate"]
        fields["ip"] = truncated_ip(fields["ip"])
    return fields


def products_info(clicks: Sequence[Click], shown: AbstractSet[str], now_s: int) -> dict[str, dict[str, str | None]]:
    """Title and category that most clicks of the last hour have, else most sales of eight hours."""
    hour = (click for click in clicks if click.second > now_s - 3600)
    sold = (click for click in clicks if click.second > now_s - 28_800 and click.sale is not None)
    found = {**_main_variants(sold, shown), **_main_variants(hour, shown)}
    return {product: {"title": title, "category": category} for product, (category, title) in found.items()}


def _main_variants(clicks: Iterable[Click], shown: AbstractSet[str]) -> dict[str, tuple[str | None, str | None]]:
    variants = Counter(
        (click.names[PRODUCT], click.names[CATEGORY], click.names[_TITLE])
        for click in clicks
        if click.names[PRODUCT] in shown
    )
    main: dict[str, tuple[str | None, str | None]] = {}
    for product, category, title in top(variants, None):  # of equal ones the smaller category and title come first
        main.setdefault(product, (category, title))
    return main


def seed_figures(
    clicks: Sequence[Click], everyone: Mapping[str, Any], events: Sequence[PublishedEvent], now_s: int
) -> dict[str, Any]:
    """By attribute of `SeedRollup`. `everyone` are the figures of all, `events` the latest."""
    minutes = Counter(click.second // 60 * 60_000 for click in clicks if click.second > now_s - 900)
    products = Counter(
        (click.names[PRODUCT], click.names[CATEGORY])
        for click in clicks
        if click.second > now_s - 3600 and click.names[PRODUCT] is not None
    )
    return {
        "visits_15m": {
            start: minutes[start] for start in range(min(minutes, default=0), max(minutes, default=-1) + 1, 60_000)
        },
        "users_30m": {start: users for start, users in everyone["visitors_30m"].items() if users},
        "device_events_10m": Counter(click.device for click in clicks if click.second > now_s - 600),
        "products_1h": [(*product, number) for product, number in top(products, SEED_PRODUCTS_SHOWN).items()],
        "latest_visitors": [
            (humanize.naturaltime(now_s - event["timestamp"] // 1000), event)
            for event in events[:LATEST_VISITORS_SHOWN]
        ],
        "categories_1h": list(everyone["categories_1h"].items()),
        "raw_data": events,
    }
