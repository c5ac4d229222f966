"""A naive oracle: the rollups of a list of enriched events at an instant, from scratch, in plain Python.

Slow and obviously right. It shares no code with services/aggregate, only the words of the contract.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.events.schema import EnrichedEvent
from tests.support.oracle.naive_commerce import Goals, category_of, commerce, sales_of
from tests.support.oracle.naive_trends import NameOf, page_of, trends

WINDOWS = {"5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "8h": 28800}
DEVICES = {"human": ("Desktop", "Mobile", "Tablet", "Other"), "bot": ("Bot",)}
DEVICES["all"] = ("Desktop", "Mobile", "Tablet", "Bot", "Other")
OLDEST_HALF_HOURS = 16
NO_GOALS: Goals = {}
SITES = {
    "https://www.google.com/": "google.com",
    "https://a.b.co.uk/x?y": "b.co.uk",
    "http://203.0.113.7/": "203.0.113.7",
}
CHANNELS = {"https://www.google.com/": "Organic search"}  # of the others Referral
TAGGED = {
    "https://shop.example/a?utm_campaign=spring+sale&utm_source=news&utm_medium=e-mail": (
        "Email",
        "spring sale (news / e-mail)",
    ),
    "/d?utm_source=google&utm_medium=cpc&utm_campaign=brand": ("Paid", "brand (google / cpc)"),
    "/d?gclid": ("Paid", None),
    "/a?utm_campaign=poster": (None, "poster"),
}
"""Of the pages that tests draw, those with tags: their channel and campaign."""
OWN_SITES: dict[str, str | None] = {
    "shop.example": "shop.example",
    "blog.example": "blog.example",
    "https://www.Shop.example:443/": "shop.example",  # of another writer than enrich
    "no site": None,
}


@dataclass(frozen=True)
class Arrived:
    """An event with its place in the log, which decides whether it is late, in the future or a duplicate."""

    event: EnrichedEvent
    arrival_ms: int
    partition: int
    offset: int


def outcomes(log: Sequence[Arrived], site: str | None = None) -> dict[str, list[Arrived]]:
    """Classify the events of a log, each partition in offset order. With a site, only its events are classified."""
    names = ("counted", "late", "duplicates", "dead_letters", "other_site")
    classified: dict[str, list[Arrived]] = {name: [] for name in names}
    if site is not None:
        classified["other_site"] = [arrived for arrived in log if site_of(arrived.event) != site]
        log = [arrived for arrived in log if site_of(arrived.event) == site]
    first_arrival: dict[tuple[int, str, str], int] = {}
    for arrived in log:
        event, arrival_s = arrived.event, arrived.arrival_ms // 1000
        if event.timestamp > arrived.arrival_ms + 60_000:
            classified["dead_letters"].append(arrived)
            continue
        if event.timestamp // 1000 // 1800 < arrival_s // 1800 - OLDEST_HALF_HOURS:
            classified["late"].append(arrived)
            continue
        if isinstance(event.eventId, str):
            event_id = arrived.partition, event.userId, event.eventId
            first = first_arrival.get(event_id)
            if first is not None and arrival_s - first < 3600:
                classified["duplicates"].append(arrived)
                continue
            first_arrival[event_id] = arrival_s
        classified["counted"].append(arrived)
    return classified


def rollups(
    counted: Iterable[Arrived], now_s: int, goals: Goals = NO_GOALS, most_sales: int | None = None
) -> dict[str, Any]:
    """Every published figure at the publish instant `now_s`, by the name of its key. `most_sales`: see `sales_of`."""
    counted = list(counted)
    sales = [sale for sale in sales_of(counted, most_sales) if sale.event.timestamp // 1000 <= now_s]
    events = sorted(
        (arrived for arrived in counted if arrived.event.timestamp // 1000 <= now_s),
        key=lambda a: (a.event.timestamp, a.arrival_ms, a.partition, a.offset),
        reverse=True,
    )
    figures: dict[str, Any] = {}
    for audience in ("human", "bot", "all"):
        own = [a.event for a in events if _is_of(audience, a.event)]
        own_sales = [sale for sale in sales if _is_of(audience, sale.event)]
        figures[audience] = _audience(own, now_s, DEVICES[audience])
        figures[audience] |= commerce(own, own_sales, goals, {"sources": _source, "campaigns": campaign_of}, now_s)
        in_order = sorted((a for a in events if _is_of(audience, a.event)), key=lambda a: (a.event.timestamp, a.offset))
        everyone = [a.event for a in events]
        figures[audience] |= trends([a.event for a in in_order], everyone, RANKINGS, now_s)
    hour = [a.event for a in events if a.event.timestamp // 1000 > now_s - 3600]
    figures["latest_events"] = [_identity(event) for event in hour[:100]]
    figures["latest_visitors"] = [_identity(event) for event in _first_of_each_visitor(hour)[:10]]
    figures["newest_event_ms"] = max((a.event.timestamp for a in events), default=0)
    figures["seed_products"] = _ranked(Counter((e.productId, e.category) for e in hour if e.productId is not None))[:10]
    return figures


def _is_of(audience: str, event: EnrichedEvent) -> bool:
    return audience == "all" or (event.deviceType == "Bot") == (audience == "bot")


def _audience(events: list[EnrichedEvent], now_s: int, devices: Iterable[str]) -> dict[str, Any]:
    def within(seconds: int, end_s: int = now_s) -> list[EnrichedEvent]:
        return [event for event in events if end_s - seconds < event.timestamp // 1000 <= end_s]

    def series(bucket_s: int, shown: int, *, distinct: bool) -> dict[int, int]:
        last = now_s // bucket_s
        buckets: dict[int, list[str]] = {bucket: [] for bucket in range(last - shown + 1, last + 1)}
        for event in events:
            bucket = event.timestamp // 1000 // bucket_s
            if bucket in buckets:
                buckets[bucket].append(event.userId)
        return {
            bucket * bucket_s * 1000: len(set(users) if distinct else users)
            for bucket, users in sorted(buckets.items())
        }

    hour = within(3600)
    shown = [event for event in hour if event.productId is not None]
    views = {window: len(within(seconds)) for window, seconds in WINDOWS.items()}
    views |= {
        f"{window}:prev": len(within(seconds, now_s - seconds)) for window, seconds in WINDOWS.items() if window != "8h"
    }
    return {
        "visitors": {
            **{window: len({e.userId for e in within(seconds)}) for window, seconds in WINDOWS.items()},
            **{
                f"{window}:prev": len({e.userId for e in within(seconds, now_s - seconds)})
                for window, seconds in WINDOWS.items()
                if window != "8h"
            },
        },
        "views": views,
        "sessions": _sessions(events, now_s),
        **_session_series(events, now_s),
        "views_1m": series(60, 60, distinct=False),
        "visitors_1m": series(60, 60, distinct=True),
        "views_30m": series(1800, 17, distinct=False),
        "visitors_30m": series(1800, 17, distinct=True),
        "products_1h": dict(_ranked(Counter(event.productId for event in shown))[:100]),
        "categories_1h": dict(_ranked(Counter(event.category or "Unknown" for event in shown))),
        "countries_1h": dict(_ranked(Counter(event.country for event in hour))),
        "pages_1h": dict(_ranked(Counter(urlsplit(e.url).path for e in hour if isinstance(e.url, str)))[:100]),
        "sources_1h": dict(_ranked(Counter(map(_source, hour)))[:100]),
        "channels_1h": dict(_ranked(Counter(map(channel_of, hour)))),
        "campaigns_1h": dict(_ranked(Counter(filter(None, map(campaign_of, hour))))[:100]),
        "browsers_1h": dict(_ranked(Counter(event.browser for event in hour))),
        "operating_systems_1h": dict(_ranked(Counter(event.operatingSystem for event in hour))),
        "event_types_1h": dict(_ranked(Counter(map(event_type_of, hour)))[:100]),
        "sites_1h": dict(_ranked(Counter(filter(None, map(site_of, hour))))[:100]),
        "devices_10m": {device: len({e.userId for e in within(600) if e.deviceType == device}) for device in devices},
    }


def _source(event: EnrichedEvent) -> str:
    """Of the few referrers that tests draw: a site of SITES, or a page of the shop."""
    if not isinstance(event.referrer, str):
        return "Direct"
    if event.referrer in SITES:
        return SITES[event.referrer]
    assert event.referrer.startswith("https://shop.example/")
    is_own = isinstance(event.url, str) and event.url.startswith("https://shop.example/")
    return "Internal" if is_own else "shop.example"


def channel_of(event: EnrichedEvent) -> str:
    channel, _ = TAGGED.get(str(event.url), (None, None))
    source = _source(event)
    return channel or (source if source in ("Direct", "Internal") else CHANNELS.get(str(event.referrer), "Referral"))


def campaign_of(event: EnrichedEvent) -> str | None:
    _, campaign = TAGGED.get(str(event.url), (None, None))
    return campaign


def event_type_of(event: EnrichedEvent) -> str:
    return event.eventType if isinstance(event.eventType, str) else "page_view"


def site_of(event: EnrichedEvent) -> str | None:
    return OWN_SITES[event.site] if isinstance(event.site, str) else None


RANKINGS: dict[str, NameOf] = {
    "products_1h": lambda event: event.productId,
    "categories_1h": category_of,
    "pages_1h": page_of,
    "countries_1h": lambda event: event.country,
    "sources_1h": _source,
    "channels_1h": channel_of,
    "campaigns_1h": campaign_of,
    "browsers_1h": lambda event: event.browser,
    "operating_systems_1h": lambda event: event.operatingSystem,
    "event_types_1h": event_type_of,
    "sites_1h": site_of,
}


def _session_series(events: list[EnrichedEvent], now_s: int) -> dict[str, dict[int, int]]:
    buckets: dict[int, list[list[int]]] = {now_s // 300 - ago: [] for ago in reversed(range(12))}
    for session in _sessions_of(events):
        if session[0] // 300 in buckets:
            buckets[session[0] // 300].append(session)
    series: dict[str, Callable[[list[list[int]]], int]] = {
        "sessions_5m": len,
        "bounces_5m": lambda sessions: sum(len(session) == 1 for session in sessions),
        "durations_5m": lambda sessions: sum(session[-1] - session[0] for session in sessions),
    }
    return {
        name: {bucket * 300_000: count(sessions) for bucket, sessions in buckets.items()}
        for name, count in series.items()
    }


def _sessions_of(events: list[EnrichedEvent]) -> list[list[int]]:
    sessions: list[list[int]] = []
    seconds = sorted((event.userId, event.timestamp // 1000) for event in events)
    for place, (user, second) in enumerate(seconds):
        if place and seconds[place - 1][0] == user and second - seconds[place - 1][1] < 1800:
            sessions[-1].append(second)
        else:
            sessions.append([second])
    return sessions


def _sessions(events: list[EnrichedEvent], now_s: int) -> dict[str, float]:
    sessions = _sessions_of(events)
    active = sum(session[-1] > now_s - 1800 for session in sessions)
    started = [session for session in sessions if session[0] > now_s - 3600]
    names = ("active", "started_1h", "bounce_rate_1h", "views_per_session_1h", "duration_s_1h")
    if not started:
        return dict(zip(names, (active, 0, 0, 0, 0), strict=True))
    bounce_rate = sum(len(session) == 1 for session in started) / len(started)
    duration_s = sum(session[-1] - session[0] for session in started) / len(started)
    views = sum(map(len, started)) / len(started)
    figures = (active, len(started), round(bounce_rate, 4), round(views, 4), round(duration_s, 1))
    return dict(zip(names, figures, strict=True))


def _ranked(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda member: (-member[1], member[0]))


def _first_of_each_visitor(events: list[EnrichedEvent]) -> list[EnrichedEvent]:
    first: dict[str, EnrichedEvent] = {}
    for event in events:
        first.setdefault(event.userId, event)
    return list(first.values())


def _identity(event: EnrichedEvent) -> tuple[int, str, str | None]:
    return event.timestamp, event.userId, event.productId
