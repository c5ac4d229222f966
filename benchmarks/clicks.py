"""Generates enriched clicks as log records, the same for the same seed, batch by batch to save memory."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType

from shared.events.enriched import encode_enriched
from shared.events.schema import DEVICE_TYPES, EnrichedEvent
from shared.streams.event_log import Record

PARTITIONS: Final = 4
BATCH_EVENTS: Final = 5_000

_RETURNING: Final = 1.5  # above 1, low-numbered visitors return more often
_BOT_EVERY: Final = 20
_CATEGORIES: Final = (
    "accessories", "automotive", "books", "clothing", "computers", "electronics", "games", "grocery", "handbags",
    "home & garden", "movies", "shoes", "tools",
)  # fmt: skip
_COUNTRIES: Final = (
    "United States", "Germany", "United Kingdom", "France", "India", "Brazil", "Japan", "Canada", "Netherlands",
    "Spain", "Italy", "Poland", "Australia", "Mexico", "Sweden", "Czechia", "Austria", "Switzerland", "Belgium",
    "Portugal", "Denmark", "Norway", "Finland", "Ireland", "Greece", "Hungary", "Romania", "Turkey", "South Korea",
    "Unknown",
)  # fmt: skip
_USER_AGENTS: Final = {
    "Desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
    "Mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.1 Mobile/15E148",
    "Tablet": "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.1 Mobile/15E148",
    "Bot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Other": "curl/8.14.1",
}
_AGENTS: Final = {
    "Desktop": ("Chrome", "Windows"),
    "Mobile": ("Mobile Safari", "iOS"),
    "Tablet": ("Chrome", "Android"),
    "Bot": ("Googlebot", "Other"),
    "Other": ("Samsung Internet", "Tizen"),
}
_PEOPLES_DEVICES: Final = tuple(device for device in DEVICE_TYPES if device != "Bot")
_SPREAD: Final = 0x9E3779B97F4A7C15  # odd, so that multiplying by it maps every number to a different id
_64_BITS: Final = (1 << 64) - 1

# Of 200 people's clicks, three fill a cart and one is an order; one of seven comes from a campaign. Of forty orders,
# two are in another currency and one is a refund.
_CARTS: Final = frozenset({20, 90, 160})
_ORDER: Final = 195
_CAMPAIGN_EVERY: Final = 7
_OF: Final = 200
_CAMPAIGNS: Final = tuple(
    f"&utm_source={source}&utm_medium={medium}&utm_campaign={campaign}-{number}"
    for source, medium, campaign in (("google", "cpc", "brand"), ("newsletter", "email", "weekly"))
    for number in range(10)
)


class Variety(NamedTuple):
    """How many names the clicks have, and how unevenly they are drawn: 1 draws each as often."""

    pages: int = 2_400  # those after the products show none
    products: int = 2_000
    sources: int = 1
    taste: float = 2.0  # above 1, low numbers are drawn more often


MANY_NAMES: Final = Variety(pages=400_000, products=100_000, sources=50_000, taste=1.0)


class Clicks:
    """Clicks of numbered visitors. Each batch continues the previous one, in time and in offsets."""

    def __init__(self, seed: int, visitors: int, variety: Variety = Variety()) -> None:  # noqa: B008 - immutable
        self._seed = seed
        self._visitors = visitors
        self._variety = variety
        self._number = 0
        self._next_offset = [0] * PARTITIONS

    def between(self, from_ms: int, until_ms: int, events: int) -> Iterator[list[Record]]:
        """Clicks of random visitors, evenly spread over the time span, in batches of BATCH_EVENTS."""
        for begin_ms, end_ms, size in _slices(from_ms, until_ms, events):
            rng = np.random.default_rng((self._seed, self._number))
            who = (self._visitors * rng.random(size) ** _RETURNING).astype(np.int64)
            yield self._batch(rng, begin_ms, end_ms, who.tolist())

    def of_each_visitor(self, from_ms: int, until_ms: int) -> Iterator[list[Record]]:
        """One click of each visitor, evenly spread over the time span, in batches of BATCH_EVENTS."""
        for begin_ms, end_ms, size in _slices(from_ms, until_ms, self._visitors):
            rng = np.random.default_rng((self._seed, self._number))
            who = range(self._number, self._number + size)
            yield self._batch(rng, begin_ms, end_ms, list(who))

    def at(self, times_ms: Sequence[int], who: Sequence[int]) -> list[Record]:
        """Clicks of these visitors at these times, on random pages."""
        return self._records(np.random.default_rng((self._seed, self._number)), times_ms, who)

    def _batch(self, rng: np.random.Generator, begin_ms: int, end_ms: int, who: list[int]) -> list[Record]:
        return self._records(rng, np.sort(rng.integers(begin_ms, end_ms, len(who))).tolist(), who)

    def _records(self, rng: np.random.Generator, times_ms: Sequence[int], who: Sequence[int]) -> list[Record]:
        variety = self._variety
        pages = (variety.pages * rng.random(len(who)) ** variety.taste).astype(np.int64).tolist()
        return [self._record(*row) for row in zip(times_ms, who, pages, strict=True)]

    def _record(self, time_ms: int, visitor: int, page: int) -> Record:
        partition = visitor % PARTITIONS
        offset = self._next_offset[partition]
        self._next_offset[partition] += 1
        event = _event(time_ms, visitor, page, self._variety, self._seed, self._number)
        self._number += 1
        return Record(partition, offset, time_ms, event.userId.encode(), encode_enriched(event))


def _slices(from_ms: int, until_ms: int, events: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of events of each batch."""
    for done in range(0, events, BATCH_EVENTS):
        size = min(BATCH_EVENTS, events - done)
        span_ms = until_ms - from_ms
        yield from_ms + span_ms * done // events, from_ms + span_ms * (done + size) // events, size


