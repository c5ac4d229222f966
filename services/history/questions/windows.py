"""The span that a question is about, and the one that it is compared with. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from services.history.questions.mistake import Mistake
from services.history.questions.spans import (
    DAY,
    HOUR,
    INTERVALS,
    MINUTE,
    Interval,
    Length,
    Span,
    bucket_end,
    bucket_start,
    is_midnight,
    moved,
)

Compare = Literal["previous", "yesterday", "last_week", "last_year"]
COMPARES: Final[tuple[Compare, ...]] = get_args(Compare)

LENGTHS: Final[Mapping[str, Length]] = {
    "4h": Length(hours=4),
    "24h": Length(hours=24),
    "3d": Length(days=3),
    "7d": Length(days=7),
    "30d": Length(days=30),
    "12mo": Length(months=12),
}
USUAL_WINDOW: Final = "24h"
MOST_BUCKETS: Final = 10_000

_FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_LONGEST_ZONE: Final = 64
_USUAL_INTERVALS: Final[tuple[tuple[timedelta, Interval], ...]] = (
    (timedelta(hours=12), "minute"),
    (timedelta(days=14), "hour"),
    (timedelta(days=200), "day"),
)
"""By the longest span that has it."""


class Window(NamedTuple):
    """A span, its buckets' interval and the zone of days and months. `length` is set if the span ends with now."""

    span: Span
    interval: Interval
    zone: ZoneInfo
    length: Length | None = None


def read_zone(text: str) -> ZoneInfo:
    """The zone of an IANA name. Raises Mistake."""
    try:
        if len(text) <= _LONGEST_ZONE and _ZONE.fullmatch(text):
            return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder
        pass
    raise Mistake("timezone", "expected an IANA time zone such as Europe/Berlin")


def read_window(values: Mapping[str, str], now: datetime) -> Window:
    """The window of the parameters `window`, or `from` and `to`; and `interval` and `timezone`. Raises Mistake."""
    zone = read_zone(values.get("timezone", "UTC"))
    interval = _interval(values)
    if "from" in values:
        if "window" in values:
            raise Mistake("window", "expected either window or from, not both")
        start = _instant(values, "from", zone)
        end = _instant(values, "to", zone) if "to" in values else bucket_end(now, interval or "minute", zone)
        if not start < end:
            raise Mistake("from", f"expected an instant before {iso(end)}, where the window ends")
        window = Window(Span(start, end), interval or _usual_interval(end - start), zone)
    elif "to" in values:
        raise Mistake("from", "expected beside to")
    else:
        window = _latest(values.get("window", USUAL_WINDOW), interval, zone, now)
    return window


def _latest(name: str, interval: Interval | None, zone: ZoneInfo, now: datetime) -> Window:
    length = LENGTHS.get(name)
    if length is None:
        raise Mistake("window", f"expected one of {', '.join(LENGTHS)}")
    hours = timedelta(hours=length.hours, days=length.days + 30 * length.months)
    interval = interval or _usual_interval(hours)
    end = bucket_end(now, interval, zone)
    if length.months:
        month = bucket_start(now, "month", zone)
        start = moved(month, zone, months=1 - length.months)
    elif interval in ("minute", "hour"):
        start = end - hours
    elif length.days:
        start = moved(bucket_start(now, "day", zone), zone, days=1 - length.days)
    else:
        raise Mistake("interval", f"expected minute or hour with window={name}")
    return Window(Span(start, end), interval, zone, length)


def compared(window: Window, compare: Compare, until: datetime | None = None) -> Window:
    """The window to compare with. Buckets that are the same number from the start belong together.

    It ends as the window does; or if this goes on beyond `until`, at the same time of the earlier window.
    """
    zone, (start, end) = window.zone, window.span
    until = end if until is None else min(end, max(until, start))
    if compare == "previous":
        length = _calendar_length(window)
        if not length.days and not length.months:
            return window._replace(span=Span(start - (end - start), until - (end - start)))
    else:
        length = {"yesterday": Length(days=1), "last_week": Length(days=7), "last_year": Length(months=12)}[compare]
    earlier, later = (moved(instant, zone, days=-length.days, months=-length.months) for instant in (start, until))
    if length.months:
        later = _end_months_before(until, length.months, window)
    if later <= earlier or bucket_start(until, "day", zone) <= start:
        later = earlier + (until - start)  # within a day, whose clock may have been set back
    return window._replace(span=Span(earlier, later))


def _end_months_before(until: datetime, months: int, window: Window) -> datetime:
    """Where the earlier window ends. A day stays a day: that before 28 February 2025 is 28 February 2024 alone."""
    zone, start = window.zone, window.span.start
    earlier, day_later = moved(start, zone, months=-months), moved(start, zone, days=1)
    if until < day_later:
        return earlier + (until - start)
    if until == day_later:
        return moved(earlier, zone, days=1)
    if is_midnight(until, zone) and not _has_whole_months(start, until, zone):
        last = moved(until - _TICK, zone, months=-months)  # in the last day
        return bucket_end(last, "day", zone)
    later = moved(until, zone, months=-months)
    if later.astimezone(zone).day != until.astimezone(zone).day:
        return bucket_end(later, "day", zone)  # that month has no such day: by then it was over
    return later


def _has_whole_months(start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    return all(bucket_start(edge, "month", zone) == edge for edge in (start, end))


def _calendar_length(window: Window) -> Length:
    """How many days or months the window has, if it begins and ends with one; else nothing."""
    zone, (start, end) = window.zone, window.span
    if window.interval not in ("day", "month") or not (is_midnight(start, zone) and is_midnight(end, zone)):
        return Length()
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    if first.day == last.day == 1:
        return Length(months=(last.year - first.year) * 12 + last.month - first.month)
    return Length(days=(last - first).days)


def checked_buckets(window: Window) -> Window:
    """The window as it is. Raises Mistake if it has too many buckets."""
    shortest = {"minute": MINUTE, "hour": HOUR, "day": DAY, "month": 28 * DAY}[window.interval]
    if (window.span.end - window.span.start) / shortest > MOST_BUCKETS:
        raise Mistake("interval", f"expected a longer interval or a shorter window, of at most {MOST_BUCKETS} buckets")
    return window


def iso(instant: datetime) -> str:
    """`2026-11-28T10:00:00Z`, with as many decimals as it needs: none, three or six."""
    precision = "microseconds" if instant.microsecond % 1000 else "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _interval(values: Mapping[str, str]) -> Interval | None:
    text = values.get("interval")
    if text is None:
        return None
    for interval in INTERVALS:
        if interval == text:
            return interval
    raise Mistake("interval", f"expected one of {', '.join(INTERVALS)}")


def _usual_interval(length: timedelta) -> Interval:
    return next((interval for longest, interval in _USUAL_INTERVALS if length <= longest), "month")


def _instant(values: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime:
    text = values[name]
    try:
        # An unquoted + of an offset arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        instant = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not _FIRST <= instant < _LAST:
        example = "2026-11-28, 2026-11-28T10:00 or 2026-11-28T10:00:00+01:00"
        raise Mistake(name, f"expected an ISO 8601 date or time from 1971 to 2199, such as {example}")
    return instant
