"""A naive oracle: the rollups of a list of enriched events at an instant, counted by `services.aggregate.proof`.

What an event is called comes from tables here: it shares no code with services/aggregate, only the contract's words.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from services.aggregate.proof.arrivals import Arrivals
from services.aggregate.proof.clicks import NAMED, PLACES, TITLE, Click, Names, Sale, first_of_each_user, newest_first
from services.aggregate.proof.figures import figures
from services.aggregate.proof.site_figures import seed_figures
from shared.events.schema import EnrichedEvent

Goals = Mapping[str, Callable[[EnrichedEvent], bool]]
NameOf = Callable[[EnrichedEvent], str | None]
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
    arrivals: dict[int, Arrivals] = {}
    for arrived in log:
        if site is not None and site_of(arrived.event) != site:
            classified["other_site"].append(arrived)
            continue
        own, event = arrivals.setdefault(arrived.partition, Arrivals()), arrived.event
        outcome = own.outcome(event.timestamp, arrived.arrival_ms, event.userId, event.eventId)
        classified[outcome].append(arrived)
    return classified


def rollups(
    counted: Iterable[Arrived], now_s: int, goals: Goals = NO_GOALS, most_sales: int | None = None
) -> dict[str, Any]:
    """Every published figure at the publish instant `now_s`, by the name of its key. `most_sales`: see `Arrivals`."""
    clicks, events = _clicks_of(counted, now_s, most_sales)
    reached = {
        name: lambda names, reaches=reaches: reaches(events[names].event)  # every event with these names
        for name, reaches in goals.items()
    }
    found: dict[str, Any] = {str(audience): own for audience, own in figures(clicks, now_s, reached).items()}
    hour = newest_first(click for click in clicks if click.second > now_s - 3600)
    found["latest_events"] = [_identity(click) for click in hour[:100]]
    found["latest_visitors"] = [_identity(click) for click in first_of_each_user(hour, 10)]
    found["newest_event_ms"] = max((click.timestamp_ms for click in clicks), default=0)
    seed = seed_figures(clicks, found["all"], [], now_s)
    found["seed_products"] = [((product, category), number) for product, category, number in seed["products_1h"]]
    return found


def _clicks_of(
    counted: Iterable[Arrived], now_s: int, most_sales: int | None
) -> tuple[list[Click], dict[Names, Arrived]]:
    """The clicks up to an instant, and an event for each of their names."""
    arrivals: dict[int, Arrivals] = {}
    clicks, events = [], {}
    for arrived in counted:
        own, event = arrivals.setdefault(arrived.partition, Arrivals(most_sales)), arrived.event
        own.outcome(event.timestamp, arrived.arrival_ms, event.userId, None)
        sale = _sale_of(event, own)
        if event.timestamp // 1000 > now_s:
            continue
        names = tuple(RANKINGS[named](event) for named in NAMED)
        events[names] = arrived
        place = (arrived.arrival_ms, arrived.partition, arrived.offset)
        clicks.append(Click(event.timestamp, *place, event.userId, event.deviceType, names, sale))
    return clicks, events


def _sale_of(event: EnrichedEvent, arrivals: Arrivals) -> Sale | None:
    if not isinstance(event.value, str):
        return None
    currency = event.currency if isinstance(event.currency, str) else ""
    order = event.orderId if isinstance(event.orderId, str) else None
    return arrivals.sale(
        event.timestamp, event.userId, int(Decimal(event.value) * 1_000_000), currency, order, event.eventType
    )


def of_type(event_type: str) -> Callable[[EnrichedEvent], bool]:
    return lambda event: event_type_of(event) == event_type


def on_page(pattern: str) -> Callable[[EnrichedEvent], bool]:
    page = re.compile(re.escape(pattern).replace(r"\*", ".*"), re.DOTALL)
    return lambda event: isinstance(event.url, str) and page.fullmatch(urlsplit(event.url).path) is not None


def page_of(event: EnrichedEvent) -> str | None:
    return urlsplit(event.url).path if isinstance(event.url, str) else None


def category_of(event: EnrichedEvent) -> str | None:
    return None if event.productId is None else event.category or "Unknown"


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
    TITLE: lambda event: None if event.productId is None else event.title or "Unknown",
}
assert RANKINGS.keys() == PLACES.keys()


def _identity(click: Click) -> tuple[int, str, str | None]:
    return click.timestamp_ms, click.user, click.names[PLACES["products_1h"]]
