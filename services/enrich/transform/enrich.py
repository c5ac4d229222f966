"""The heart of the service: a raw click and what was looked up for it → an enriched click or a refusal. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from msgspec import UNSET

from services.enrich.lookups.catalogue import Product, Visitor, gender_of, number_of
from shared.events.enriched import encode_enriched
from shared.events.refusals import Reason, Refusal
from shared.events.schema import DEFAULT_EVENT_TYPE, MAX_EVENT_BYTES, EnrichedEvent, RawEvent
from shared.events.timestamps import DAY_MS, FUTURE_TOLERANCE_MS, parse_timestamp_ms

OLDEST_YEARS: Final = 150
"""Nobody is older, so that such an age is a mistake and unknown."""


def enrich(
    event: RawEvent,
    user_id: str,
    ip: str | None,
    product: Product,
    visitor: Visitor,
    country: str,
    device_type: str,
    arrived_ms: int,
) -> EnrichedEvent | Refusal:
    """Put together what is known of one click: NO_PRODUCT, UNKNOWN_PRODUCT and UNKNOWN_VISITOR stand for nothing.

    `user_id` and `ip` are those that may be seen: the event's own, or what privacy makes of them. `arrived_ms` is
    when the log took the record, so that the answer is the same at every replay.
    """
    timestamp = event.timestamp
    if timestamp > arrived_ms + FUTURE_TOLERANCE_MS:
        ahead_seconds = (timestamp - arrived_ms) // 1000
        return Refusal(Reason.FUTURE, f"timestamp {timestamp} is {ahead_seconds} s ahead of its arrival")
    age: int | None = None
    if event.age is not None:
        age = _age_in_range(event.age)
    elif visitor.birth_number is not None:
        age = _age_in_range(years_since(visitor.birth_number, timestamp))
    # By position, in the order of the fields: by name it takes five times as long.
    return EnrichedEvent(
        timestamp,
        user_id,
        parse_timestamp_ms(event.original_timestamp) if event.original_timestamp is not None else None,
        ip,
        event.userAgent,
        event.productId,
        product.category,
        product.title,
        visitor.gender if event.gender is None else gender_of(event.gender) or visitor.gender,
        country,
        device_type,
        age,
        visitor.birthdate,
        event.eventId if event.eventId is not None else UNSET,
        event.eventType if event.eventType != DEFAULT_EVENT_TYPE else UNSET,
        event.url if event.url is not None else UNSET,
        event.referrer if event.referrer is not None else UNSET,
    )


def encoded(event: EnrichedEvent) -> bytes | Refusal:
    """The value of the record; refused when enriching made it too large for its readers."""
    value = encode_enriched(event)
    if len(value) <= MAX_EVENT_BYTES:
        return value
    return Refusal(Reason.TOO_LARGE, f"{len(value)} bytes once enriched, more than {MAX_EVENT_BYTES}")


def _age_in_range(years: float) -> int | None:
    return int(years) if 0 <= years <= OLDEST_YEARS else None


def years_since(birth_number: int, timestamp_ms: int) -> int:
    """Birthdays passed by the day of an instant, in UTC; below zero before the birth. See `Visitor.birth_number`."""
    return (_day_number(timestamp_ms // DAY_MS) - birth_number) // 10_000


@lru_cache(maxsize=1024)
def _day_number(day: int) -> int:
    """The day since 1970 as the decimal number YYYYMMDD, in UTC."""
    return number_of(datetime.fromtimestamp(day * DAY_MS // 1000, UTC).date())
