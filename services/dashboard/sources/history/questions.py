"""What the Sales page asks of history. Pure; instants are epoch ms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final, Literal

from shared.events.time_units import MINUTE_MS

Before = Literal["yesterday", "last_week"]
"""What today is compared with, in the words of the API."""

_DAYS: Final[dict[Before, int]] = {"yesterday": 1, "last_week": 7}
ROWS: Final = 10
"""Of a breakdown."""

_SUMS: Final = ("revenue", "profit", "orders", "refunds", "refunded", "quantity", "without_cost")
_MOST_CURRENCIES: Final = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the API: its path, and the parameters of its address."""

    kind: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Today:
    """The day of a viewer: its first instant, that of the next day, and the end of the running minute."""

    starts_ms: int
    ends_ms: int
    until_ms: int
    zone: str
    site: str | None  # None: all


def today_of(now_ms: int, zone: tzinfo, site: str | None) -> Today:
    """The day that it is in a zone."""
    until_ms = (now_ms // MINUTE_MS + 1) * MINUTE_MS
    return Today(_midnight(now_ms, zone, 0), _midnight(now_ms, zone, 1), until_ms, str(zone), site)


def started(today: Today, before: Before, zone: tzinfo) -> int:
    """When the day that today is compared with began."""
    return _midnight(today.starts_ms, zone, -_DAYS[before])


def currencies(today: Today) -> Question:
    """The sums of today in each currency."""
    return _breakdown(today, "currency", "orders", _MOST_CURRENCIES)


def hours(today: Today) -> Question:
    """The sums of each hour of today until now."""
    return _asked("timeseries", today, _span(today.starts_ms, today.until_ms), ("interval", "hour"), _metrics())


def hours_of(today: Today, before: Before, zone: tzinfo) -> Question:
    """The sums of each hour of a whole earlier day."""
    starts_ms = started(today, before, zone)
    span = _span(starts_ms, _midnight(starts_ms, zone, 1))
    return _asked("timeseries", today, span, ("interval", "hour"), _metrics())


def until_now_of(today: Today, before: Before) -> Question:
    """The sums of today, and beside them those of an earlier day until the same time of day."""
    return _asked("aggregate", today, _span(today.starts_ms, today.until_ms), ("compare", before), _metrics())


def leading(today: Today, dimension: str, first: str) -> Question:
    """The names with the greatest sums of `first`."""
    return _breakdown(today, dimension, first, ROWS)


def title_of(today: Today, product: str) -> Question:
    """The title that most of a product's sales of today have."""
    question = _breakdown(today, "title", "orders", 1)
    return Question(question.kind, (*question.parameters, ("productId", product)))


def _breakdown(today: Today, dimension: str, first: str, limit: int) -> Question:
    span = _span(today.starts_ms, today.until_ms)
    return _asked("breakdown", today, span, ("by", dimension), ("limit", str(limit)), _metrics(first))


def _asked(kind: str, today: Today, span: Sequence[tuple[str, str]], *others: tuple[str, str]) -> Question:
    site = () if today.site is None else (("site", today.site),)
    return Question(kind, (*span, ("timezone", today.zone), *others, *site))


def _metrics(first: str = _SUMS[0]) -> tuple[str, str]:
    return "metrics", ",".join([first, *(name for name in _SUMS if name != first)])


def _span(start_ms: int, end_ms: int) -> Sequence[tuple[str, str]]:
    return ("from", _iso(start_ms)), ("to", _iso(end_ms))


def _iso(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _midnight(instant_ms: int, zone: tzinfo, days: int) -> int:
    """When a day begins that is so many days after that of an instant."""
    day = datetime.fromtimestamp(instant_ms / 1000, zone).date() + timedelta(days=days)
    # Where the clock skips midnight, `fold=0` makes it the instant of the change.
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)
