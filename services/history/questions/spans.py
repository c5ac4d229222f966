"""Spans of time and their buckets. Pure; instants are aware and in UTC.

Minutes and hours follow UTC. Days and months follow a time zone: a day may have 23 or 25 hours.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

Interval = Literal["minute", "hour", "day", "month"]
INTERVALS: Final[tuple[Interval, ...]] = get_args(Interval)

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """From an instant until before another."""

    start: datetime
    end: datetime


class Length(NamedTuple):
    """How long a span is: hours of 60 minutes, or days and months of a calendar."""

    hours: int = 0
    days: int = 0
    months: int = 0


def floored(instant: datetime, unit: timedelta) -> datetime:
    """The start of a minute, hour or day of UTC."""
    return instant - (instant - _EPOCH) % unit


def ceiled(instant: datetime, unit: timedelta) -> datetime:
    """The first start of a minute, hour or day of UTC that is not before the instant."""
    return instant + -(instant - _EPOCH) % unit


def bucket_start(instant: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """The start of the bucket that holds the instant."""
    if interval == "minute":
        return floored(instant, MINUTE)
    if interval == "hour":
        return floored(instant, HOUR)
    day = instant.astimezone(zone).date()
    return _midnight(day if interval == "day" else day.replace(day=1), zone)


def bucket_end(instant: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """The start of the bucket after the one that holds the instant."""
    if interval == "minute":
        return floored(instant, MINUTE) + MINUTE
    if interval == "hour":
        return floored(instant, HOUR) + HOUR
    day = instant.astimezone(zone).date()
    while True:  # more than once where a zone leaves a day out
        day = day + DAY if interval == "day" else _month_later(day.replace(day=1), 1)
        end = _midnight(day, zone)
        if end > instant:
            return end


def buckets(span: Span, interval: Interval, zone: ZoneInfo) -> Sequence[Span]:
    """The buckets of a span, the first and the last cut to it."""
    found, start = [], span.start
    while start < span.end:
        end = min(bucket_end(start, interval, zone), span.end)
        found.append(Span(start, end))
        start = end
    return found


def moved(instant: datetime, zone: ZoneInfo, *, days: int = 0, months: int = 0) -> datetime:
    """The same time of day that many days and months later by the zone's calendar; the 31st may become the 28th.

    The start of a day becomes the start of a day, also where the clock skips midnight.
    """
    local = instant.astimezone(zone)
    day = _month_later(local.date(), months) + timedelta(days=days)
    if is_midnight(instant, zone):
        return _midnight(day, zone)
    return datetime.combine(day, local.time(), zone).astimezone(UTC)


def is_midnight(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether a day of the zone begins."""
    return bucket_start(instant, "day", zone) == instant


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where the clock skips midnight, `fold=0` makes it the instant of the change, when the day begins.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _month_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    next_first = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return first + timedelta(days=min(day.day, (next_first - first).days) - 1)