def _event(time_ms: int, visitor: int, page: int, variety: Variety, seed: int, number: int) -> EnrichedEvent:
    is_bot = visitor % _BOT_EVERY == 0
    place = number % _OF
    is_order = place == _ORDER and not is_bot
    device = "Bot" if is_bot else _PEOPLES_DEVICES[visitor % len(_PEOPLES_DEVICES)]
    has_product = page < variety.products
    # Positional arguments in field order: keywords take five times as long.
    return EnrichedEvent(
        time_ms,
        f"{visitor * _SPREAD & _64_BITS:016x}",
        None,
        f"{11 + visitor % 180}.{visitor >> 16 & 255}.{visitor >> 8 & 255}.{visitor & 255}",
        _USER_AGENTS[device],
        f"P{page:05}" if has_product else None,
        _CATEGORIES[page % len(_CATEGORIES)] if has_product else None,
        f"Product number {page} of the shop" if has_product else None,
        "U" if is_bot else "FM"[visitor % 2],
        _COUNTRIES[visitor % len(_COUNTRIES)],
        device,
        *_AGENTS[device],
        None if is_bot else 17 + visitor % 60,
        None if is_bot else f"{1949 + visitor % 60}-{1 + visitor % 12:02}-{1 + visitor % 28:02}",
        f"{seed:04x}-{number:09x}",
        "add_to_cart" if place in _CARTS and not is_bot else "purchase" if is_order else "page_view",
        f"https://shop.example/{'p' if has_product else 'journal'}/page-{page}?from=home"
        f"{'' if is_bot or number % _CAMPAIGN_EVERY else _CAMPAIGNS[page % len(_CAMPAIGNS)]}",
        "https://shop.example/" if variety.sources == 1 else f"https://site-{page % variety.sources}.example/",
        *(_sale(page, number) if is_order else ()),
    )


def _sale(page: int, number: int) -> tuple[UnsetType, UnsetType, str, str, int, str, str, str]:
    """The fields of an order from `profileGender` on."""
    order = number // _OF % 40
    cents = 500 + page * 37 % 20_000
    return (
        UNSET,
        UNSET,
        f"{'-' if order == 39 else ''}{cents // 100}.{cents % 90 + 9}",
        "GBP" if order in (7, 27) else "EUR",
        1 + number % 3,
        f"order-{number:x}",
        f"{cents // 200}.5",
        "app" if number % 5 == 0 else "web",
    )
