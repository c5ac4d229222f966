"""The keys of the Quix clickstream template: JSON frames, `{column: {row: value}}`, as pandas reads them. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from shared.rollups.codecs import Codec
from shared.rollups.model import (
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    LATEST_VISITORS_SHOWN,
    SEED_PRODUCTS_SHOWN,
    PublishedEvent,
)
from shared.rollups.rows import Row

_DEVICE_TYPES: Final = ("Desktop", "Tablet", "Mobile", "Other")
_RAW_COLUMNS: Final = (
    "timestamp", "original_timestamp", "userId", "ip", "userAgent", "productId", "category", "title", "gender",
    "country", "deviceType", "browser", "operatingSystem", "site", "age", "birthdate", "datetime",
)  # fmt: skip

Rows = Iterable[tuple[Any, ...]]


def _frame(columns: tuple[str, ...], rows_of: Callable[[Any], Rows] = iter) -> Codec[Any]:
    def encode(value: Any) -> bytes:
        numbered = [(str(number), row) for number, row in enumerate(rows_of(value))]
        frame = {column: {number: row[place] for number, row in numbered} for place, column in enumerate(columns)}
        return msgspec.json.encode(frame)

    return Codec("string", encode, msgspec.json.decode)


def _users(half_hours: Mapping[int, int]) -> Rows:
    return [(start, users, users) for start, users in half_hours.items()]


def _devices(events: Mapping[str, int]) -> Rows:
    totals = dict.fromkeys(_DEVICE_TYPES, 0)
    for device, count in events.items():
        totals[device if device in totals else "Other"] += count
    return [("Device type", device, total) for device, total in totals.items()] if any(totals.values()) else []


def _visitors(latest: Iterable[tuple[str, PublishedEvent]]) -> Rows:
    return [
        (ago, event["datetime"].removesuffix("Z").replace("T", " ")[:19], event.get("ip"), event.get("country"))
        for ago, event in latest
    ]


def _raw(events: Iterable[PublishedEvent]) -> Rows:
    # Both times are epoch ms. `birthdate` keeps its column, empty without EXPOSE_PII.
    return [
        tuple(event["timestamp"] if column == "datetime" else event.get(column) for column in _RAW_COLUMNS)
        for event in events
    ]


_VISITS: Final = _frame(("datetime", "count"), dict.items)
_USERS: Final = _frame(("datetime", "userId", "count"), _users)
_DEVICES: Final = _frame(("Device", "Device type", "Total"), _devices)
_PRODUCTS: Final = _frame(("productId", "category", "count"))
_CATEGORIES: Final = _frame(("category", "count"))
_LATEST_VISITORS: Final = _frame(("Relative Time", "Date and Time", "ip", "country"), _visitors)
_RAW_DATA: Final = _frame(_RAW_COLUMNS, _raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRollup:
    """The frames of the Quix clickstream template, over all events."""

    visits_15m: Annotated[
        Mapping[int, int],
        Row(
            "last_15_minutes",
            _VISITS,
            "`datetime` (minute), `count` (events): the trailing 15 minutes, cut to the second",
        ),
    ]  # minute → events
    users_30m: Annotated[
        Mapping[int, int],
        Row(
            "sessions",
            _USERS,
            "`datetime` (half hour), `userId` and `count` (both: distinct users): half hours with events",
            limit=HALF_HOURS_SHOWN,
        ),
    ]  # half hour → distinct users
    device_events_10m: Annotated[
        Mapping[str, int],
        Row(
            "device_type_popularity",
            _DEVICES,
            '`Device` ("Device type"), `Device type` (Desktop, Tablet, Mobile, Other; bots are Other), '
            "`Total` (events, last 10 minutes)",
        ),
    ]  # device type → events
    products_1h: Annotated[
        Iterable[tuple[str, str, int]],
        Row(
            "products_last_hour",
            _PRODUCTS,
            "`productId`, `category`, `count`, greatest first",
            limit=SEED_PRODUCTS_SHOWN,
        ),
    ]  # productId, category, events
    latest_visitors: Annotated[
        Iterable[tuple[str, PublishedEvent]],
        Row(
            "latest_visitors",
            _LATEST_VISITORS,
            "`Relative Time`, `Date and Time` (UTC), `ip`, `country` of the latest events",
            limit=LATEST_VISITORS_SHOWN,
        ),
    ]  # "3 seconds ago", event
    categories_1h: Annotated[
        Iterable[tuple[str, int]],
        Row("category_popularity", _CATEGORIES, "`category`, `count`, greatest first", limit=1_000),
    ]  # category, events
    raw_data: Annotated[
        Iterable[PublishedEvent],
        Row(
            "raw_data",
            _RAW_DATA,
            "every column of the latest events of the last hour, newest first, at most 256 KiB",
            limit=LATEST_EVENTS_SHOWN,
            only_changes=True,
        ),
    ]
