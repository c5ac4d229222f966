"""A visitor's age: their own word for it, or the birthdays passed by the day of the click. Pure."""

from datetime import UTC, datetime
from functools import lru_cache

from services.enrich.lookups.catalogue import number_of
from shared.events.limits import OLDEST_YEARS
from shared.events.time_units import DAY_MS


def age_in_range(years: float) -> int | None:
    """The age in whole years; None outside 0 to OLDEST_YEARS."""
    return int(years) if 0 <= years <= OLDEST_YEARS else None


def age_on_day(birth_number: int | None, timestamp_ms: int) -> int | None:
    """Birthdays passed by the day of the instant, in UTC; None when unknown or out of range.

    `VisitorFacts.birth_number` explains the number.
    """
    if birth_number is None:
        return None
    return age_in_range((_day_number(timestamp_ms // DAY_MS) - birth_number) // 10_000)


@lru_cache(maxsize=1024)
def _day_number(day: int) -> int:
    """The day since 1970 as the decimal number YYYYMMDD, in UTC."""
    return number_of(datetime.fromtimestamp(day * DAY_MS // 1000, UTC).date())
