"""A visitor's age: their own word for it, or the birthdays passed by the day of the click. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from services.enrich.lookups.catalogue import number_of
from shared.events.limits import OLDEST_YEARS
from shared.events.time_units import DAY_MS
from shared.events.timestamps import LATEST_MS

_ALWAYS: Final = (0, LATEST_MS + 1)


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


def age_span(birth_number: int | None, timestamp_ms: int) -> tuple[int, int]:
    """The time around the instant in which `age_on_day` stays the same: from birthday to birthday, epoch ms.

    The second is exclusive. Instants from 1970 to 9998.
    """
    if birth_number is None:
        return _ALWAYS
    years = (_day_number(timestamp_ms // DAY_MS) - birth_number) // 10_000
    last_birthday = birth_number + 10_000 * years
    return _midnight_ms(last_birthday), _midnight_ms(last_birthday + 10_000)


@lru_cache(maxsize=1024)
def _midnight_ms(day_number: int) -> int:
    """When the day begins in UTC. A 29 February that does not exist is the 1 March."""
    year, month, day = day_number // 10_000, day_number // 100 % 100, day_number % 100
    try:
        midnight = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        midnight = datetime(year, 3, 1, tzinfo=UTC)
    return int(midnight.timestamp()) * 1000


@lru_cache(maxsize=1024)
def _day_number(day: int) -> int:
    """The day since 1970 as the decimal number YYYYMMDD, in UTC."""
    return number_of(datetime.fromtimestamp(day * DAY_MS // 1000, UTC).date())
