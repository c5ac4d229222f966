"""The events of the two topics. Pure."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from shared.events.agents import OTHER

MAX_EVENT_BYTES: Final = 256 * 1024
DEVICE_TYPES: Final = ("Desktop", "Mobile", "Tablet", "Bot", "Other")
GENDERS: Final = ("M", "F", "U")
UNKNOWN: Final = "Unknown"
DEFAULT_EVENT_TYPE: Final = "page_view"


class RawEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A click as a producer sent it, with `timestamp` converted to epoch ms. Absent optional fields are None.

    Producers may write `userId`, `productId`, `eventId` and `orderId` as whole numbers, also as 700.0; here they are
    text. `value` and `cost` are the canonical text of an amount, see `shared.events.amounts`. `site` is a host as
    `shared.events.hosts.site_name` returns it.
    """

    timestamp: int
    userId: str
    productId: str | None = None
    ip: str | None = None
    userAgent: str | None = None
    original_timestamp: int | float | str | None = None
    gender: str | None = None
    age: int | float | None = None
    eventId: str | None = None
    eventType: str = DEFAULT_EVENT_TYPE
    url: str | None = None
    referrer: str | None = None
    value: str | None = None
    currency: str | None = None
    quantity: int | None = None
    orderId: str | None = None
    cost: str | None = None
    platform: str | None = None
    site: str | None = None


class EnrichedEvent(msgspec.Struct, frozen=True, gc=False):
    """An enriched click. `timestamp` and `original_timestamp` are epoch ms, `birthdate` is YYYY-MM-DD, `age` in years.

    `category` and `title` are None where the page shows no product, "Unknown" where the catalogue lacks it. `eventId`
    to `referrer` and `value` to `site` are written only when the producer sent them. `gender` and `age` are what
    the click claims, where it claims any; then, and only then, `profileGender` and `profileAge` are what the lookup
    says.
    """

    timestamp: int
    userId: str
    original_timestamp: int | None = None
    ip: str | None = None
    userAgent: str | None = None
    productId: str | None = None
    category: str | None = None
    title: str | None = None
    gender: str = "U"
    country: str = UNKNOWN
    deviceType: str = "Other"
    browser: str = OTHER
    operatingSystem: str = OTHER
    age: int | None = None
    birthdate: str | None = None
    eventId: str | UnsetType | None = UNSET
    eventType: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    referrer: str | UnsetType | None = UNSET
    profileGender: str | UnsetType | None = UNSET
    profileAge: int | UnsetType | None = UNSET
    value: str | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    quantity: int | UnsetType | None = UNSET
    orderId: str | UnsetType | None = UNSET
    cost: str | UnsetType | None = UNSET
    platform: str | UnsetType | None = UNSET
    site: str | UnsetType | None = UNSET

    @property
    def datetime(self) -> datetime:
        """The event time, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)


class CountedEvent(msgspec.Struct, frozen=True, gc=False):
    """The fields of `EnrichedEvent` that every reader of figures needs. `CountedDecoder` adds those of its caller."""

    timestamp: int
    userId: str
    age: int | None = None
    eventId: str | UnsetType | None = UNSET
